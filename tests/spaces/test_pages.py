"""The pages of spaces over HTTP: who is shown what, joining and leaving, members and roles, settings."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from parvis.people.actions import add_member
from parvis.people.actor import SYSTEM, Actor
from parvis.people.tables import MemberRow
from parvis.spaces.access import access_space
from parvis.spaces.actions import add_space_member, open_space
from parvis.spaces.tables import Space, SpaceMember, SpaceRow
from parvis.testing import PASSWORD, Visitor
from PIL import Image

Visit = Callable[[], Visitor]


async def _add(name: str, role: str = "member") -> MemberRow:
    return await add_member(
        SYSTEM, name=name, email=f"{name.lower()}@example.org", role=role, password=PASSWORD, language="en"
    )


async def _signed_in(visit: Visit, row: MemberRow) -> Visitor:
    visitor = visit()
    await visitor.sign_in(row.email)
    return visitor


async def _space(owner: MemberRow, **values: Any) -> SpaceRow:
    return await open_space(SYSTEM, {"name": "Atelier", **values}, owner=owner.id)


def _plain(text: str) -> str:
    """Return a page without masked tokens and numbers of requests."""
    return re.sub(r"[A-Za-z0-9_-]{80,}|[0-9a-f]{16}", "", text)


PARTS = ("", "/about", "/members", "/edit")
ACTIONS = ("/edit", "/join", "/leave", "/members", "/members/1/role", "/members/1/remove")


async def test_a_secret_space_is_a_404_at_every_address(visit: Visit) -> None:
    owner = await _add("Owner")
    secret, closed = (
        await _space(owner, name="Fusion", kind="secret"),
        await _space(owner, name="Direction", kind="closed"),
    )
    inside = await _signed_in(visit, owner)
    for name, role in (("Boss", "administrator"), ("Plain", "member"), ("Guest", "guest")):
        visitor = await _signed_in(visit, await _add(name, role))
        nothing = _plain((await visitor.get("/spaces/no-such-space")).text)
        for part in PARTS:
            answer = await visitor.get(f"/spaces/{secret.slug}{part}")
            assert answer.status_code == 404
            assert part or _plain(answer.text) == nothing
            assert (await inside.get(f"/spaces/{secret.slug}{part}")).status_code == 200
        for part in ACTIONS:
            assert (await visitor.post(f"/spaces/{secret.slug}{part}", {"member": "1"})).status_code == 404
        for path in ("/spaces", "/", f"/people/{owner.handle}"):
            assert "Fusion" not in (await visitor.get(path)).text
        listed = "Direction" in (await visitor.get("/spaces")).text
        assert listed is (role != "guest")
        assert (await visitor.get(f"/spaces/{closed.slug}/about")).status_code == (200 if listed else 404)
    assert "Fusion" in (await inside.get("/spaces")).text
    assert await SpaceMember.role_of(secret.id, owner.id) == "owner"


async def test_a_closed_space_names_whom_to_ask_but_not_its_members(visit: Visit) -> None:
    owner, other = await _add("Olga"), await _add("Hidden")
    space = await _space(owner, kind="closed")
    await add_space_member(SYSTEM, space, other.id)
    visitor = await _signed_in(visit, await _add("Plain"))
    about = await visitor.get("/spaces/atelier/about")
    assert "Olga" in about.text
    assert "Hidden" not in about.text
    assert (await visitor.get("/spaces/atelier/members")).headers["location"] == "/spaces/atelier/about"
    assert (await visitor.post("/spaces/atelier/join")).status_code == 403
    assert "Hidden" in (await (await _signed_in(visit, owner)).get("/spaces/atelier/members")).text


async def test_an_open_space_is_joined_and_left(visit: Visit) -> None:
    me = await _add("Me")
    space = await _space(await _add("Owner"))
    visitor = await _signed_in(visit, me)
    page = await visitor.get("/spaces/atelier")
    assert 'formaction="/spaces/atelier/join"' in page.text
    answer = await visitor.post("/spaces/atelier/join")
    assert (answer.status_code, answer.headers["location"]) == (303, "/spaces/atelier")
    page = await visitor.get("/spaces/atelier")
    assert "You are a member of Atelier now." in page.text
    assert 'formaction="/spaces/atelier/leave"' in page.text
    assert "Atelier" in (await visitor.get("/spaces?show=mine")).text
    assert (await visitor.post("/spaces/atelier/leave")).status_code == 303
    assert await SpaceMember.role_of(space.id, me.id) is None
    assert (await visitor.post("/spaces/atelier/leave")).status_code == 404


async def test_the_last_owner_is_told_to_name_another(visit: Visit) -> None:
    owner = await _add("Owner")
    space = await _space(owner)
    visitor = await _signed_in(visit, owner)
    for path in ("/spaces/atelier/leave", f"/spaces/atelier/members/{owner.id}/remove"):
        answer = await visitor.post(path)
        assert answer.status_code == 409
        assert "Put somebody else in charge first" in answer.text
    assert await SpaceMember.role_of(space.id, owner.id) == "owner"


async def test_opening_keeps_what_was_typed_and_guests_open_none(visit: Visit) -> None:
    visitor = await _signed_in(visit, await _add("Me"))
    assert (await visitor.get("/spaces/new")).status_code == 200
    bad = {"name": "", "description": "Du <bois>", "kind": "secret", "icon": "leaf", "hue": "moss"}
    answer = await visitor.post("/spaces/new", bad)
    assert answer.status_code == 422
    assert "Du &lt;bois&gt;" in answer.text
    assert re.search(r'value="secret"[^>]* checked', answer.text)
    answer = await visitor.post("/spaces/new", {**bad, "name": "Bois"})
    assert answer.headers["location"] == "/spaces/bois"
    space = await Space.with_slug("bois")
    assert space is not None
    assert (space.kind, space.icon, space.hue, space.members_count) == ("secret", "leaf", "moss", 1)
    guest = await _signed_in(visit, await _add("Guest", "guest"))
    assert (await guest.get("/spaces/new")).status_code == 403
    assert (await guest.post("/spaces/new", {**bad, "name": "X"})).status_code == 403
    assert "/spaces/new" not in (await guest.get("/spaces")).text


async def test_settings_are_the_owners_and_old_addresses_lead_on(visit: Visit) -> None:
    owner, me = await _add("Owner"), await _add("Me")
    space = await _space(owner)
    await add_space_member(SYSTEM, space, me.id)
    boss, member = await _signed_in(visit, owner), await _signed_in(visit, me)
    fields = {"name": "Bois", "kind": "open", "icon": "leaf", "hue": "moss", "slug": "bois", "version": "1"}
    assert (await member.get("/spaces/atelier/edit")).status_code == 403
    assert (await member.post("/spaces/atelier/edit", fields)).status_code == 403
    answer = await boss.post("/spaces/atelier/edit", {**fields, "slug": "a b"})
    assert answer.status_code == 422
    assert 'value="a b"' in answer.text
    answer = await boss.post("/spaces/atelier/edit", fields)
    assert answer.headers["location"] == "/spaces/bois"
    for part in ("", "/about", "/members?q=x"):
        moved = await member.get(f"/spaces/atelier{part}")
        assert (moved.status_code, moved.headers["location"]) == (302, f"/spaces/bois{part}")
    # A window opened before the change is told so.
    answer = await boss.post("/spaces/bois/edit", {**fields, "name": "Ancien"})
    assert answer.status_code == 422
    assert "another window" in answer.text


async def test_a_cover_is_cut_and_read_by_who_knows_of_the_space(visit: Visit) -> None:
    out = io.BytesIO()
    Image.new("RGB", (1300, 500), "green").save(out, "JPEG")
    visitor = await _signed_in(visit, await _add("Owner"))
    fields = {"name": "Fusion", "kind": "secret", "icon": "leaf", "hue": "moss"}
    answer = await visitor.post(
        "/spaces/new", fields, files={"cover": ("c.jpg", out.getvalue(), "image/jpeg")}
    )
    assert answer.status_code == 303
    found = re.search(r'src="(/f/\d+\?size=\d+)"', (await visitor.get("/spaces/fusion")).text)
    assert found is not None
    assert (await visitor.get(found[1])).headers["content-type"] == "image/webp"
    stranger = await _signed_in(visit, await _add("Boss", "administrator"))
    assert (await stranger.get(found[1])).status_code == 404
    bad = {"cover": ("c.jpg", b"not a picture", "image/jpeg")}
    answer = await visitor.post(
        "/spaces/fusion/edit", {**fields, "slug": "fusion", "version": "1"}, files=bad
    )
    assert answer.status_code == 422
    assert 'class="err"' in answer.text


async def test_owners_add_people_give_roles_and_take_them_out(visit: Visit) -> None:
    owner, me, other = await _add("Owner"), await _add("Candidate"), await _add("Other")
    space = await _space(owner, kind="secret")
    await add_space_member(SYSTEM, space, other.id)
    boss, member = await _signed_in(visit, owner), await _signed_in(visit, other)
    page = await boss.get("/spaces/atelier/members?add=candid")
    assert f'name="member" value="{me.id}"' in page.text
    assert f'value="{other.id}"' not in (await boss.get("/spaces/atelier/members?add=other")).text
    assert 'id="add"' not in (await member.get("/spaces/atelier/members?add=candid")).text
    steps = (
        ("/spaces/atelier/members", {"member": str(me.id)}, "member"),
        (f"/spaces/atelier/members/{me.id}/role", {"role": "moderator"}, "moderator"),
        (f"/spaces/atelier/members/{me.id}/remove", {}, None),
    )
    for path, fields, role in steps:
        before = await SpaceMember.role_of(space.id, me.id)
        assert (await member.post(path, fields)).status_code == 403
        assert await SpaceMember.role_of(space.id, me.id) == before
        assert (await boss.post(path, fields)).status_code == 303
        assert await SpaceMember.role_of(space.id, me.id) == role
    assert (
        await boss.post(f"/spaces/atelier/members/{other.id}/role", {"role": "emperor"})
    ).status_code == 422
    for path, fields in (
        ("/spaces/atelier/members", {"member": "999999"}),
        ("/spaces/atelier/members", {}),
        ("/spaces/atelier/members/999999/remove", {}),
    ):
        assert (await boss.post(path, fields)).status_code == 404


async def test_a_page_of_members_costs_the_same_however_many(visit: Visit, queries: Any) -> None:
    owner = await _add("Owner")
    space = await _space(owner)
    visitor = await _signed_in(visit, owner)
    costs = []
    for round_ in range(2):
        for number in range(10):
            row = await _add(f"Person{round_}{number}")
            await add_space_member(SYSTEM, space, row.id)
        for path in ("/spaces/atelier/members", "/spaces", "/people"):
            await visitor.get(path)
            with queries() as seen:
                assert (await visitor.get(path)).status_code == 200
            costs.append((path, len(seen)))
    assert costs[:3] == costs[3:]


@pytest.mark.parametrize("role", ["member", "guest"])
async def test_being_taken_out_of_a_secret_space_ends_it_at_once(visit: Visit, role: str) -> None:
    owner, me = await _add("Owner"), await _add("Me", role)
    space = await _space(owner, kind="secret")
    await add_space_member(SYSTEM, space, me.id)
    boss, visitor = await _signed_in(visit, owner), await _signed_in(visit, me)
    assert (await visitor.get("/spaces/atelier")).status_code == 200
    await boss.post(f"/spaces/atelier/members/{me.id}/remove")
    assert (await visitor.get("/spaces/atelier")).status_code == 404
    reader = Actor(member=owner.id, role="member")
    assert (await access_space(reader, "atelier")).members_count == 1
