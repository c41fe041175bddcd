"""Pictures of a post say what they show, for those who do not see them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from parvis.data import PreparedSQL
from parvis.people.actions import add_member
from parvis.people.actor import SYSTEM
from parvis.testing import PASSWORD, Visitor

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8cfc0f01f00"
    "05000201a5f645400000000049454e44ae426082"
)


@pytest.fixture
async def ada(instance: Any, visit: Any) -> Visitor:
    await add_member(SYSTEM, email="ada@example.org", name="Ada", password=PASSWORD, language="en")
    visitor: Visitor = visit()
    await visitor.sign_in("ada@example.org")
    return visitor


async def sent(ada: Visitor) -> int:
    answer = await ada.http.put(
        "/files", content=PNG, headers={"X-CSRF-Token": ada.token, "X-File-Name": "stairs.png"}
    )
    assert answer.status_code == 201
    number: int = answer.json()["id"]
    return number


async def test_what_a_picture_shows_is_kept_and_changed_with_its_post(ada: Visitor) -> None:
    await ada.get("/feeds/compose")
    file = await sent(ada)
    fields = {"audience": "everyone", "title": "", "text": "done", "key": "k", "file": str(file)}
    answer = await ada.post("/feeds/posts", {**fields, f"alt-{file}": 'Oak "stairs" <b>'})
    assert answer.status_code == 303
    page = (await ada.get(answer.headers["location"])).text
    assert 'alt="Oak &#34;stairs&#34; &lt;b&gt;"' in page

    content = int(answer.headers["location"].rpartition("/")[2])
    editor = (await ada.get(f"/feeds/{content}/edit")).text
    assert f'name="alt-{file}" value="Oak &#34;stairs&#34; &lt;b&gt;"' in editor
    version = re.search(r'name="version" value="(\d+)"', editor)
    assert version is not None
    answer = await ada.post(
        f"/feeds/{content}/edit",
        {"title": "", "text": "done", "version": version[1], "file": str(file), f"alt-{file}": "Stairs"},
    )
    assert answer.status_code == 303
    assert 'alt="Stairs"' in (await ada.get(f"/c/{content}")).text


async def test_what_was_typed_comes_back_with_a_refused_form(ada: Visitor) -> None:
    await ada.get("/feeds/compose")
    file = await sent(ada)
    fields = {"audience": "", "title": "", "text": "", "key": "k", "file": str(file), f"alt-{file}": "Stairs"}
    answer = await ada.post("/feeds/posts", fields)
    assert answer.status_code == 422
    assert f'name="alt-{file}" value="Stairs"' in answer.text


async def test_everything_to_mend_is_told_at_once(ada: Visitor) -> None:
    answer = await ada.post("/feeds/posts", {"audience": "", "title": "", "text": "", "key": "k"})
    assert answer.status_code == 422
    assert "Choose who reads this." in answer.text
    assert "Write something" in answer.text


async def test_nobody_describes_a_picture_of_somebody_else(ada: Visitor, visit: Any) -> None:
    await ada.get("/feeds/compose")
    file = await sent(ada)
    fields = {"audience": "everyone", "title": "", "text": "x", "key": "k", "file": str(file)}
    assert (await ada.post("/feeds/posts", {**fields, f"alt-{file}": "Mine"})).status_code == 303
    await add_member(SYSTEM, email="bob@example.org", name="Bob", password=PASSWORD, language="en")
    bob: Visitor = visit()
    await bob.sign_in("bob@example.org")
    answer = await bob.post(
        "/feeds/posts",
        {"audience": "everyone", "title": "", "text": "y", "key": "k", f"alt-{file}": "Changed"},
    )
    assert answer.status_code == 303
    stolen = {
        "audience": "everyone",
        "title": "",
        "text": "z",
        "key": "l",
        "file": str(file),
        f"alt-{file}": "Changed",
    }
    assert (await bob.post("/feeds/posts", stolen)).status_code == 422
    row = await PreparedSQL("SELECT alt FROM file WHERE id = :id").one(id=file)
    assert row == {"alt": "Mine"}
