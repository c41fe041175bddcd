"""Who belongs to a space: its members page, and the people in charge of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from parvis.data import PreparedSQL
from parvis.people.cards import person_cards
from parvis.people.directory import After, words_of
from parvis.spaces.tables import SpaceMemberRow, SpaceRow

PAGE = 50
"""Members on one page."""

_PERSON = "m.id AS member, m.name, m.sort_name, m.role AS site_role, t.role, t.joined"
_MATCHES = " AND ".join(f"m.search LIKE :word{number} ESCAPE '!'" for number in range(len(words_of(""))))
_MEMBERS = PreparedSQL(
    f"SELECT {_PERSON} FROM space_member t JOIN member m ON m.id = t.member"  # noqa: S608 - our own text
    f" WHERE t.space = :space AND m.state = 'active' AND {_MATCHES}"
    " AND (m.sort_name > :name OR (m.sort_name = :name AND m.id > :id))"
    " ORDER BY m.sort_name, m.id LIMIT :limit"
)
_IN_CHARGE = PreparedSQL(
    f"SELECT {_PERSON} FROM space_member t JOIN member m ON m.id = t.member"  # noqa: S608
    " WHERE t.space = :space AND m.state = 'active' AND t.role IN ('owner', 'moderator')"
    " ORDER BY CASE t.role WHEN 'owner' THEN 0 ELSE 1 END, m.sort_name, m.id LIMIT 50"
)
# In the order of the key that leads from a space to its members, so that five of ten thousand cost five.
_FACES = PreparedSQL(
    "SELECT member FROM space_member WHERE space = :space ORDER BY member LIMIT 5", short=True
)
_OF_THESE = PreparedSQL(
    "SELECT member FROM space_member WHERE space = :space AND member = any(:members)", short=True
)


async def members_of(
    space: SpaceRow, *, query: str = "", after: After | None = None, size: int = PAGE
) -> tuple[list[SpaceMemberRow], After | None]:
    """Return one page of a space's active members by name, and where the next page begins.

    The caller holds the space through its door and asked `is_readable`.
    """
    start = after or After("", 0)
    rows = await _MEMBERS(space=space.id, **words_of(query), name=start.name, id=start.id, limit=size + 1)
    found = [SpaceMemberRow(**row) for row in rows[:size]]
    return found, After(found[-1].sort_name, found[-1].member) if len(rows) > size else None


async def people_in_charge(space: SpaceRow) -> list[SpaceMemberRow]:
    """Return owners and moderators: whoever knows of a space may know whom to ask."""
    return [SpaceMemberRow(**row) for row in await _IN_CHARGE(space=space.id)]


async def faces_of(space: SpaceRow) -> list[int]:
    """Return five members to draw at the head of a space; always the same as long as they stay."""
    return [row["member"] for row in await _FACES(space=space.id)]


async def members_among(space: SpaceRow, members: list[int]) -> set[int]:
    """Return those of the people who are in a space."""
    return {row["member"] for row in await _OF_THESE(space=space.id, members=members)}


async def entries_of(rows: Sequence[SpaceMemberRow]) -> list[dict[str, Any]]:
    """Return what templates draw of members of a space: person, role, since when."""
    cards = await person_cards([row.member for row in rows])
    return [{"person": cards[row.member], "role": row.role, "joined": row.joined} for row in rows]
