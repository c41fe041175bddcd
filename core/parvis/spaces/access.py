"""Which spaces an actor knows of and reads, in SQL; every list and door of spaces starts here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from parvis.data import PreparedSQL
from parvis.errors import NotFound
from parvis.people.history import Moved
from parvis.people.names import fold
from parvis.people.standing import by_standing
from parvis.spaces.tables import SPACE_COLUMNS, VISIBLE_SPACE, MySpace, SpaceRow

if TYPE_CHECKING:
    from parvis.people.actor import Actor

_FROM = "FROM space s LEFT JOIN space_member own ON own.space = s.id AND own.member = :reader"
# Asked for each page: without the columns that only the pages of the space itself show.
_MINE = PreparedSQL(
    "SELECT s.id, s.slug, s.name, s.kind, s.icon, s.hue, own.role"
    " FROM space_member own JOIN space s ON s.id = own.space WHERE own.member = :reader",
    short=True,
)
_VISIBLE = PreparedSQL(
    f"SELECT {SPACE_COLUMNS}, own.role {_FROM} WHERE {VISIBLE_SPACE}",
)
_BY_SLUG = PreparedSQL(
    f"SELECT {SPACE_COLUMNS}, own.role {_FROM} WHERE s.slug = :slug AND {VISIBLE_SPACE}",
    short=True,
)
_BY_ID = PreparedSQL(
    f"SELECT {SPACE_COLUMNS}, own.role {_FROM} WHERE s.id = :id AND {VISIBLE_SPACE}",
    short=True,
)
_MOVED = PreparedSQL(
    f"SELECT s.slug {_FROM} JOIN slug_history h ON h.subject = s.id"
    f" WHERE h.kind = 'space' AND h.slug = :slug AND {VISIBLE_SPACE}",
    short=True,
)
_AMONG = PreparedSQL(
    f"SELECT {SPACE_COLUMNS}, own.role {_FROM} WHERE s.id = any(:ids) AND {VISIBLE_SPACE}",
    short=True,
)
_SHARED = PreparedSQL(
    f"SELECT {SPACE_COLUMNS}, own.role, theirs.role AS their_role {_FROM}"
    f" JOIN space_member theirs ON theirs.space = s.id AND theirs.member = :member WHERE {VISIBLE_SPACE}",
    short=True,
)


class SpaceMoved(Moved):
    """The address is a former one of a space the reader knows of."""


def _knows(actor: Actor) -> dict[str, Any]:
    return {"whole": actor.sees_everyone and not actor.is_system, "reader": actor.member or 0}


async def my_spaces(actor: Actor) -> list[MySpace]:
    """Return the spaces the actor belongs to, by name; one short read a request, each page's side bar."""
    if actor.member is None:
        return []

    async def find() -> list[MySpace]:
        rows = await _MINE(reader=actor.member)
        return sorted((MySpace(**row) for row in rows), key=lambda space: (fold(space.name), space.id))

    return await by_standing(actor, "spaces", find)


async def my_roles(actor: Actor) -> dict[int, str]:
    """Return the actor's role in each of his spaces, by the space's id; no read beside that of my_spaces."""
    roles: dict[int, str] | None = actor.memo.get("space_roles")
    if roles is None:
        roles = {space.id: space.role for space in await my_spaces(actor)}
        actor.memo["space_roles"] = roles
    return roles


def forget_roles(actor: Actor) -> None:
    """Forget what was computed for this actor about spaces, after a change of membership in this request."""
    for key in ("spaces", "space_roles", "audiences", "reading"):
        actor.memo.pop(key, None)
    # The counter that came with this actor's session is that of before.
    msgspec.structs.force_setattr(actor, "standing", None)


async def visible_spaces(actor: Actor) -> list[SpaceRow]:
    """Return every space the actor knows of, by name: the list of spaces."""
    if actor.member is None:
        return []
    return _by_name(await _VISIBLE(**_knows(actor)))


async def spaces_among(actor: Actor, ids: list[int]) -> dict[int, SpaceRow]:
    """Return those of the spaces that the actor knows of, by id, in one query."""
    if not ids or actor.member is None:
        return {}
    return {row["id"]: SpaceRow(**row) for row in await _AMONG(ids=ids, **_knows(actor))}


async def spaces_of(actor: Actor, member: int) -> list[tuple[SpaceRow, str]]:
    """Return the spaces another member belongs to, of those the actor knows of, each with that member's role."""
    if actor.member is None:
        return []
    rows = await _SHARED(member=member, **_knows(actor))
    theirs: dict[int, str] = {row["id"]: row.pop("their_role") for row in rows}
    return [(space, theirs[space.id]) for space in _by_name(rows)]


def _by_name(rows: list[dict[str, Any]]) -> list[SpaceRow]:
    return sorted((SpaceRow(**row) for row in rows), key=lambda space: (fold(space.name), space.id))


def is_readable(actor: Actor, space: SpaceRow) -> bool:
    """Return whether the actor reads what is in a space he knows of: members do, and others if it is open."""
    return space.role is not None or (space.kind == "open" and actor.sees_everyone)


async def access_space(actor: Actor, slug: str, permission: str | None = None) -> SpaceRow:
    """Return a space the actor knows of, and may do `permission` with, or raise.

    Missing and secret look alike: NotFound. A former slug raises SpaceMoved, which is a NotFound too.
    Whether its content is readable is another question: `is_readable`.
    """
    row = await _BY_SLUG.one(slug=slug, **_knows(actor)) if actor.member is not None else None
    if row is None:
        if actor.member is not None and (moved := await _MOVED.one(slug=slug, **_knows(actor))) is not None:
            raise SpaceMoved(slug, moved["slug"])
        raise NotFound()
    return await _permitted(actor, SpaceRow(**row), permission)


async def access_space_id(actor: Actor, space: int, permission: str | None = None) -> SpaceRow:
    """Return a space the actor knows of by its id; see access_space."""
    row = await _BY_ID.one(id=space, **_knows(actor)) if actor.member is not None else None
    if row is None:
        raise NotFound()
    return await _permitted(actor, SpaceRow(**row), permission)


async def _permitted(actor: Actor, space: SpaceRow, permission: str | None) -> SpaceRow:
    if permission is not None:
        # decide asks my_roles of this module.
        from parvis.spaces.decide import demand

        await demand(actor, permission, space)
    return space
