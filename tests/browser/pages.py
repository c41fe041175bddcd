"""Every page there is, with the states it may be in, and how a browser comes to see it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Page, expect

Act = Callable[[Page], Awaitable[None]]


@dataclass(frozen=True)
class Shown:
    """A page in one state: its address, where `{}` names come from the cast, and what is done once it is open."""

    name: str
    route: str
    path: str
    who: str | None = "curator"
    status: int = 200
    then: Act | None = None
    width: int | None = None
    broken: str = ""

    @property
    def widths(self) -> tuple[int, ...]:
        """The widths this state exists at."""
        return (self.width,) if self.width else (1440, 390)

    def account(self, language: str) -> str | None:
        """The account that looks at it, one that reads in `language`."""
        if self.who == "member":
            return {"fr": "member@demo.example", "en": "daniel.whitfield@demo.example"}[language]
        return f"{self.who}.{language}@demo.example" if self.who else None


async def show(page: Page, shown: Shown, demo: Any, language: str) -> None:
    """Open a page in its state; its status is the one that was promised."""
    async with _repair if shown.broken else nullcontext():
        with _without(demo.folder, shown.broken):
            answer = await page.goto(shown.path.format(**demo.cast[language]))
    assert answer is not None
    assert answer.status == shown.status
    assert await page.locator("html").get_attribute("lang") == language
    if shown.then is not None:
        await shown.then(page)
    await settled(page)


async def settled(page: Page) -> None:
    """Wait until the fonts are there: widths and colours are measured with them."""
    await page.evaluate("document.fonts.ready.then(() => 0)")


_repair = asyncio.Lock()


@contextmanager
def _without(folder: Path, table: str) -> Iterator[None]:
    """Take a table away for a while, as a damaged database has it."""
    if not table:
        yield
        return
    with sqlite3.connect(folder / "data" / "parvis.db") as database:
        database.execute(f"ALTER TABLE {table} RENAME TO {table}_away")
    try:
        yield
    finally:
        with sqlite3.connect(folder / "data" / "parvis.db") as database:
            database.execute(f"ALTER TABLE {table}_away RENAME TO {table}")


# -- what is done once a page is open


def click(selector: str, *, then: str) -> Act:
    """Click something and wait for what it brings."""

    async def act(page: Page) -> None:
        await page.locator(selector).first.click()
        await expect(page.locator(then).first).to_be_visible()

    return act


def in_turn(*acts: Act) -> Act:
    async def act(page: Page) -> None:
        for each in acts:
            await each(page)

    return act


def fill(**values: str) -> Act:
    """Type into fields by their names, past what the browser would refuse itself."""

    async def act(page: Page) -> None:
        for form in await page.locator("form").all():
            await form.evaluate("form => { form.noValidate = true; }")
        for name, value in values.items():
            field = page.locator(f"[name={name}]:not([type=hidden])").first
            await field.evaluate("field => field.removeAttribute('maxlength')")
            await field.fill(value)

    return act


def send(selector: str) -> Act:
    """Send a form and wait for the summary of its faults."""
    return click(selector, then="[role=alert]")


async def stale(page: Page) -> None:
    """Make the form believe that it was opened long ago."""
    await page.locator("[name=version]").evaluate("field => { field.value = '0'; }")


async def upload(page: Page) -> None:
    """Send a picture and something that is none."""
    files: list[Any] = [
        {"name": f"{'long-' * 12}name.txt", "mimeType": "text/plain", "buffer": b"x"},
        {"name": "broken.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\nno picture"},
    ]  # fmt: skip
    await page.locator("#composer-upload").set_input_files(files)
    await expect(page.locator(".upload")).to_have_count(2)
    await expect(page.locator(".upload progress")).to_have_count(0)


OPEN = click("#composer-open", then="#composer-text")
ENTER = ".gate__in [type=submit]"
SAVE = ".form__f [type=submit]"
MENU = "#dialog[open] .menu"
LONG = "x" * 4000

PAGES = (
    Shown("sign-in", "sign_in", "/sign-in", who=None),
    Shown(
        "sign-in-refused", "sign_in", "/sign-in", who=None,
        then=in_turn(fill(email="nobody@demo.example", password="a wrong guess"), send(ENTER)),
    ),
    Shown("sign-in-again", "sign_in", "/sign-in?next=%2Fpeople", who=None),
    Shown("link", "sign_in.link", "/sign-in/link/{link}", who=None),
    Shown("link-used", "sign_in.link", "/sign-in/link/unknown", who=None, status=404),
    Shown("home", "home", "/"),
    Shown("home-mine", "home", "/?show=mine"),
    Shown("home-of-guest", "home", "/", who="guest"),
    Shown("composer", "spaces.show", "/spaces/{secret}", then=OPEN),
    Shown(
        "composer-refused", "spaces.show", "/spaces/{secret}",
        then=in_turn(OPEN, fill(title="Only a title", text=""), send("#composer .btn--go")),
    ),
    Shown(
        "composer-preview", "spaces.show", "/spaces/{secret}",
        then=in_turn(OPEN, fill(text="**bold**"), click("[name=preview]", then=".preview")),
    ),
    Shown("composer-files", "spaces.show", "/spaces/{secret}", then=in_turn(OPEN, upload)),
    Shown("compose", "feeds.compose", "/feeds/compose?space={secret}"),
    Shown("menu-of-me", "spaces.show", "/spaces/{secret}", then=click(".ibtn--me", then="#me-menu")),
    Shown(
        "keys", "spaces.show", "/spaces/{secret}", then=click("[popovertarget=keys]",
        then="#keys"), width=1440,
    ),
    Shown(
        "more-sheet", "spaces.show", "/spaces/{secret}", then=click("[popovertarget=more]",
        then="#more"), width=390,
    ),
    Shown("menu-of-post", "spaces.show", "/spaces/{secret}", then=click(".post__head .ibtn", then=MENU)),
    Shown("post", "content.show", "/c/{post}"),
    Shown("menu", "content.menu", "/c/{post}/menu"),
    Shown("edit", "feeds.edit", "/feeds/{post}/edit"),
    Shown(
        "edit-refused", "feeds.edit", "/feeds/{post}/edit",
        then=in_turn(fill(title=LONG), send(".composer__foot .btn--go")),
    ),
    Shown(
        "edit-conflict", "feeds.edit", "/feeds/{post}/edit",
        then=in_turn(stale, send(".composer__foot .btn--go")),
    ),
    Shown("spaces", "spaces.list", "/spaces"),
    Shown("spaces-mine-none", "spaces.list", "/spaces?show=mine", who="guest"),
    Shown("space-new", "spaces.new", "/spaces/new"),
    Shown(
        "space-refused", "spaces.new", "/spaces/new",
        then=in_turn(fill(name="", description=LONG), send(SAVE)),
    ),
    Shown("space", "spaces.show", "/spaces/{secret}"),
    Shown("space-empty", "spaces.show", "/spaces/{empty}"),
    Shown(
        "space-menu", "spaces.show", "/spaces/{secret}", then=click("[popovertarget=space-menu]",
        then="#space-menu"),
    ),
    Shown("space-to-join", "spaces.show", "/spaces/showroom-de-rennes"),
    Shown("space-closed", "spaces.show", "/spaces/cse", who="member"),
    Shown("about", "spaces.about", "/spaces/{secret}/about"),
    Shown("members", "spaces.members", "/spaces/toute-l-entreprise/members", who="member"),
    Shown("members-managed", "spaces.members", "/spaces/{secret}/members?add=mar"),
    Shown("members-none", "spaces.members", "/spaces/{secret}/members?q=zzzz&add=zzzz"),
    Shown("space-edit", "spaces.edit", "/spaces/toute-l-entreprise/edit"),
    Shown("directory", "people.directory", "/people"),
    Shown(
        "directory-filtered", "people.directory", "/people?site=Rennes", then=click(".filters__more summary",
        then=".filters__more .chip"),
    ),
    Shown(
        "directory-none", "people.directory", "/people", then=in_turn(fill(q="zzzz"), click("[name=q]",
        then="#people-results .empty")),
    ),
    Shown("profile", "people.profile", "/people/karim-benali"),
    Shown("profile-own", "people.profile", "/people/{handle}"),
    Shown("profile-edit", "people.edit", "/people/{handle}/edit"),
    Shown(
        "profile-refused", "people.edit", "/people/{handle}/edit",
        then=in_turn(fill(name="", about=LONG), send(SAVE)),
    ),
    Shown("preferences", "preferences", "/preferences"),
    Shown(
        "preferences-refused", "preferences", "/preferences",
        then=in_turn(fill(current="no", new="short", again="shorter"), send("#password [type=submit]")),
    ),
    Shown("modules", "admin.plugins", "/admin/plugins"),
    Shown(
        "module", "admin.plugins", "/admin/plugins", then=click("#module-feeds summary",
        then="#module-feeds .kv"),
    ),
    Shown("forbidden", "admin.plugins", "/admin/plugins", who="member", status=403),
    Shown("missing", "spaces.show", "/spaces/no-such-place", status=404),
    Shown("trouble", "feeds.edit", "/feeds/{post}/edit", status=503, broken="feeds_post"),
)  # fmt: skip

# Addresses that answer with no page: a route is either shown above or explained here.
NO_PAGES = {
    "feeds.more": "the next stretch for htmx; without it the address leads to home, which is shown",
    "files.show": "the bytes of a file",
    "health.ready": "words for programs",
    **dict.fromkeys(
        ("api.me", "api.people", "api.person", "api.spaces", "api.space", "api.contents", "api.content"),
        "JSON for programs",
    ),
}
