"""Fixtures of the browser tests: one community, one server and one Chromium a worker, a context a visit.

Everything runs in the session's event loop, which the browser is tied to: test modules here mark themselves with
`pytest.mark.asyncio(loop_scope="session")`.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import axe_playwright_python
import httpx
import pytest
import pytest_asyncio
from parvis.config import load_config
from parvis.testing import PASSWORD, Visitor, served
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from . import community
from .watching import Watch


@dataclass
class Demo:
    """The served community: its address, who owns what in each language, and sessions that are open already."""

    url: str
    folder: Path
    cast: dict[str, dict[str, Any]]
    sessions: dict[str, str] = field(default_factory=dict)

    async def session(self, who: str) -> str:
        """Return the session of an account, signing in once: each sign-in costs, and there is a limit."""
        if who not in self.sessions:
            async with httpx.AsyncClient(base_url=self.url) as client:
                password = PASSWORD if who in PASSWORDS else community.DEMO_PASSWORD
                await Visitor(client).sign_in(who, password)
                self.sessions[who] = client.cookies["parvis_session"]
        return self.sessions[who]


AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
PASSWORDS = {f"{who}.{language}@demo.example" for who in ("curator", "guest") for language in ("fr", "en")}
Open = Callable[..., Awaitable[Page]]


async def _template(base: Path) -> Path:
    """Return the seeded community, made by the first worker that asks."""
    folder = base / "community"
    with (base / "community.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "cast.json").exists():
            await community.found(folder)
    return folder


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demo]:
    """Serve a copy of the community with `parvis serve`."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = base / "served"
    shutil.copytree(await _template(shared), folder)
    async with served(load_config(folder, {})) as port:
        cast = json.loads((folder / "cast.json").read_text(encoding="utf-8"))
        yield Demo(f"http://localhost:{port}", folder, cast)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """Start the installed Chromium."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        raise RuntimeError("Chromium is not installed: on Debian, apt-get install chromium-headless-shell")
    # Chromium's own sandbox does not start as root.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=options)
        yield browser
        await browser.close()


@dataclass
class Contexts:
    """Opens contexts of the browser: as a visitor with an empty cache, or kept for the next look by the same person."""

    chromium: Browser
    demo: Demo
    watch: Watch = field(default_factory=Watch)
    kept: dict[tuple[str | None, str], BrowserContext] = field(default_factory=dict)

    async def open(self, who: str | None, language: str, **more: Any) -> BrowserContext:
        """Open a context for an account that is signed in, or for a stranger."""
        context = await self.chromium.new_context(
            base_url=self.demo.url,
            locale={"fr": "fr-FR", "en": "en-GB"}[language],
            reduced_motion="reduce",
            **more,
        )
        context.set_default_timeout(10_000)
        await self.watch.follow(context)
        if who is not None:
            cookie = {"name": "parvis_session", "value": await self.demo.session(who), "url": self.demo.url}
            await context.add_cookies([cookie])  # type: ignore[list-item]
        return context

    async def keep(self, who: str | None, language: str) -> BrowserContext:
        """Return the context that this account has kept; its pages can be asked what axe holds against them."""
        if (who, language) not in self.kept:
            self.kept[who, language] = context = await self.open(who, language)
            await context.add_init_script(path=AXE)
        return self.kept[who, language]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def contexts(chromium: Browser, demo: Demo) -> AsyncIterator[Contexts]:
    """Return what opens contexts in this worker's browser."""
    contexts = Contexts(chromium, demo)
    yield contexts
    for context in contexts.kept.values():
        await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def watch(contexts: Contexts) -> AsyncIterator[Watch]:
    """Fail the test at its end when a page reported anything."""
    contexts.watch.reports.clear()
    yield contexts.watch
    assert contexts.watch.reports == []


@pytest_asyncio.fixture(loop_scope="session")
async def visit(contexts: Contexts, watch: Watch) -> AsyncIterator[Open]:
    """Return what opens a page in a context of its own."""
    async with AsyncExitStack() as stack:

        async def opened(
            who: str | None = None,
            *,
            width: int = 1440,
            script: bool = True,
            language: str = "fr",
            **more: Any,
        ) -> Page:
            context = await contexts.open(
                who,
                language,
                viewport={"width": width, "height": 844 if width < 700 else 900},
                java_script_enabled=script,
                **more,
            )
            stack.push_async_callback(context.close)
            return await context.new_page()

        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def look(contexts: Contexts, watch: Watch) -> AsyncIterator[Open]:
    """Return what opens a page in the account's kept context: nothing to fetch twice, nothing left in its storage."""
    async with AsyncExitStack() as stack:

        async def opened(who: str | None = None, *, width: int = 1440, language: str = "fr") -> Page:
            page = await (await contexts.keep(who, language)).new_page()
            stack.push_async_callback(_leave, page)
            await page.set_viewport_size({"width": width, "height": 844})
            return page

        yield opened


async def _leave(page: Page) -> None:
    await page.evaluate("localStorage.clear(); sessionStorage.clear()")
    await page.close()
