"""The property of access: no door shows a row that the rule does not, and list and door agree.

Random members, spaces, audiences and contents are made; what each reader may see is worked out here in plain Python,
apart from the SQL of the core, and compared with what every door answers.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from parvis.content import (
    EVERYONE,
    Written,
    access_content,
    audience_of_set,
    audience_of_space,
    feed,
    publish,
    readable_contents,
    remove,
)
from parvis.content.files import access_file, receive_file
from parvis.data import PreparedSQL
from parvis.errors import NotFound, ParvisError
from parvis.people.actions import add_member
from parvis.people.actor import SYSTEM, Actor
from parvis.people.passwords import hash_password
from parvis.spaces.actions import add_space_member, open_space
from parvis.spaces.tables import SpaceRow
from parvis.testing import PASSWORD, Visitor

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8cfc0f01f00"
    "05000201a5f645400000000049454e44ae426082"
)
ROLES = ("administrator", "moderator", "member", "member", "member", "guest")


@dataclass(eq=False)
class World:
    """What was made, as plain facts."""

    members: list[Any] = field(default_factory=list)
    spaces: list[SpaceRow] = field(default_factory=list)
    inside: dict[int, set[int]] = field(default_factory=dict)
    groups: dict[int, set[int]] = field(default_factory=dict)
    audiences: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    contents: dict[int, dict[str, Any]] = field(default_factory=dict)
    files: dict[int, int] = field(default_factory=dict)

    def reads(self, member: Any, audience: int) -> bool:
        """Whether a member belongs to an audience, by the words of the rule."""
        return any(self._part(member, part) for part in self.audiences[audience])

    def _part(self, member: Any, part: tuple[str, int]) -> bool:
        kind, subject = part
        whole = member.role != "guest"
        if kind == "everyone":
            return whole
        if kind == "space":
            space = next(space for space in self.spaces if space.id == subject)
            return member.id in self.inside[subject] or (space.kind == "open" and whole)
        if kind == "group":
            return member.id in self.groups[subject]
        return bool(subject == member.id)

    def shown(self, member: Any) -> set[int]:
        """What a member may read in lists."""
        return {
            content
            for content, told in self.contents.items()
            if told["state"] == "published" and self.reads(member, told["audience"])
        }

    def readable(self, member: Any) -> set[int]:
        """What a member may open: what lists show, and his own texts that wait."""
        return self.shown(member) | {
            content
            for content, told in self.contents.items()
            if told["state"] in ("held", "draft", "scheduled")
            and told["author"] == member.id
            and self.reads(member, told["audience"])
        }


def actor(member: Any, via: str = "session") -> Actor:
    return Actor(member=member.id, name=member.name, handle=member.handle, role=member.role, via=via)  # type: ignore[arg-type]


async def make_world(seed: int) -> World:
    chance = random.Random(seed)
    world = World()
    secret = await hash_password(PASSWORD)
    for number in range(8):
        role = ROLES[number] if number < len(ROLES) else chance.choice(ROLES)
        world.members.append(
            await add_member(
                SYSTEM,
                email=f"m{number}@example.org",
                name=f"Member {number}",
                role=role,
                password_hash=secret,
            )
        )
    insiders = [member for member in world.members if member.role != "guest"]
    for number, kind in enumerate(("open", "closed", "secret", chance.choice(("open", "closed", "secret")))):
        owner = chance.choice(insiders)
        space = await open_space(
            SYSTEM,
            {"name": f"Space {number}", "description": "", "kind": kind, "icon": "users", "hue": "pine"},
            owner=owner.id,
        )
        world.spaces.append(space)
        world.inside[space.id] = {owner.id}
        for member in world.members:
            if member.id != owner.id and chance.random() < 0.35:
                await add_space_member(SYSTEM, space, member.id)
                world.inside[space.id].add(member.id)
    await _groups(world, chance)
    await _audiences(world, chance)
    await _contents(world, chance)
    return world


async def _groups(world: World, chance: random.Random) -> None:
    add = PreparedSQL(
        "INSERT INTO member_group (slug, name, created) VALUES (:slug, :slug, CURRENT_TIMESTAMP) RETURNING id"
    )
    join = PreparedSQL('INSERT INTO member_group_member ("group", member) VALUES (:group_id, :member)')
    for number in range(2):
        row = await add.one(slug=f"group-{number}")
        assert row is not None
        world.groups[row["id"]] = set()
        for member in world.members:
            if chance.random() < 0.3:
                await join(group_id=row["id"], member=member.id)
                world.groups[row["id"]].add(member.id)


async def _audiences(world: World, chance: random.Random) -> None:
    world.audiences[EVERYONE] = (("everyone", 0),)
    for space in world.spaces:
        world.audiences[await audience_of_space(space.id)] = (("space", space.id),)
    for _ in range(5):
        spaces = chance.sample([space.id for space in world.spaces], chance.randint(0, 2))
        groups = chance.sample(list(world.groups), chance.randint(0, 1))
        members = chance.sample([member.id for member in world.members], chance.randint(1, 2))
        parts = (
            [("space", i) for i in spaces] + [("group", i) for i in groups] + [("member", i) for i in members]
        )
        world.audiences[await audience_of_set(spaces=spaces, groups=groups, members=members)] = tuple(parts)


async def _contents(world: World, chance: random.Random) -> None:
    add_post = PreparedSQL(
        "INSERT INTO feeds_post (source, html, rules, excerpt) VALUES (:text, :text, '', :text) RETURNING id"
    )
    set_state = PreparedSQL("UPDATE content SET state = :state WHERE id = :id")

    async def save() -> int:
        row = await add_post.one(text=f"secret text {chance.random()}")
        assert row is not None
        return int(row["id"])

    for number in range(30):
        author = chance.choice(world.members)
        audience = chance.choice(list(world.audiences))
        part = world.audiences[audience]
        space = next((s for s in world.spaces if len(part) == 1 and part[0] == ("space", s.id)), None)
        writer = Actor(member=author.id, name=author.name, role="system", via="system")
        file = await receive_file(writer, f"f{number}.png", _bytes())
        row = await publish(
            writer, type="feeds.post", permission="content.edit", audience=audience, space=space,
            written=Written(title=f"Title {number}", text=f"text {number}", files=[file.id]), save=save,
        )  # fmt: skip
        world.files[row.id] = file.id
        state = chance.choice(("published",) * 6 + ("held", "removed", "draft", "scheduled"))
        if state != "published":
            await set_state(id=row.id, state=state)
        world.contents[row.id] = {"author": author.id, "audience": audience, "state": state}


async def _bytes() -> Any:
    yield PNG


async def everything(read: Callable[..., Any]) -> list[int]:
    """Walk a paged list to its end."""
    found: list[int] = []
    before = None
    while True:
        stretch = await read(before)
        found += [row.id for row in stretch.rows]
        before = stretch.next
        if before is None:
            return found


@pytest.mark.parametrize("seed", range(6))
async def test_lists_and_doors_agree_with_the_rule(instance: Any, seed: int) -> None:
    world = await make_world(seed)
    for member in world.members:
        shown, readable = world.shown(member), world.readable(member)
        listed = await everything(lambda before, m=member: feed(actor(m), before=before, limit=7))
        assert set(listed) == shown
        assert len(listed) == len(set(listed))
        for space in world.spaces:
            rows = await everything(
                lambda before, m=member, s=space: feed(actor(m), space=s.id, before=before, limit=3)
            )
            assert set(rows) <= shown
        mine = await everything(lambda before, m=member: feed(actor(m), mine=True, before=before, limit=4))
        assert set(mine) <= shown
        many = await readable_contents(actor(member), list(world.contents))
        assert set(many) == readable
        for content, file in world.files.items():
            if content in readable:
                assert (await access_content(actor(member), content)).id == content
                assert (await access_file(actor(member), file)).content == content
            else:
                with pytest.raises(NotFound):
                    await access_content(actor(member), content)
                with pytest.raises(NotFound):
                    await access_file(actor(member), file)


@pytest.mark.parametrize("seed", [101, 102])
async def test_every_address_agrees_with_the_rule(
    instance: Any, visit: Callable[[], Visitor], seed: int
) -> None:
    world = await make_world(seed)
    for member in world.members:
        visitor = visit()
        await visitor.sign_in(member.email)
        readable = world.readable(member)
        for content, file in world.files.items():
            right = 200 if content in readable else 404
            for path in (f"/c/{content}", f"/c/{content}/menu", f"/api/v1/contents/{content}", f"/f/{file}"):
                answer = await visitor.get(path)
                known = world.contents[content]
                if path == f"/c/{content}" and known["state"] == "removed" and known["author"] == member.id:
                    # Its author is told that it was removed, as long as he may still read there.
                    assert answer.status_code in (404, 410)
                    continue
                assert answer.status_code == right, (path, member.role, known)
                if right == 404:
                    assert f"Title {content}" not in answer.text
            if content not in readable:
                for path in (f"/c/{content}/remove", f"/c/{content}/pin", f"/feeds/{content}/edit"):
                    assert (await visitor.post(path, {"text": "x", "version": "1"})).status_code == 404
        await _lists_of(visitor, world, member)


async def _lists_of(visitor: Visitor, world: World, member: Any) -> None:
    shown = world.shown(member)
    answer = (await visitor.get("/api/v1/contents?limit=100")).json()
    assert {item["id"] for item in answer["contents"]} == shown
    home = (await visitor.get("/")).text
    assert {content for content in world.contents if f'id="c-{content}"' in home} <= shown
    more = (await visitor.get("/feeds/more", headers={"HX-Request-Type": "partial"})).text
    assert {content for content in world.contents if f'id="c-{content}"' in more} <= shown
    for space in world.spaces:
        known = member.id in world.inside[space.id] or (member.role != "guest" and space.kind != "secret")
        read = member.id in world.inside[space.id] or (member.role != "guest" and space.kind == "open")
        for path in (f"/spaces/{space.slug}", f"/api/v1/spaces/{space.slug}"):
            page = await visitor.get(path)
            assert page.status_code == (200 if known else 404), (path, space.kind, member.role)
            assert {content for content in world.contents if f'id="c-{content}"' in page.text} <= shown
        found = await visitor.get(f"/api/v1/contents?space={space.slug}")
        assert found.status_code == (200 if read else 404)


async def test_what_was_removed_is_behind_no_door(instance: Any) -> None:
    world = await make_world(7)
    member = next(member for member in world.members if member.role == "moderator")
    content = next(iter(world.shown(member)))
    await remove(actor(member), content)
    for other in world.members:
        with pytest.raises(ParvisError):
            await access_content(actor(other), content)
        assert content not in [row.id for row in (await feed(actor(other), limit=100)).rows]
