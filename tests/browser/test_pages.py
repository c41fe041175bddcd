"""Every page, in both languages, colours and sizes, passes axe (WCAG 2.2 AA and its best practices) and fits."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from parvis.app import build_litestar, open_site
from parvis.testing import make_instance
from playwright.async_api import Page

from .accepted import ACCEPTED
from .conftest import Demo, Open
from .pages import NO_PAGES, PAGES, Shown, show

pytestmark = pytest.mark.asyncio(loop_scope="session")

# What a change of colours can break, and what other words can.
COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
WORDS = {
    "type": "tag",
    "values": ["cat.aria", "cat.forms", "cat.language", "cat.name-role-value", "cat.text-alternatives"],
}
RUN = """async (only) => {
  const options = { resultTypes: ["violations"], preload: false, rules: { "target-size": { enabled: true } } };
  if (only) Object.assign(options, { runOnly: only, rules: {} });
  const found = await axe.run(document, options);
  return found.violations.flatMap(({ id, impact, nodes }) => nodes.map((node) => ({
    id, impact: node.impact || impact, html: node.html.slice(0, 300), target: node.target.join(" "),
    why: node.failureSummary })));
}"""
WIDTHS = (320, 390, 768, 1440)
# What sticks out to the right, left out what scrolls inside a box of its own.
SIDEWAYS = """() => {
  const room = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= room) return [];
  const inside = (node) => {
    for (let at = node.parentElement; at && at !== document.body; at = at.parentElement) {
      if (getComputedStyle(at).overflowX !== "visible") return true;
    }
    return false;
  };
  return [...document.body.querySelectorAll("*")].filter((node) => {
    const box = node.getBoundingClientRect();
    return box.width && box.right > room + 1 && !inside(node);
  }).map((node) => `${Math.round(node.getBoundingClientRect().right)} ${node.outerHTML.slice(0, 160)}`).concat(
    `scrolls to ${document.documentElement.scrollWidth}`);
}"""
# WCAG 2.2, 2.5.8: 24 by 24 points; links within a sentence are exempt, and what a label enlarges is measured with it.
SMALL = """() => [...document.querySelectorAll(
    "a[href], button, input:not([type=hidden], :disabled), select, textarea, summary")]
  .filter((node) => node.checkVisibility({ visibilityProperty: true, opacityProperty: false })
    && !node.closest(".vh, .skip, [aria-hidden=true]"))
  .flatMap((node) => {
    const boxes = [node, ...(node.labels || []), node.closest("label")].filter(Boolean);
    const sized = boxes.map((each) => each.getBoundingClientRect());
    if (sized.some(({ width, height }) => width >= 23.5 && height >= 23.5)) return [];
    if (node.matches("a") && getComputedStyle(node).display === "inline") return [];
    const { width, height } = sized[0];
    if (width <= 1 || height <= 1) return [];
    return [`${Math.round(width)}x${Math.round(height)} ${node.outerHTML.slice(0, 160)}`];
  })"""


looked_at: set[str] = set()
used: set[tuple[str, str]] = set()


async def faults(page: Page, only: dict[str, Any] | None = None) -> list[str]:
    """Return what axe holds against a page as it stands; what is accepted is left out and noted as used."""
    found: list[dict[str, Any]] = await page.evaluate(RUN, only)
    kept = []
    for fault in found:
        accepted = next(
            (item for item in ACCEPTED if item.rule == fault["id"] and item.part in fault["html"]), None
        )
        if accepted is not None and fault["impact"] == "minor":
            used.add((accepted.rule, accepted.part))
        else:
            kept.append(f"{fault['impact']} {fault['id']}: {fault['html']}\n    {fault['why']}")
    return kept


async def examine(look: Open, demo: Demo, shown: Shown, language: str) -> list[str]:
    """Return the faults of one page in one language: at both sizes, light and dark, and what does not fit."""
    page = await look(shown.account(language), width=shown.widths[0], language=language)
    await show(page, shown, demo, language)
    kept: list[str] = []
    # A language changes words and their lengths, not colours: one is looked at in all of them, the other in one.
    for width in shown.widths if language == "fr" else shown.widths[:1]:
        await page.set_viewport_size({"width": width, "height": 844})
        for scheme in ("light", "dark") if language == "fr" else ("light",):
            await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            # What stands on the page is the same in the dark: only its colours are looked at again.
            only = COLOURS if scheme == "dark" else WORDS if language == "en" else None
            found = await faults(page, only)
            kept += [f"{language} {width} {scheme} {fault}" for fault in found]
    for width in WIDTHS if shown.width is None else (shown.width,):
        await page.set_viewport_size({"width": width, "height": 844})
        kept += [
            f"{language} {width} {fault}"
            for script in (SIDEWAYS, SMALL)
            for fault in await page.evaluate(script)
        ]
    return kept


@pytest.mark.parametrize("shown", PAGES, ids=lambda shown: shown.name)
async def test_nothing_is_wrong_with(look: Open, demo: Demo, shown: Shown) -> None:
    found = await asyncio.gather(*(examine(look, demo, shown, language) for language in ("fr", "en")))
    looked_at.add(shown.name)
    told = [fault for faults in found for fault in faults]
    assert not told, "\n" + "\n".join(told)


async def test_every_page_is_looked_at(tmp_path: Path, sqlite_template: Path) -> None:
    database = tmp_path / "parvis.db"
    shutil.copy(sqlite_template, database)
    async with open_site(make_instance(tmp_path / "instance", f"sqlite:///{database}")) as site:
        await site.plugins.migrate()
        routes = build_litestar(site).routes
    handlers = [handler for route in routes for handler in getattr(route, "route_handlers", ())]
    pages = {handler.name for handler in handlers if "GET" in handler.http_methods}
    shown = {page.route for page in PAGES}
    assert shown & NO_PAGES.keys() == set()
    assert pages == shown | NO_PAGES.keys()


async def test_nothing_is_accepted_that_no_longer_occurs() -> None:
    if looked_at != {shown.name for shown in PAGES}:
        pytest.skip("known after all pages alone")
    assert all(item.reason for item in ACCEPTED)
    assert [item for item in ACCEPTED if (item.rule, item.part) not in used] == []
