"""What is done with spaces: opened, changed, joined, left, and who holds which role in them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from parvis.data import PreparedSQL, transaction
from parvis.errors import Conflict, Forbidden, Invalid, NotFound, SignInRequired
from parvis.people import history
from parvis.people.access import access_member
from parvis.people.names import slug_of
from parvis.people.tables import Member, MemberRow
from parvis.services.audit import record
from parvis.services.counters import bump_counter
from parvis.services.i18n import lazy_gettext as _l
from parvis.services.limits import limit
from parvis.spaces.access import access_space_id, forget_roles
from parvis.spaces.decide import demand
from parvis.spaces.fields import RESERVED_SLUGS, is_slug, space_fields
from parvis.spaces.roles import SPACE_ROLES
from parvis.spaces.tables import Space, SpaceMember, SpaceRow

if TYPE_CHECKING:
    from parvis.people.actor import Actor

_ADD = PreparedSQL(
    "INSERT INTO space (slug, name, description, kind, icon, hue, created_by, members_count, version,"
    " created) VALUES (:slug, :name, :description, :kind, :icon, :hue, :created_by, 0, 1, :now)"
    " ON CONFLICT DO NOTHING RETURNING id"
)
_ADD_AUDIENCE = PreparedSQL("INSERT INTO audience (kind, key, space) VALUES ('space', :key, :space)")
_EDIT = PreparedSQL(
    "UPDATE space SET name = :name, description = :description, kind = :kind, icon = :icon, hue = :hue,"
    " slug = :slug, version = version + 1 WHERE id = :id AND version = :version RETURNING id"
)
_COVER = PreparedSQL("UPDATE space SET cover = :cover WHERE id = :id")
_JOIN = PreparedSQL(
    "INSERT INTO space_member (space, member, role, joined) VALUES (:space, :member, :role, :now)"
    " ON CONFLICT (space, member) DO NOTHING RETURNING id"
)
_LEAVE = PreparedSQL("DELETE FROM space_member WHERE space = :space AND member = :member RETURNING role")
_ROLE = PreparedSQL("UPDATE space_member SET role = :role WHERE space = :space AND member = :member")
_COUNT = PreparedSQL("UPDATE space SET members_count = members_count + :delta WHERE id = :id")
# Two owners who leave at once wait here for each other, so that the second sees he is the last.
_HOLD = PreparedSQL("UPDATE space SET version = version WHERE id = :id RETURNING id")
_SLUGS = PreparedSQL("SELECT slug FROM space WHERE slug = :slug OR slug LIKE :like")
_RECOUNT = PreparedSQL(
    "UPDATE space SET members_count = (SELECT count(*) FROM space_member m WHERE m.space = space.id)"
    " WHERE members_count <> (SELECT count(*) FROM space_member m WHERE m.space = space.id) RETURNING id"
)


def _own(actor: Actor) -> int:
    if actor.member is None:
        raise SignInRequired()
    return actor.member


async def open_space(
    actor: Actor, values: Mapping[str, Any], *, owner: int | None = None, created: datetime | None = None
) -> SpaceRow:
    """Open a space with its audience and return it; the actor, or `owner` for the system, owns it.

    `values` holds name, description, kind, icon, hue. Needs `spaces.open`. `created` (UTC) backdates imports.
    """
    await demand(actor, "spaces.open")
    first = owner if actor.is_system and owner is not None else _own(actor)
    fields, faults = space_fields(values)
    if faults:
        raise Invalid(faults, values=values)
    if not actor.is_system:
        await limit(f"member:{first}", "open-space")
    now = created or datetime.now(UTC)
    async with transaction():
        row = await _ADD.one(slug=await _free_slug(fields["name"]), created_by=first, now=now, **fields)
        if row is None:
            raise Conflict(_l("Somebody opened a space of this name at the same moment."))
        space: int = row["id"]
        await _ADD_AUDIENCE(key=f"space:{space}", space=space)
        await _enter(space, first, "owner", now)
        await record("space.opened", actor.member, f"space:{space}", {"kind": fields["kind"]})
    forget_roles(actor)
    return await _after(space, first)


async def _after(space: int, member: int | None) -> SpaceRow:
    """Return a space as it is now for one of its readers."""
    row = await Space.with_id(space)
    if row is None:
        raise NotFound()
    role = await SpaceMember.role_of(space, member) if member is not None else None
    return msgspec.structs.replace(row, role=role)


async def _free_slug(name: str) -> str:
    """Return an address that no space has or had."""
    stem = slug_of(name, longest=50) or "space"
    taken = {row["slug"] for row in await _SLUGS(slug=stem, like=stem + "-%")} | RESERVED_SLUGS
    taken |= await history.former_slugs("space", stem)
    number, found = 1, stem
    while found in taken:
        number += 1
        found = f"{stem}-{number}"
    return found


async def edit_space(actor: Actor, space: SpaceRow, version: int, values: Mapping[str, Any]) -> SpaceRow:
    """Save name, description, kind, icon, hue and `slug` of a space; needs `spaces.edit`.

    A space made closed or secret hides at once what is in it from those who are no members; one made open
    shows it to all members of the site. Raises Conflict when it was changed since `version`.
    """
    await demand(actor, "spaces.edit", space)
    fields, faults = space_fields(values)
    slug = str(values.get("slug") or space.slug).strip().casefold()
    if slug != space.slug and (fault := await _slug_fault(space.id, slug)) is not None:
        faults["slug"] = fault
    if faults:
        raise Invalid(faults, values=values)
    async with transaction():
        before = await Space.with_id(space.id)
        if before is None or await _EDIT.one(id=space.id, version=version, slug=slug, **fields) is None:
            raise Conflict(
                _l("This space was changed in another window."), remedy=_l("Reload it, then change it again.")
            )
        if slug != before.slug:
            await history.keep_slug("space", before.slug, space.id, now_called=slug)
        await bump_counter("cards")
        await record(
            "space.edited", actor.member, f"space:{space.id}", {"from": before.kind, "to": fields["kind"]}
        )
    forget_roles(actor)
    return await _after(space.id, actor.member)


async def _slug_fault(space: int, slug: str) -> object | None:
    if not is_slug(slug):
        return _l("Use letters a to z, digits and hyphens.")
    former = await history.owner_of("space", slug)
    if slug in RESERVED_SLUGS or await Space.with_slug(slug) is not None or former not in (None, space):
        return _l("Another space has this address, or had it.")
    return None


async def set_cover(actor: Actor, space: SpaceRow, cover: int | None) -> None:
    """Show a file as the picture of a space, which the caller attached to it in the same transaction."""
    await demand(actor, "spaces.edit", space)
    await _COVER(id=space.id, cover=cover)


async def join_space(actor: Actor, space: SpaceRow) -> SpaceRow:
    """Enter an open space; a closed one is entered by being added, which the message says."""
    member = _own(actor)
    if space.role is not None:
        return space
    current = await access_space_id(actor, space.id)
    if current.kind != "open" or actor.is_guest:
        raise Forbidden(
            _l("The people in charge of this space choose its members."),
            remedy=_l("Ask one of them to add you."),
        )
    async with transaction():
        await _enter(space.id, member, "member", datetime.now(UTC))
    forget_roles(actor)
    return await _after(space.id, member)


async def _enter(space: int, member: int, role: str, now: datetime) -> bool:
    if await _JOIN.one(space=space, member=member, role=role, now=now) is None:
        return False
    await _COUNT(id=space, delta=1)
    return True


async def leave_space(actor: Actor, space: SpaceRow) -> None:
    """Leave a space; its last owner names another one first (Conflict)."""
    member = _own(actor)
    async with transaction():
        await _take_out(space.id, member)
        await record("space.left", member, f"space:{space.id}", {})
    forget_roles(actor)


async def _take_out(space: int, member: int) -> None:
    await _HOLD(id=space)
    role = await SpaceMember.role_of(space, member)
    if role is None:
        raise NotFound()
    if role == "owner":
        await _keep_an_owner(space, member)
    await _LEAVE(space=space, member=member)
    await _COUNT(id=space, delta=-1)


async def _keep_an_owner(space: int, member: int) -> None:
    if await SpaceMember.owners_beside(space, member) == 0:
        raise Conflict(
            _l("A space needs somebody in charge, and this is the last one."),
            remedy=_l("Put somebody else in charge first, on the page of its members."),
        )


async def add_space_member(
    actor: Actor, space: SpaceRow, member: int, role: str = "member", *, joined: datetime | None = None
) -> bool:
    """Add somebody to a space; needs `spaces.members`. Returns False when he was there already.

    Guests of the site are guests in the space. `joined` (UTC) backdates imports.
    """
    await demand(actor, "spaces.members", space)
    person = await _person(actor, member)
    role = _role_for(person, role)
    async with transaction():
        if not await _enter(space.id, member, role, joined or datetime.now(UTC)):
            return False
        added = {"member": member, "role": role}
        await record("space.member_added", actor.member, f"space:{space.id}", added)
    forget_roles(actor)
    return True


async def _person(actor: Actor, member: int) -> MemberRow:
    """Return somebody who may be in a space: visible to the actor and active."""
    row = await Member.with_id(member) if actor.is_system else await access_member(actor, member)
    if row is None or row.state != "active":
        raise NotFound()
    return row


def _role_for(person: MemberRow, role: str) -> str:
    if role not in SPACE_ROLES:
        raise Invalid({"role": _l("There is no such role.")})
    return "guest" if person.role == "guest" else role


async def change_space_role(actor: Actor, space: SpaceRow, member: int, role: str) -> None:
    """Give a member of a space another role; needs `spaces.members`. The last owner keeps his (Conflict)."""
    await demand(actor, "spaces.members", space)
    person = await Member.with_id(member)
    if person is None:
        raise NotFound()
    role = _role_for(person, role)
    async with transaction():
        await _HOLD(id=space.id)
        before = await SpaceMember.role_of(space.id, member)
        if before is None:
            raise NotFound()
        if before == "owner" and role != "owner":
            await _keep_an_owner(space.id, member)
        await _ROLE(space=space.id, member=member, role=role)
        await record(
            "space.role_changed",
            actor.member,
            f"space:{space.id}",
            {"member": member, "from": before, "to": role},
        )
    forget_roles(actor)


async def remove_space_member(actor: Actor, space: SpaceRow, member: int) -> None:
    """Take somebody out of a space; needs `spaces.members`. The last owner stays (Conflict)."""
    await demand(actor, "spaces.members", space)
    async with transaction():
        await _take_out(space.id, member)
        await record("space.member_removed", actor.member, f"space:{space.id}", {"member": member})
    forget_roles(actor)


async def recount_members() -> list[int]:
    """Set right the number of members of spaces where it is wrong; returns their ids. For `parvis doctor`."""
    return [row["id"] for row in await _RECOUNT()]
