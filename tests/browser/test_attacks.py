"""Attacks that members write anywhere a text is taken: nothing of them runs where a browser shows it."""

from __future__ import annotations

import importlib.util
import re
import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pytest
from parvis.testing import Visitor
from playwright.async_api import Page, expect

from .community import DEMO_PASSWORD
from .conftest import Demo, Open

pytestmark = pytest.mark.asyncio(loop_scope="session")

_path = Path(__file__).parents[1] / "services" / "xss_vectors.py"
_spec = importlib.util.spec_from_file_location("xss_vectors", _path)
assert _spec is not None
assert _spec.loader is not None
xss_vectors = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(xss_vectors)

FIRED = "window.alert = (what) => { window.fired = (window.fired || 0) + 1; window.parvisReport(`alert(${what})`); };"
# What short fields are attacked with: out of an element, out of an attribute, out of a script, out of the template.
SHORT = "\"'><img src=x onerror=alert(2)><script>alert(3)</script>{{7*7}}"
SHORTER = "<img src=x onerror=alert(4)>"
# What user text may become, told from outside: no scheme that runs, no handler, no form, nothing for htmx.
LEFT = """() => [...document.querySelectorAll("main *")].flatMap((node) => [...node.attributes]
  .filter(({ name, value }) => /^on/i.test(name) || (/^(href|src|action|formaction|srcdoc|data)$/i.test(name)
    && /^[\\s\\x00-\\x20]*(javascript|vbscript|data):/i.test(value)))
  .map(({ name, value }) => `${node.tagName} ${name}=${value}`))
  .concat([...document.querySelectorAll(".prose :is(script, style, iframe, object, embed, form, button, base, meta, "
    + "link, svg, math, template, video, audio), .prose [hx-get], .prose [hx-post], .prose [hx-on], .prose [style], "
    + ".prose [id]:not([id^=c-]), .prose [name], .prose [data-hx-get]")].map((node) => node.outerHTML))"""


def attacker(demo: Demo, skip: int) -> tuple[str, str]:
    """Return e-mail and handle of a member whom no other test needs."""
    with sqlite3.connect(demo.folder / "data" / "parvis.db") as database:
        row = database.execute(
            "SELECT email, handle FROM member WHERE role = 'member' AND state = 'active'"
            " AND email LIKE '%@demo.example' ORDER BY id DESC LIMIT 1 OFFSET ?",
            (10 + skip,),
        ).fetchone()
    return row[0], row[1]


async def signed_in(demo: Demo, client: httpx.AsyncClient, email: str) -> Visitor:
    visitor = Visitor(client)
    await visitor.sign_in(email, DEMO_PASSWORD)
    demo.sessions[email] = client.cookies["parvis_session"]
    return visitor


async def space_of(visitor: Visitor, name: str, description: str) -> str:
    fields = {"name": name, "description": description, "kind": "secret", "icon": "hammer", "hue": "plum"}
    await visitor.get("/spaces/new")
    answer = await visitor.post("/spaces/new", fields)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].partition("?")[0].rpartition("/")[2]


async def published(visitor: Visitor, space: str, key: str, **fields: str) -> int:
    answer = await visitor.post("/feeds/posts", {"audience": space, "title": "", "key": key, **fields})
    assert answer.status_code == 303, (fields, answer.status_code)
    return int(answer.headers["location"].rpartition("/")[2])


async def harmless(page: Page, path: str) -> None:
    answer = await page.goto(path)
    assert answer is not None
    assert answer.status < 400, path
    await page.mouse.move(400, 400)
    await page.wait_for_load_state("networkidle")
    assert await page.evaluate(LEFT) == []
    assert await page.evaluate("window.fired || 0") == 0


async def test_the_corpus_fires_where_nothing_cleans_it(visit: Open, watch: Any) -> None:
    """The control: a page without cleaning and without policy, which the same listener watches."""
    page = await visit()
    await page.add_init_script(FIRED)

    async def naive(route: Any) -> None:
        number = int(route.request.url.rpartition("/")[2])
        body = f"<!doctype html><title>naive</title><main class=prose>{xss_vectors.RAW_HTML[number]}</main>"
        await route.fulfill(content_type="text/html", body=body)

    # Its pictures and scripts are nowhere.
    await page.route("**/*", lambda route: route.abort())
    await page.route(re.compile(r"/naive/\d+$"), naive)
    fired, left = 0, 0
    for number in range(60):
        await page.goto(f"/naive/{number}", wait_until="load")
        fired += bool(await page.evaluate("window.fired || 0"))
        left += bool(await page.evaluate(LEFT))
    assert fired >= 15
    assert left >= 40
    assert len([report for report in watch.reports if report.startswith("alert(")]) >= fired
    watch.reports.clear()


async def test_nothing_that_is_written_runs(visit: Open, demo: Demo) -> None:
    email, _ = attacker(demo, 0)
    async with httpx.AsyncClient(base_url=demo.url) as client:
        visitor = await signed_in(demo, client, email)
        space = await space_of(visitor, "Texts", "Every attack that is known.")
        posts = [
            await published(visitor, space, f"attack-{number}", text=source)
            for number, source in enumerate(xss_vectors.VECTORS)
            if source.strip()
        ]
    page = await visit(email)
    await page.add_init_script(FIRED)
    path, seen = f"/spaces/{space}", 0
    while path:
        await harmless(page, path)
        seen += await page.locator("#feed > .post").count()
        more = page.locator("#feed-next a")
        path = await more.get_attribute("href") or "" if await more.count() else ""
    assert seen == len(posts)
    # One by one too: a page of many may end before the last one acts.
    for post in posts[::9]:
        await harmless(page, f"/c/{post}")
    # In the preview, where htmx puts the answer into the page.
    await page.goto(f"/spaces/{space}")
    await page.locator("#composer-open").click()
    for source in (*xss_vectors.RAW_HTML[::8], *xss_vectors.HTMX, *xss_vectors.MARKDOWN[::6]):
        await page.locator("#composer-text").fill(source)
        async with page.expect_response(re.compile("/feeds/")) as shown:
            await page.locator("[name=preview]").click()
        assert (await shown.value).status == 200
        await expect(page.locator(".preview")).to_have_count(1)
        assert await page.evaluate(LEFT) == []
    assert await page.evaluate("window.fired || 0") == 0


async def test_no_field_runs_either(visit: Open, demo: Demo) -> None:
    """Names, titles, descriptions, file names, alternative texts, searches: short fields, shown in many places."""
    email, handle = attacker(demo, 1)
    async with httpx.AsyncClient(base_url=demo.url) as client:
        visitor = await signed_in(demo, client, email)
        space = await space_of(visitor, SHORT, SHORT)
        edit = (await visitor.get(f"/people/{handle}/edit")).text
        version = re.search(r'name="version" value="(\d+)"', edit)
        assert version is not None
        names = set(re.findall(r'<(?:input|textarea)[^>]* name="(\w+)"', edit)) - {
            "csrf",
            "version",
            "picture",
        }
        fields = dict.fromkeys(names - {"remove_picture", "handle"}, SHORT)
        fields |= dict.fromkeys(("pronouns", "phone", "skills"), SHORTER)
        answer = await visitor.post(f"/people/{handle}/edit", {**fields, "version": version[1]})
        assert answer.status_code == 303, answer.text
        files = {"upload": (SHORT.replace("/", "∕") + ".txt", b"text", "text/plain")}
        answer = await client.post("/feeds/posts", data={
            "csrf": visitor.token, "audience": space, "title": SHORT, "text": SHORT, "key": "short",
        }, files=files)  # fmt: skip
        assert answer.status_code == 303, answer.text
        post = int(answer.headers["location"].rpartition("/")[2])
    page = await visit(email)
    await page.add_init_script(FIRED)
    await harmless(page, f"/c/{post}")
    await expect(page.locator(".post").first).to_contain_text("{{7*7}}")
    for path in (
        "/", f"/spaces/{space}", f"/spaces/{space}/about", f"/spaces/{space}/members", f"/spaces/{space}/edit",
        "/spaces", f"/people/{handle}", f"/people/{handle}/edit", f"/feeds/{post}/edit", "/preferences",
        f"/feeds/compose?space={space}",
    ):  # fmt: skip
        await harmless(page, path)
    await page.goto("/people")
    await page.locator(".search input[name=q]").fill(SHORT)
    await expect(page.locator("#people-results")).to_be_visible()
    await page.locator(".search input[name=q]").press("Enter")
    await page.wait_for_load_state("networkidle")
    assert await page.evaluate(LEFT) == []
    assert await page.evaluate("window.fired || 0") == 0
