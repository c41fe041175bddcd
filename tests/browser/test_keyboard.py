"""A visit without a mouse: everything is reached, seen while it has the focus, and the focus is never lost."""

from __future__ import annotations

import re
import secrets

import pytest
from playwright.async_api import Page, expect

from .community import DEMO_PASSWORD
from .conftest import Demo, Open

pytestmark = pytest.mark.asyncio(loop_scope="session")

# WCAG 2.2, 2.4.7 and 2.4.11: what has the focus shows it, is in sight and not covered.
FOCUSED = """() => {
  const node = document.activeElement;
  if (!node || node === document.body) return { lost: true, faults: ["nothing has the focus"] };
  const name = node.outerHTML.slice(0, 140), faults = [];
  // A field may show it by its frame, an option that is drawn by something else by that: ask all up to the label.
  const shows = [node, node.labels?.[0], node.closest("label, .search, .pick")].filter(Boolean).some((each) => {
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(each);
    return (outlineStyle !== "none" && parseFloat(outlineWidth) >= 1) || boxShadow !== "none";
  });
  if (!shows) faults.push(`does not show the focus: ${name}`);
  const box = node.getBoundingClientRect();
  if (box.width > 1 && box.height > 1) {
    const [x, y] = [box.left + box.width / 2, Math.max(box.top, 0) + Math.min(box.height, innerHeight) / 2];
    const top = document.elementFromPoint(x, Math.min(y, box.bottom - 1));
    if (box.bottom <= 0 || box.top >= innerHeight) faults.push(`out of sight: ${name}`);
    else if (top && !node.contains(top) && !top.contains(node) && !top.closest("label")?.contains(node)
      && !node.closest("label")?.contains(top)) faults.push(`covered by ${top.outerHTML.slice(0, 80)}: ${name}`);
  }
  return { lost: false, faults, what: name };
}"""


async def reach(page: Page, selector: str, *, most: int = 60, key: str = "Tab") -> None:
    """Press a key until what is meant has the focus."""
    for _ in range(most):
        await page.keyboard.press(key)
        if await page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} was not reached; at {await page.evaluate(FOCUSED)}")


async def has_focus(page: Page, selector: str) -> None:
    await page.wait_for_function("selector => document.activeElement?.matches(selector)", arg=selector)


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize(
    "path",
    ["/", "/people", "/spaces/toute-l-entreprise", "/spaces/new", "/preferences", "/people/karim-benali"],
)
async def test_the_focus_is_seen_on_its_way(visit: Open, width: int, path: str) -> None:
    page = await visit("member@demo.example", width=width)
    await page.goto(path)
    faults: list[str] = []
    seen: set[str] = set()
    for _ in range(45):
        await page.keyboard.press("Tab")
        found = await page.evaluate(FOCUSED)
        if found["lost"]:
            break  # past the last one, where the browser's own buttons are
        seen.add(found["what"])
        faults += found["faults"]
    assert len(seen) > 8
    assert faults == []


async def test_a_visit_by_keyboard(visit: Open, demo: Demo) -> None:
    mark = secrets.token_hex(3)
    page = await visit(width=1440)
    await page.goto("/sign-in")
    await reach(page, "input[name=email]")
    await page.keyboard.type("member@demo.example")
    await reach(page, "input[name=password]", most=4)
    await page.keyboard.type(DEMO_PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.locator(".hello h1")).to_be_visible()

    # The first stop leads past the navigation.
    await page.keyboard.press("Tab")
    await has_focus(page, ".skip")
    assert (await page.evaluate(FOCUSED))["faults"] == []
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.querySelector('main').contains(document.activeElement)")

    # N opens the composer at its field; Tab leads to the button; the focus stays on the page afterwards.
    # (Before htmx is ready, a moment after the page, N opens the composer as a page of its own.)
    await page.goto("/spaces/toute-l-entreprise", wait_until="networkidle")
    await page.keyboard.press("n")
    await has_focus(page, "#composer-text")
    await page.keyboard.type(f"Au clavier {mark}")
    await reach(page, "#composer .composer__foot .btn--go", most=20)
    await page.keyboard.press("Enter")
    await expect(page.locator(".post", has_text=mark).first).to_be_visible()
    found = await page.evaluate(FOCUSED)
    assert not found["lost"]

    # J goes to the publications; the menu takes the focus and gives it back.
    await page.goto("/")
    await page.keyboard.press("j")
    await has_focus(page, "article")
    await page.keyboard.press("j")
    await reach(page, ".post__head .ibtn", most=10)
    await page.keyboard.press("Enter")
    await has_focus(page, "#dialog *")
    await page.keyboard.press("ArrowDown")
    await has_focus(page, "#dialog .menu :is(a, button)")
    await page.keyboard.press("Escape")
    await expect(page.locator("#dialog")).not_to_be_visible()
    await has_focus(page, ".post__head .ibtn")

    # The list of keys opens and closes; single letters do nothing while one writes.
    await page.keyboard.press("?")
    await expect(page.locator("#keys")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#keys")).not_to_be_visible()
    await page.goto("/people")
    await page.locator(".search input[name=q]").focus()
    await page.keyboard.type("njk?")
    await expect(page.locator(".search input[name=q]")).to_have_value("njk?")
    await expect(page).to_have_url(re.compile("/people"))

    # A menu of the shell: arrows move, Escape gives the focus back to its button.
    await page.goto("/")
    await reach(page, ".ibtn--me")
    await page.keyboard.press("Enter")
    await expect(page.locator("#me-menu")).to_be_visible()
    await page.keyboard.press("ArrowDown")
    await has_focus(page, "#me-menu *")
    await page.keyboard.press("Escape")
    await expect(page.locator("#me-menu")).not_to_be_visible()
    await has_focus(page, ".ibtn--me")


async def test_a_refused_form_says_so_at_the_fault(visit: Open, demo: Demo) -> None:
    page = await visit("member@demo.example", width=390)
    await page.goto("/spaces/new")
    await page.locator("form:has([name=kind])").evaluate("form => { form.noValidate = true; }")
    await reach(page, "[name=name]")
    await page.keyboard.press("Enter")
    await has_focus(page, "[role=alert], [aria-invalid=true]")
    assert not (await page.evaluate(FOCUSED))["lost"]
    link = page.locator("[role=alert] a").first
    await link.focus()
    await page.keyboard.press("Enter")
    await has_focus(page, "[name=name]")
