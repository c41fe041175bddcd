"""What is kept about a reader ends with the write that changes his place, whoever writes it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from parvis.content import EVERYONE, audience_of_set, audiences_of
from parvis.data import PreparedSQL, transaction
from parvis.people.actions import add_member
from parvis.people.actor import SYSTEM, Actor
from parvis.people.sessions import actor_of, open_session
from parvis.spaces import my_spaces
from parvis.spaces.actions import open_space


class World:
    """A member with a session, a secret space of somebody else, and statements beside every action."""

    def __init__(self, member: Any, token: str, space: Any) -> None:
        self.member, self.token, self.space = member, token, space

    async def reader(self) -> Actor:
        found = await actor_of(self.token)
        assert found is not None
        return found

    async def seen(self) -> tuple[set[int], list[str]]:
        actor = await self.reader()
        return set(await audiences_of(actor)), [space.name for space in await my_spaces(actor)]


@pytest.fixture
async def world(instance: Any) -> World:
    owner = await add_member(SYSTEM, email="owner@example.org", name="Owner")
    member = await add_member(SYSTEM, email="reader@example.org", name="Reader")
    fields = {"name": "Board", "description": "", "kind": "secret", "icon": "users", "hue": "pine"}
    space = await open_space(SYSTEM, fields, owner=owner.id)
    return World(member, await open_session(member.id), space)


CHANGES = {
    "added to a space": (
        "INSERT INTO space_member (space, member, role, joined) VALUES (:space, :member, 'member', :now)",
        "DELETE FROM space_member WHERE space = :space AND member = :member",
    ),
    "the space is opened": (
        "UPDATE space SET kind = 'open' WHERE id = :space",
        "UPDATE space SET kind = 'secret' WHERE id = :space",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_bare_statement_ends_what_was_kept(world: World, change: str) -> None:
    before = await world.seen()
    assert await world.seen() == before
    bound = {"space": world.space.id, "member": world.member.id, "now": datetime.now(UTC)}
    does, undoes = (PreparedSQL(text) for text in CHANGES[change])
    await does(**{name: value for name, value in bound.items() if f":{name}" in does.text})
    changed = await world.seen()
    assert len(changed[0]) == len(before[0]) + 1
    await undoes(**{name: value for name, value in bound.items() if f":{name}" in undoes.text})
    assert await world.seen() == before


async def test_nothing_is_kept_of_what_is_rolled_back(world: World) -> None:
    join = PreparedSQL(CHANGES["added to a space"][0])

    async def taken_back() -> None:
        async with transaction():
            await join(space=world.space.id, member=world.member.id, now=datetime.now(UTC))
            actor = await world.reader()
            assert [space.name for space in await my_spaces(actor)] == ["Board"]
            raise RuntimeError("taken back")

    with pytest.raises(RuntimeError, match="taken back"):
        await taken_back()
    assert (await world.seen())[1] == []


async def test_audiences_of_sets_and_groups_are_noticed(world: World) -> None:
    assert (await world.seen())[0] == {EVERYONE}
    mine = await audience_of_set(members=[world.member.id])
    assert (await world.seen())[0] == {EVERYONE, mine}
    async with transaction():
        group = await PreparedSQL(
            "INSERT INTO member_group (slug, name, created) VALUES ('g', 'G', :now) RETURNING id"
        ).one(now=datetime.now(UTC))
    assert group is not None
    theirs = await audience_of_set(groups=[group["id"]])
    assert (await world.seen())[0] == {EVERYONE, mine}
    await PreparedSQL('INSERT INTO member_group_member ("group", member) VALUES (:group, :member)')(
        group=group["id"], member=world.member.id
    )
    assert (await world.seen())[0] == {EVERYONE, mine, theirs}


async def test_a_kept_answer_costs_no_query(world: World, engine_calls: Callable[[], Any]) -> None:
    await world.seen()
    with engine_calls() as calls:
        await world.seen()
    assert [sql for sql in calls if "space_member" in sql or "audience" in sql] == []
