"""Audiences: which of them a reader belongs to, and how a new one is found or made."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from parvis.data import PreparedSQL, transaction
from parvis.people.standing import by_standing

if TYPE_CHECKING:
    from parvis.people.actor import Actor

EVERYONE = 1
"""The audience of every member who is not a guest; made with the database."""

_MINE = PreparedSQL(
    """
    SELECT id FROM audience WHERE kind = 'everyone' AND :whole
    UNION
    SELECT a.id FROM space s JOIN audience a ON a.space = s.id WHERE s.kind = 'open' AND :whole
    UNION
    SELECT a.id FROM space_member m JOIN audience a ON a.space = m.space WHERE m.member = :member
    UNION
    SELECT p.audience FROM audience_part p WHERE p.kind = 'member' AND p.subject = :member
    UNION
    SELECT p.audience FROM space_member m
      JOIN audience_part p ON p.kind = 'space' AND p.subject = m.space WHERE m.member = :member
    UNION
    SELECT p.audience FROM member_group_member g
      JOIN audience_part p ON p.kind = 'group' AND p.subject = g."group" WHERE g.member = :member
    UNION
    SELECT p.audience FROM space s
      JOIN audience_part p ON p.kind = 'space' AND p.subject = s.id WHERE s.kind = 'open' AND :whole
    """,
    short=True,
)
_OF_SPACE = PreparedSQL("SELECT id FROM audience WHERE kind = 'space' AND space = :space", short=True)
_BY_KEY = PreparedSQL("SELECT id FROM audience WHERE key = :key", short=True)
_ADD = PreparedSQL(
    "INSERT INTO audience (kind, key, space) VALUES (:kind, :key, :space) "
    "ON CONFLICT (key) DO UPDATE SET kind = excluded.kind RETURNING id"
)
_ADD_PART = PreparedSQL(
    "INSERT INTO audience_part (audience, kind, subject) VALUES (:audience, :kind, :subject)"
)


async def audiences_of(actor: Actor) -> list[int]:
    """Return the ids of the audiences the actor belongs to, computed once a request.

    Members read open spaces without joining them; guests read only the spaces they were added to.
    """
    if actor.member is None:
        return []

    async def find() -> list[int]:
        return [row["id"] for row in await _MINE(member=actor.member, whole=not actor.is_guest)]

    return await by_standing(actor, "audiences", find)


async def audience_of_space(space: int) -> int:
    """Return the audience of the people who read one space."""
    row = await _OF_SPACE.one(space=space)
    if row is None:
        raise LookupError(f"space {space} has no audience")
    found: int = row["id"]
    return found


async def audience_of_set(
    *, spaces: Collection[int] = (), groups: Collection[int] = (), members: Collection[int] = ()
) -> int:
    """Find or make the audience of a set of spaces, groups and members; equal sets share one row."""
    parts = sorted(
        {("space", i) for i in spaces} | {("group", i) for i in groups} | {("member", i) for i in members}
    )
    if not parts:
        raise ValueError("an audience needs at least one space, group or member")
    if len(parts) == 1 and parts[0][0] == "space":
        return await audience_of_space(parts[0][1])
    key = "set:" + ",".join(f"{kind[0]}{subject}" for kind, subject in parts)
    found = await _BY_KEY.one(key=key)
    if found is not None:
        existing: int = found["id"]
        return existing
    async with transaction():
        if (found := await _BY_KEY.one(key=key)) is not None:
            again: int = found["id"]
            return again
        row = await _ADD.one(kind="set", key=key, space=None)
        assert row is not None
        audience: int = row["id"]
        for kind, subject in parts:
            await _ADD_PART(audience=audience, kind=kind, subject=subject)
    return audience
