"""Which people an actor sees: one rule for directory, profile, lists and mentions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from parvis.data import PreparedSQL
from parvis.errors import NotFound
from parvis.people.history import Moved
from parvis.people.tables import MEMBER_COLUMNS, MEMBER_TYPES, VISIBLE_MEMBER, MemberRow

if TYPE_CHECKING:
    from parvis.people.actor import Actor

_BY_ID = PreparedSQL(
    f"SELECT {MEMBER_COLUMNS} FROM member m WHERE m.id = :id AND {VISIBLE_MEMBER}",  # noqa: S608 - our own text
    short=True,
    types=MEMBER_TYPES,
)
_BY_HANDLE = PreparedSQL(
    f"SELECT {MEMBER_COLUMNS} FROM member m WHERE m.handle = :handle AND {VISIBLE_MEMBER}",  # noqa: S608
    short=True,
    types=MEMBER_TYPES,
)
_MOVED = PreparedSQL(
    "SELECT m.handle FROM slug_history h JOIN member m ON m.id = h.subject"  # noqa: S608
    f" WHERE h.kind = 'member' AND h.slug = :handle AND {VISIBLE_MEMBER}",
    short=True,
)
_AMONG = PreparedSQL(
    f"SELECT m.id FROM member m WHERE m.id = any(:ids) AND {VISIBLE_MEMBER}",  # noqa: S608
    short=True,
)


class MemberMoved(Moved):
    """The address is a former handle of somebody the reader sees."""


def sees(actor: Actor) -> dict[str, Any]:
    """Return what binds VISIBLE_MEMBER to this actor; nobody sees nobody."""
    return {"whole": actor.sees_everyone, "reader": actor.member or 0}


async def access_member(actor: Actor, member: int | str) -> MemberRow:
    """Return a member this actor sees, by id or handle, or raise.

    Missing and invisible look alike: NotFound. A former handle raises MemberMoved, which is a NotFound too.
    """
    if isinstance(member, int):
        row = await _BY_ID.one(id=member, **sees(actor))
    else:
        row = await _BY_HANDLE.one(handle=member, **sees(actor))
        if row is None and (moved := await _MOVED.one(handle=member, **sees(actor))) is not None:
            raise MemberMoved(member, moved["handle"])
    if row is None:
        raise NotFound()
    return MemberRow(**row)


async def visible_among(actor: Actor, ids: Sequence[int]) -> set[int]:
    """Return those of the members that the actor sees, in one query."""
    if not ids:
        return set()
    return {row["id"] for row in await _AMONG(ids=list(ids), **sees(actor))}
