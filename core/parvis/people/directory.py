"""The directory: who is here, searched by any word of a profile, narrowed by site and team."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from parvis.data import PreparedSQL
from parvis.people.access import sees
from parvis.people.names import fold
from parvis.people.tables import MEMBER_COLUMNS, MEMBER_TYPES, VISIBLE_MEMBER, MemberRow

if TYPE_CHECKING:
    from parvis.people.actor import Actor

PAGE = 30
"""People on one page of the directory."""
_WORDS = 6
"""How many words of a search count; the rest are left out."""

# One text whatever was typed: words that were not typed are '%', which every row matches.
_MATCHES = " AND ".join(f"m.search LIKE :word{number} ESCAPE '!'" for number in range(_WORDS))
_BASE = f"m.state = 'active' AND {VISIBLE_MEMBER} AND {_MATCHES}"
_PAGE = PreparedSQL(
    f"SELECT {MEMBER_COLUMNS} FROM member m WHERE {_BASE}"  # noqa: S608 - our own text
    " AND (:site = '' OR m.site = :site) AND (:team = '' OR m.team = :team)"
    " AND (m.sort_name > :name OR (m.sort_name = :name AND m.id > :id))"
    " ORDER BY m.sort_name, m.id LIMIT :limit",
    types=MEMBER_TYPES,
)
_SITES = PreparedSQL(
    f"SELECT m.site AS name, count(*) AS number FROM member m WHERE {_BASE}"  # noqa: S608
    " AND (:team = '' OR m.team = :team) GROUP BY m.site"
)
_TEAMS = PreparedSQL(
    f"SELECT m.team AS name, count(*) AS number FROM member m WHERE {_BASE}"  # noqa: S608
    " AND (:site = '' OR m.site = :site) GROUP BY m.team"
)
_NEWEST = PreparedSQL(
    f"SELECT {MEMBER_COLUMNS} FROM member m WHERE m.state = 'active' AND {VISIBLE_MEMBER}"  # noqa: S608
    " ORDER BY m.joined DESC, m.id DESC LIMIT :limit",
    short=True,
    types=MEMBER_TYPES,
)


_REPORTS = PreparedSQL(
    f"SELECT m.id FROM member m WHERE m.manager = :manager AND m.state = 'active' AND {VISIBLE_MEMBER}"  # noqa: S608
    " ORDER BY m.sort_name, m.id LIMIT 50"
)


class Facet(msgspec.Struct, frozen=True):
    """A value of a filter with the number of people behind it under the other filters."""

    name: str
    count: int


class After(msgspec.Struct, frozen=True):
    """Where the next page begins: behind this name and id."""

    name: str
    id: int

    @classmethod
    def parse(cls, name: str, id_: int) -> After | None:
        """Read a place from an address; an empty or unusable one is the top of the list."""
        return cls(name[:200], id_) if name and 0 <= id_ < 2**63 else None


class DirectoryPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of the directory; `total` counts everybody who matches, on all pages."""

    people: list[MemberRow]
    sites: list[Facet]
    teams: list[Facet]
    total: int
    next: After | None


def words_of(query: str) -> dict[str, str]:
    """Return what binds the search: each word must stand somewhere in the profile, whatever its accents."""
    words = fold(query).split()[:_WORDS]
    bound = ["%" + word.replace("!", "!!").replace("%", "!%").replace("_", "!_") + "%" for word in words]
    return {f"word{number}": bound[number] if number < len(bound) else "%" for number in range(_WORDS)}


async def directory(
    actor: Actor,
    *,
    query: str = "",
    site: str = "",
    team: str = "",
    after: After | None = None,
    size: int = PAGE,
) -> DirectoryPage:
    """Return the people the actor sees who match, ordered by name, in 3 queries."""
    bound: dict[str, Any] = {**sees(actor), **words_of(query)}
    start = after or After("", 0)
    rows = await _PAGE(**bound, site=site, team=team, name=start.name, id=start.id, limit=size + 1)
    sites = await _SITES(**bound, team=team)
    teams = await _TEAMS(**bound, site=site)
    people = [MemberRow(**row) for row in rows[:size]]
    more = len(rows) > size
    return DirectoryPage(
        people=people,
        sites=_facets(sites),
        teams=_facets(teams),
        total=sum(row["number"] for row in sites if site in ("", row["name"])),
        next=After(people[-1].sort_name, people[-1].id) if more else None,
    )


def _facets(rows: list[dict[str, Any]]) -> list[Facet]:
    return sorted(
        (Facet(row["name"], row["number"]) for row in rows if row["name"]), key=lambda facet: fold(facet.name)
    )


async def reports_of(actor: Actor, member: int) -> list[int]:
    """Return the ids of the people who report to somebody, of those the actor sees, by name; 50 at most."""
    return [row["id"] for row in await _REPORTS(manager=member, **sees(actor))]


async def newest_members(actor: Actor, size: int = 5) -> list[MemberRow]:
    """Return the people who came last, of those the actor sees."""
    return [MemberRow(**row) for row in await _NEWEST(**sees(actor), limit=size)]
