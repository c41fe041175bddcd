"""The feed through its own doors: the forms and addresses a browser without script uses."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any

import pytest
from parvis.content import feed
from parvis.data import PreparedSQL, prepared
from parvis.people.actions import add_member
from parvis.people.actor import SYSTEM, Actor
from parvis.spaces.actions import add_space_member, open_space
from parvis.testing import PASSWORD, Visitor

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8cfc0f01f00"
    "05000201a5f645400000000049454e44ae426082"
)


@pytest.fixture
async def people(instance: Any) -> dict[str, Any]:
    found = {}
    for name, role in (("Ada", "member"), ("Bob", "member"), ("Cy", "guest"), ("Mo", "moderator")):
        found[name] = await add_member(
            SYSTEM,
            email=f"{name.lower()}@example.org",
            name=name,
            role=role,
            password=PASSWORD,
            language="en",
        )
    space = await open_space(
        SYSTEM,
        {"name": "Atelier", "description": "", "kind": "closed", "icon": "hammer", "hue": "clay"},
        owner=found["Ada"].id,
    )
    await add_space_member(SYSTEM, space, found["Cy"].id)
    found["space"] = space
    return found


async def signed_in(visit: Callable[[], Visitor], name: str) -> Visitor:
    visitor = visit()
    answer = await visitor.sign_in(f"{name.lower()}@example.org")
    assert answer.status_code == 303
    return visitor


def key_of(page: str) -> str:
    found = re.search(r'name="key" value="([^"]+)"', page)
    assert found is not None
    return found[1]


async def contents() -> list[dict[str, Any]]:
    return await PreparedSQL("SELECT id, title, state, audience, space FROM content ORDER BY id")()


async def test_a_post_goes_to_everyone_and_is_read_at_home(people: Any, visit: Any) -> None:
    ada, bob = await signed_in(visit, "Ada"), await signed_in(visit, "Bob")
    form = (await ada.get("/feeds/compose")).text
    sent = await ada.post(
        "/feeds/posts",
        {
            "audience": "everyone",
            "title": "Hello",
            "text": "**Bold** words <script>alert(1)</script>",
            "key": key_of(form),
        },
    )
    assert sent.status_code == 303
    home = (await bob.get("/")).text
    assert "<strong>Bold</strong>" in home
    assert "<script>alert" not in home
    permalink = await bob.get(sent.headers["location"])
    assert permalink.status_code == 200
    assert "Hello" in permalink.text


async def test_the_same_key_publishes_once(people: Any, visit: Any) -> None:
    ada = await signed_in(visit, "Ada")
    fields = {
        "audience": "everyone",
        "title": "",
        "text": "once",
        "key": key_of((await ada.get("/feeds/compose")).text),
    }
    first, second = await ada.post("/feeds/posts", fields), await ada.post("/feeds/posts", fields)
    assert first.headers["location"] == second.headers["location"]
    assert len(await contents()) == 1
    assert (await PreparedSQL("SELECT count(*) AS n FROM feeds_post")())[0]["n"] == 1


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"audience": "everyone", "text": "   "}, "Write something"),
        ({"audience": "", "text": "words I typed"}, "Choose who reads this"),
        ({"audience": "everyone", "text": "words I typed", "title": "t" * 200}, "160 characters"),
        ({"audience": "everyone", "text": "x" * 20_001}, "20,000 characters"),
    ],
)
async def test_wrong_fields_come_back_with_what_was_typed(
    people: Any, visit: Any, fields: Any, told: str
) -> None:
    ada = await signed_in(visit, "Ada")
    answer = await ada.post("/feeds/posts", {"title": "", "key": "k", **fields})
    assert answer.status_code == 422
    assert told in answer.text
    assert fields["text"].strip() in answer.text
    assert await contents() == []


async def test_a_space_of_others_is_no_audience(people: Any, visit: Any) -> None:
    bob, ada = await signed_in(visit, "Bob"), await signed_in(visit, "Ada")
    fields = {"title": "", "text": "let me in", "audience": people["space"].slug}
    refused = await bob.post("/feeds/posts", {**fields, "key": "b"})
    assert refused.status_code == 403
    assert await contents() == []
    assert (await ada.post("/feeds/posts", {**fields, "key": "a"})).status_code == 303
    assert "let me in" not in (await bob.get("/")).text
    assert "let me in" in (await ada.get("/")).text


async def test_a_guest_writes_in_his_space_alone(people: Any, visit: Any) -> None:
    guest = await signed_in(visit, "Cy")
    here = await guest.post(
        "/feeds/posts", {"title": "", "text": "from the guest", "audience": people["space"].slug, "key": "1"}
    )
    assert here.status_code == 303
    everyone = await guest.post(
        "/feeds/posts", {"title": "", "text": "to all", "audience": "everyone", "key": "2"}
    )
    assert everyone.status_code == 403


async def test_editing_needs_the_version_one_saw(people: Any, visit: Any) -> None:
    ada = await signed_in(visit, "Ada")
    await ada.post("/feeds/posts", {"audience": "everyone", "title": "", "text": "first", "key": "k"})
    (row,) = await contents()
    path = f"/feeds/{row['id']}/edit"
    assert (await ada.post(path, {"title": "", "text": "second", "version": "1"})).status_code == 303
    clash = await ada.post(path, {"title": "", "text": "my other text", "version": "1"})
    assert clash.status_code == 409
    assert "my other text" in clash.text
    assert "second" in clash.text
    assert "second" in (await ada.get(f"/c/{row['id']}")).text


async def test_only_the_author_edits_and_a_moderator_removes(people: Any, visit: Any) -> None:
    ada, bob, moderator = [await signed_in(visit, name) for name in ("Ada", "Bob", "Mo")]
    await ada.post("/feeds/posts", {"audience": "everyone", "title": "", "text": "mine", "key": "k"})
    (row,) = await contents()
    assert (await bob.get(f"/feeds/{row['id']}/edit")).status_code == 403
    assert (await bob.post(f"/c/{row['id']}/remove")).status_code == 403
    assert (await moderator.post(f"/c/{row['id']}/remove")).status_code == 303
    told = await ada.get(f"/c/{row['id']}")
    assert told.status_code == 410
    assert "moderator took it away" in told.text
    assert "mine" not in told.text
    assert (await bob.get(f"/c/{row['id']}")).status_code == 404
    assert (await ada.post(f"/c/{row['id']}/undo")).status_code == 403
    assert (await moderator.post(f"/c/{row['id']}/undo")).status_code == 303
    assert (await ada.get(f"/c/{row['id']}")).status_code == 200


async def test_removing_can_be_undone(people: Any, visit: Any) -> None:
    ada = await signed_in(visit, "Ada")
    await ada.post("/feeds/posts", {"audience": "everyone", "title": "", "text": "oops", "key": "k"})
    (row,) = await contents()
    gone = await ada.post(f"/c/{row['id']}/remove")
    assert gone.status_code == 303
    after = (await ada.get(gone.headers["location"])).text
    assert f"/c/{row['id']}/undo" in after
    assert 'id="c-' not in after
    assert (await ada.post(f"/c/{row['id']}/undo")).status_code == 303
    assert "oops" in (await ada.get("/")).text


async def test_pinned_posts_come_first(people: Any, visit: Any) -> None:
    ada = await signed_in(visit, "Ada")
    for number in range(3):
        await ada.post(
            "/feeds/posts",
            {"audience": people["space"].slug, "title": "", "text": f"n{number}", "key": str(number)},
        )
    first = (await contents())[0]
    assert (await ada.post(f"/c/{first['id']}/pin")).status_code == 303
    page = (await ada.get(f"/spaces/{people['space'].slug}")).text
    order = re.findall(r'<article[^>]* id="c-(\d+)"', page)
    assert order[0] == str(first["id"])
    assert len(order) == len(set(order)) == 3
    assert (await ada.post(f"/c/{first['id']}/unpin")).status_code == 303
    page = (await ada.get(f"/spaces/{people['space'].slug}")).text
    assert re.findall(r'<article[^>]* id="c-(\d+)"', page)[-1] == str(first["id"])


async def test_show_more_is_a_link_that_needs_no_script(people: Any, visit: Any) -> None:
    ada = await signed_in(visit, "Ada")
    for number in range(30):
        await ada.post(
            "/feeds/posts",
            {"audience": "everyone", "title": "", "text": f"text number {number}.", "key": str(number)},
        )
    first = (await ada.get("/")).text
    assert "text number 29." in first
    assert "text number 4." not in first
    link = re.search(r'id="feed-next">\s*<a class="btn" href="([^"]+)" hx-get="([^"]+)"', first)
    assert link is not None
    page, part = (found.replace("&amp;", "&") for found in link.groups())
    second = (await ada.get(page)).text
    assert "text number 4." in second
    assert "text number 29." not in second
    swapped = await ada.get(part, headers=PARTIAL)
    assert "text number 0." in swapped.text
    assert "<html" not in swapped.text
    assert swapped.headers["vary"].startswith("HX-Request-Type")


async def test_filters_keep_to_my_spaces_or_one_type(people: Any, visit: Any) -> None:
    ada = await signed_in(visit, "Ada")
    await ada.post("/feeds/posts", {"audience": "everyone", "title": "", "text": "for all of us", "key": "1"})
    await ada.post(
        "/feeds/posts",
        {"audience": people["space"].slug, "title": "", "text": "for the workshop", "key": "2"},
    )
    mine = (await ada.get("/?show=mine")).text
    assert "for the workshop" in mine
    assert "for all of us" not in mine
    assert "for all of us" in (await ada.get("/?show=feeds.post")).text
    assert "for all of us" not in (await ada.get("/?show=polls.poll")).text


async def test_a_picture_comes_along_without_script(people: Any, visit: Any) -> None:
    ada, bob = await signed_in(visit, "Ada"), await signed_in(visit, "Bob")
    sent = await ada.post(
        "/feeds/posts",
        {"audience": "everyone", "title": "", "text": "look", "key": "k"},
        files={"upload": ("photo.png", PNG, "image/png")},
    )
    assert sent.status_code == 303
    page = (await bob.get("/")).text
    address = re.search(r'src="(/f/\d+)\?size=960"', page)
    assert address is not None
    picture = await bob.get(address[1])
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/webp")


async def test_a_file_that_is_no_picture_comes_back_at_its_field(people: Any, visit: Any) -> None:
    ada = await signed_in(visit, "Ada")
    answer = await ada.post(
        "/feeds/posts",
        {"audience": "everyone", "title": "", "text": "kept text", "key": "k"},
        files={"upload": ("photo.png", b"<html><script>alert(1)</script>", "image/png")},
    )
    assert answer.status_code == 422
    assert "kept text" in answer.text
    assert await contents() == []


async def test_a_new_card_comes_where_its_composer_stands(people: Any, visit: Any) -> None:
    ada = await signed_in(visit, "Ada")

    async def sent(page: str, audience: str) -> Any:
        fields = {"audience": audience, "title": "", "text": "here it is", "key": f"{page} {audience}"}
        return await ada.post(
            "/feeds/posts", fields, headers={**PARTIAL, "Referer": f"http://localhost:8000{page}"}
        )

    for page, audience in (
        ("/", "everyone"), ("/?show=all", "everyone"), ("/", "atelier"), ("/spaces/atelier", "atelier"),
    ):  # fmt: skip
        answer = await sent(page, audience)
        assert answer.status_code == 200, page
        assert 'hx-target="#feed"' in answer.text
        assert "here it is" in answer.text
    for page, audience in (
        ("/feeds/compose", "everyone"), ("/feeds/compose?space=atelier", "atelier"), ("/spaces/atelier", "everyone"),
    ):  # fmt: skip
        answer = await sent(page, audience)
        assert answer.status_code == 204, page
        assert re.fullmatch(r"/c/\d+", answer.headers["hx-redirect"])


async def test_a_preview_is_what_will_be_shown(people: Any, visit: Any) -> None:
    ada = await signed_in(visit, "Ada")
    part = await ada.post("/feeds/preview", {"text": "*leaning*"}, headers=PARTIAL)
    assert "<em>leaning</em>" in part.text
    whole = await ada.post(
        "/feeds/posts", {"audience": "everyone", "text": "*leaning*", "title": "", "key": "k", "preview": "1"}
    )
    assert whole.status_code == 200
    assert "<em>leaning</em>" in whole.text
    assert await contents() == []


async def test_strangers_are_asked_to_sign_in(people: Any, visit: Any) -> None:
    stranger = visit()
    for path in ("/", "/feeds/compose", "/feeds/more"):
        answer = await stranger.get(path)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/sign-in")
    assert (await stranger.post("/feeds/posts", {"text": "x", "audience": "everyone"})).status_code == 303
    assert await contents() == []


async def test_a_forged_form_changes_nothing(people: Any, visit: Any) -> None:
    ada = await signed_in(visit, "Ada")
    fields = {"audience": "everyone", "title": "", "text": "forged", "key": "k"}
    assert (await ada.http.post("/feeds/posts", data=fields)).status_code == 403
    assert (await ada.http.post("/feeds/posts", data={**fields, "csrf": "wrong"})).status_code == 403
    elsewhere = await ada.post("/feeds/posts", fields, headers={"Sec-Fetch-Site": "cross-site"})
    assert elsewhere.status_code == 403
    assert await contents() == []
    assert (
        await ada.post("/feeds/posts", fields, headers={"Sec-Fetch-Site": "same-origin"})
    ).status_code == 303


async def test_the_feed_costs_a_fixed_number_of_queries(
    people: Any, visit: Any, engine_calls: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As after a writing: nothing that was read before is used again.
    monkeypatch.setattr(prepared, "monotonic", itertools.count().__next__)
    ada = await signed_in(visit, "Ada")
    counts = []
    for number in range(12):
        await ada.post(
            "/feeds/posts", {"audience": "everyone", "title": "", "text": f"{number}", "key": str(number)}
        )
        if number in (1, 11):
            await ada.get("/")
            with engine_calls() as calls:
                await ada.get("/")
            counts.append(len(calls))
    assert counts[0] == counts[1] <= 10


async def test_the_list_the_feed_shows_is_the_spines(people: Any, visit: Any) -> None:
    ada = await signed_in(visit, "Ada")
    await ada.post("/feeds/posts", {"audience": "everyone", "title": "", "text": "one", "key": "1"})
    member = people["Ada"]
    rows = (await feed(Actor(member=member.id, role="member", via="session"))).rows
    assert [row.id for row in rows] == [row["id"] for row in await contents()]
