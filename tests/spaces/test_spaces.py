"""Spaces: who knows of them, who reads them, who may change what, and that nobody is locked out."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from parvis.data import PreparedSQL
from parvis.errors import Conflict, Forbidden, Invalid, NotFound, SignInRequired
from parvis.people.actions import add_member, suspend_member
from parvis.people.actor import NOBODY, SYSTEM, Actor
from parvis.people.tables import MemberRow
from parvis.spaces.access import (
    SpaceMoved,
    access_space,
    access_space_id,
    is_readable,
    my_roles,
    my_spaces,
    spaces_among,
    spaces_of,
    visible_spaces,
)
from parvis.spaces.actions import (
    add_space_member,
    change_space_role,
    edit_space,
    join_space,
    leave_space,
    open_space,
    recount_members,
    remove_space_member,
)
from parvis.spaces.members import members_of, people_in_charge
from parvis.spaces.tables import Space, SpaceRow


async def _add(name: str, role: str = "member") -> MemberRow:
    return await add_member(SYSTEM, name=name, email=f"{name.lower()}@example.org", role=role)


def _actor(row: MemberRow) -> Actor:
    return Actor(
        member=row.id, name=row.name, handle=row.handle, email=row.email, role=row.role, via="session"
    )


async def _count(space: SpaceRow) -> int:
    found = await Space.with_id(space.id)
    assert found is not None
    return found.members_count


async def test_opening_a_space_makes_its_owner_and_audience(instance: object) -> None:
    me = await _add("Ines")
    space = await open_space(
        _actor(me), {"name": "Atelier Bois", "kind": "closed", "hue": "clay", "icon": "hammer"}
    )
    assert (space.slug, space.kind, space.role, space.members_count) == ("atelier-bois", "closed", "owner", 1)
    audience = await PreparedSQL("SELECT kind, key FROM audience WHERE space = :space").one(space=space.id)
    assert audience == {"kind": "space", "key": f"space:{space.id}"}
    assert (await open_space(_actor(me), {"name": "Atelier bois"})).slug == "atelier-bois-2"
    assert (await open_space(_actor(me), {"name": "New"})).slug == "new-2"
    assert (await open_space(_actor(me), {"name": "东方"})).slug == "space"


async def test_guests_and_strangers_open_none(instance: object) -> None:
    with pytest.raises(Forbidden):
        await open_space(_actor(await _add("Guest", "guest")), {"name": "X"})
    with pytest.raises(SignInRequired):
        await open_space(NOBODY, {"name": "X"})
    assert (await open_space(_actor(await _add("Member")), {"name": "X"})).name == "X"


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("name", " "),
        ("name", "x" * 81),
        ("kind", "public"),
        ("icon", "../x"),
        ("hue", "red"),
        ("description", "x" * 501),
    ],
)
async def test_bad_fields_are_named(instance: object, field: str, bad: str) -> None:
    me = _actor(await _add("Ines"))
    fine = {"name": "Bois", "description": "Du bois", "kind": "open", "icon": "hammer", "hue": "clay"}
    with pytest.raises(Invalid) as refusal:
        await open_space(me, {**fine, field: bad})
    assert set(refusal.value.fields) == {field}
    assert refusal.value.values[field] == bad
    assert await open_space(me, fine)


async def _doors(actor: Actor, space: SpaceRow) -> set[bool]:
    """Return whether each function that could show the space does."""
    found = {space.id in {row.id for row in await visible_spaces(actor)}}
    found.add(space.id in await spaces_among(actor, [space.id]))
    owner = (await people_in_charge(space))[0].member
    found.add(space.id in {row.id for row, _ in await spaces_of(actor, owner)})
    for door in (access_space(actor, space.slug), access_space_id(actor, space.id)):
        try:
            found.add((await door).id == space.id)
        except NotFound:
            found.add(False)
    return found


@pytest.mark.parametrize("kind", ["open", "closed", "secret"])
async def test_every_door_agrees_on_who_knows_of_a_space(instance: object, kind: str) -> None:
    owner, inside = await _add("Owner"), await _add("Inside")
    guest_in = await _add("Guestin", "guest")
    space = await open_space(_actor(owner), {"name": "Lieu", "kind": kind})
    for row in (inside, guest_in):
        assert await add_space_member(_actor(owner), space, row.id) or row.role == "guest"
    listed, readable = kind != "secret", kind == "open"
    for row, knows, reads in (
        (owner, True, True),
        (inside, True, True),
        (guest_in, True, True),
        (await _add("Outside"), listed, readable),
        (await _add("Boss", "administrator"), listed, readable),
        (await _add("Warden", "moderator"), listed, readable),
        (await _add("Guestout", "guest"), False, False),
    ):
        actor = _actor(row)
        assert await _doors(actor, space) == {knows}, row.name
        if knows:
            assert is_readable(actor, await access_space(actor, space.slug)) is reads
    assert await _doors(NOBODY, space) == {False}


async def test_a_secret_space_looks_like_none(instance: object) -> None:
    owner, boss = await _add("Owner"), _actor(await _add("Boss", "administrator"))
    space = await open_space(_actor(owner), {"name": "Fusion", "kind": "secret"})
    await edit_space(
        _actor(owner), space, space.version, {"name": "Fusion", "kind": "secret", "slug": "projet-x"}
    )
    answers = []
    for slug in ("projet-x", "fusion", "no-such-space"):
        with pytest.raises(NotFound) as refusal:
            await access_space(boss, slug)
        answers.append((type(refusal.value), refusal.value.args, str(refusal.value)))
    assert len(set(answers)) == 1
    with pytest.raises(SpaceMoved) as moved:
        await access_space(_actor(owner), "fusion")
    assert moved.value.path("/spaces/fusion/about") == "/spaces/projet-x/about"
    assert (await access_space(_actor(owner), "projet-x")).id == space.id


async def test_open_spaces_are_joined_and_closed_ones_are_not(instance: object) -> None:
    owner, me = await _add("Owner"), await _add("Me")
    free = await open_space(_actor(owner), {"name": "Libre"})
    closed = await open_space(_actor(owner), {"name": "Fermé", "kind": "closed"})
    actor = _actor(me)
    assert await my_spaces(actor) == []
    joined = await join_space(actor, await access_space(actor, free.slug))
    assert (joined.role, joined.members_count) == ("member", 2)
    assert [row.id for row in await my_spaces(actor)] == [free.id]
    assert await my_roles(actor) == {free.id: "member"}
    assert (await join_space(actor, joined)).members_count == 2
    with pytest.raises(Forbidden):
        await join_space(actor, await access_space(actor, closed.slug))
    assert await _count(closed) == 1
    await leave_space(actor, joined)
    assert await my_spaces(actor) == []
    assert await _count(free) == 1
    with pytest.raises(NotFound):
        await leave_space(actor, joined)


async def test_a_row_kept_from_before_opens_nothing(instance: object) -> None:
    """The kind is read again at joining: the page was open while the space was made secret."""
    owner, me = _actor(await _add("Owner")), _actor(await _add("Me"))
    space = await open_space(owner, {"name": "Libre"})
    seen = await access_space(me, space.slug)
    await edit_space(owner, space, space.version, {"name": "Libre", "kind": "secret"})
    with pytest.raises(NotFound):
        await join_space(me, seen)


async def test_owners_choose_members_and_roles(instance: object) -> None:
    owner, me, other = await _add("Owner"), await _add("Me"), await _add("Other")
    guest = await _add("Guest", "guest")
    space = await open_space(_actor(owner), {"name": "Fermé", "kind": "closed"})
    mine = await access_space(_actor(me), space.slug)
    for work in (
        add_space_member(_actor(me), mine, me.id),
        change_space_role(_actor(me), mine, me.id, "owner"),
        remove_space_member(_actor(me), mine, owner.id),
        edit_space(_actor(me), mine, mine.version, {"name": "Pris"}),
    ):
        with pytest.raises(Forbidden):
            await work
    assert await add_space_member(_actor(owner), space, me.id, "moderator")
    assert not await add_space_member(_actor(owner), space, me.id)
    assert await add_space_member(_actor(owner), space, other.id)
    assert await add_space_member(_actor(owner), space, guest.id, "owner") is True
    found, _ = await members_of(space)
    assert {row.name: row.role for row in found} == {
        "Owner": "owner", "Me": "moderator", "Other": "member", "Guest": "guest",
    }  # fmt: skip
    assert [row.name for row in await people_in_charge(space)] == ["Owner", "Me"]
    # Being a moderator of the space does not make one choose its members.
    with pytest.raises(Forbidden):
        await remove_space_member(_actor(me), await access_space(_actor(me), space.slug), other.id)
    await change_space_role(_actor(owner), space, me.id, "owner")
    await remove_space_member(_actor(me), await access_space(_actor(me), space.slug), owner.id)
    assert await my_spaces(_actor(owner)) == []
    assert await _count(space) == 3
    with pytest.raises(Invalid):
        await change_space_role(_actor(me), space, other.id, "emperor")
    with pytest.raises(NotFound):
        await change_space_role(_actor(me), space, owner.id, "member")


async def test_the_last_owner_stays(instance: object) -> None:
    owner, other = await _add("Owner"), await _add("Other")
    space = await open_space(_actor(owner), {"name": "Lieu"})
    await add_space_member(_actor(owner), space, other.id)
    for work in (
        leave_space(_actor(owner), space),
        remove_space_member(_actor(owner), space, owner.id),
        change_space_role(_actor(owner), space, owner.id, "member"),
    ):
        with pytest.raises(Conflict):
            await work
    await change_space_role(_actor(owner), space, other.id, "owner")
    await suspend_member(SYSTEM, other.id)
    with pytest.raises(Conflict):
        await leave_space(_actor(owner), space)
    await add_space_member(_actor(owner), space, (await _add("Third")).id, "owner")
    await leave_space(_actor(owner), space)
    assert await _count(space) == 2


async def test_of_owners_who_leave_at_once_one_stays(instance: object) -> None:
    people = [await _add(f"Owner{number}") for number in range(4)]
    space = await open_space(_actor(people[0]), {"name": "Lieu"})
    for row in people[1:]:
        await add_space_member(SYSTEM, space, row.id, "owner")
    await asyncio.gather(*(leave_space(_actor(row), space) for row in people), return_exceptions=True)
    assert await _count(space) == 1
    assert len(await people_in_charge(space)) == 1


async def test_editing_is_checked_against_the_version_and_keeps_old_addresses(instance: object) -> None:
    owner = _actor(await _add("Owner"))
    space = await open_space(owner, {"name": "Bois"})
    other = await open_space(owner, {"name": "Métal"})
    saved = await edit_space(owner, space, space.version, {"name": "Bois massif", "slug": "bois-massif"})
    assert (saved.name, saved.slug, saved.version) == ("Bois massif", "bois-massif", space.version + 1)
    with pytest.raises(Conflict):
        await edit_space(owner, space, space.version, {"name": "Ancien"})
    for slug in ("bois", "bois-massif", "new", "a b", "é"):
        with pytest.raises(Invalid) as refusal:
            await edit_space(owner, other, other.version, {"name": "Métal", "slug": slug})
        assert set(refusal.value.fields) == {"slug"}
    assert (await open_space(owner, {"name": "Bois"})).slug == "bois-2"
    with pytest.raises(SpaceMoved):
        await access_space(owner, "bois")
    back = await edit_space(owner, saved, saved.version, {"name": "Bois", "slug": "bois"})
    assert (await access_space(owner, "bois")).id == back.id


async def test_my_spaces_is_one_read_a_request(instance: object, queries: Any) -> None:
    owner = _actor(await _add("Owner"))
    for name in ("Zinc", "Écorce", "Atelier"):
        await open_space(owner, {"name": name})
    fresh = Actor(member=owner.member, role="member", via="session")
    with queries() as seen:
        assert [row.name for row in await my_spaces(fresh)] == ["Atelier", "Écorce", "Zinc"]
        assert set((await my_roles(fresh)).values()) == {"owner"}
        await my_spaces(fresh)
    assert len(seen) == 1


async def test_counts_are_right_after_anything_at_random(instance: object) -> None:
    """Random joins, leaves, additions and roles: the count holds, an owner remains, doors agree with roles."""
    pick = random.Random(7)
    people = [await _add(f"P{number}", pick.choice(["member", "member", "guest"])) for number in range(6)]
    founder = await _add("Founder")
    spaces = [
        await open_space(_actor(founder), {"name": kind, "kind": kind})
        for kind in ("open", "closed", "secret")
    ]
    allowed = (Forbidden, NotFound, Conflict)
    for _ in range(150):
        space, row, other = pick.choice(spaces), pick.choice([*people, founder]), pick.choice(people)
        actor = _actor(row)
        try:
            seen = await access_space(actor, space.slug)
            match pick.randrange(5):
                case 0:
                    await join_space(actor, seen)
                case 1:
                    await leave_space(actor, seen)
                case 2:
                    await add_space_member(actor, seen, other.id, pick.choice(["owner", "member"]))
                case 3:
                    await change_space_role(
                        actor, seen, other.id, pick.choice(["owner", "member", "moderator"])
                    )
                case _:
                    await remove_space_member(actor, seen, other.id)
        except allowed:
            pass
    assert await recount_members() == []
    for space in spaces:
        assert [row for row in await people_in_charge(space) if row.role == "owner"]
        members = {row.member for row in (await members_of(space))[0]}
        for row in people:
            actor = _actor(row)
            assert (space.id in await my_roles(actor)) is (row.id in members)
            knows = row.id in members or (space.kind != "secret" and row.role != "guest")
            assert await _doors(actor, space) == {knows}
            if row.role == "guest" and row.id in members:
                assert (await my_roles(actor))[space.id] == "guest"


async def test_members_of_a_large_space_are_paged_and_searched(instance: object) -> None:
    owner = await _add("Owner")
    space = await open_space(_actor(owner), {"name": "Tous"})
    for number in range(7):
        await add_space_member(SYSTEM, space, (await _add(f"Person{number}")).id)
    names, after = [], None
    while True:
        found, after = await members_of(space, after=after, size=3)
        names += [row.name for row in found]
        if after is None:
            break
    assert names == ["Owner", *(f"Person{number}" for number in range(7))]
    found, _ = await members_of(space, query="person3")
    assert [row.name for row in found] == ["Person3"]
