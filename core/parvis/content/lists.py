"""The lists people read: the feed of everything, of a space, of a person, walked by key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from parvis.content.access import ReadQuery
from parvis.content.tables import ContentRow

if TYPE_CHECKING:
    from parvis.people.actor import Actor

PAGE = 25
_LAST = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Before:
    """A place in a list: everything published before this moment, by id within it."""

    published: datetime
    id: int

    def __str__(self) -> str:
        return f"{self.published.timestamp() * 1_000_000:.0f}.{self.id}"

    @classmethod
    def parse(cls, text: str | None) -> Before | None:
        """Read a place from an address; an unusable one is the top of the list."""
        if not text:
            return None
        moment, _, content = text.partition(".")
        try:
            return cls(datetime.fromtimestamp(int(moment) / 1_000_000, tz=UTC), int(content))
        except (ValueError, OverflowError, OSError):
            return None


@dataclass(frozen=True, slots=True)
class Page:
    """One stretch of a list and where the next one starts, if anything is left."""

    rows: list[ContentRow]
    next: Before | None


def _feed(where: str, *, short: bool = True) -> ReadQuery:
    # Row values are compared as one key, so that the index is walked from the key onwards.
    return ReadQuery(
        "SELECT {columns} FROM content WHERE content.root IS NULL AND content.listed "
        "AND content.state = 'published' "
        "AND (content.published, content.id) < (:published, :id) "
        f"AND {where} {{visible}} "
        "ORDER BY content.published DESC, content.id DESC LIMIT :limit",
        short=short,
    )


_ALL = _feed("")
_SPACE = _feed("content.space = :space AND")
_AUTHOR = _feed("content.author = :author AND")
_TYPE = _feed("content.type = :type AND")
_SPACE_TYPE = _feed("content.space = :space AND content.type = :type AND")
_MINE = _feed("content.space IN (SELECT space FROM space_member WHERE member = :member) AND")
_PINNED = ReadQuery(
    "SELECT {columns} FROM content WHERE content.pinned IS NOT NULL AND content.space = :space "
    "AND {visible} ORDER BY content.pinned DESC LIMIT :limit",
    short=True,
)
_PINNED_HOME = ReadQuery(
    "SELECT {columns} FROM content WHERE content.pinned IS NOT NULL AND content.space IS NULL "
    "AND {visible} ORDER BY content.pinned DESC LIMIT :limit",
    short=True,
)


async def feed(
    actor: Actor,
    *,
    space: int | None = None,
    author: int | None = None,
    type: str | None = None,
    mine: bool = False,
    before: Before | None = None,
    limit: int = PAGE,
) -> Page:
    """Return the newest published contents the actor may read, from `before` on, in one query.

    `mine` keeps those of the spaces the actor is in; `space`, `author` and `type` narrow the list.
    """
    where = {
        "published": before.published if before else _LAST,
        "id": before.id if before else 0,
        "limit": limit + 1,
    }
    if space is not None and type is not None:
        rows = await _SPACE_TYPE.rows(actor, space=space, type=type, **where)
    elif space is not None:
        rows = await _SPACE.rows(actor, space=space, **where)
    elif author is not None:
        rows = await _AUTHOR.rows(actor, author=author, **where)
    elif type is not None:
        rows = await _TYPE.rows(actor, type=type, **where)
    elif mine:
        rows = await _MINE.rows(actor, member=actor.member or 0, **where)
    else:
        rows = await _ALL.rows(actor, **where)
    shown = rows[:limit]
    rest = None
    if len(rows) > limit and shown[-1].published is not None:
        rest = Before(shown[-1].published, shown[-1].id)
    return Page(shown, rest)


async def pinned(actor: Actor, space: int | None, *, limit: int = 3) -> list[ContentRow]:
    """Return what is pinned at the top of a space, or of home for None."""
    if space is None:
        return await _PINNED_HOME.rows(actor, limit=limit)
    return await _PINNED.rows(actor, space=space, limit=limit)
