"""A plugin that is switched off is gone from the pages at once, and back at once, with no restart."""

from __future__ import annotations

from typing import Any

from parvis.people.actions import add_member
from parvis.people.actor import SYSTEM
from parvis.testing import PASSWORD


async def test_switching_shows_on_the_next_request(instance: Any, visit: Any) -> None:
    await add_member(SYSTEM, name="Ada Lovelace", email="ada@example.org", password=PASSWORD)
    visitor = visit()
    await visitor.sign_in("ada@example.org")
    assert (await visitor.get("/feeds/compose")).status_code == 200
    assert 'id="feed' in (await visitor.get("/")).text

    await instance.plugins.disable("feeds")
    for path in ("/feeds/compose", "//feeds/compose", "/feeds"):
        assert (await visitor.get(path)).status_code == 404
    home = await visitor.get("/")
    assert home.status_code == 200
    assert 'id="feed' not in home.text

    await instance.plugins.enable("feeds")
    assert (await visitor.get("/feeds/compose")).status_code == 200
    assert 'id="feed' in (await visitor.get("/")).text
