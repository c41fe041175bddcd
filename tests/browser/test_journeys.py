"""What a newcomer does on the first day, from the sign-in page on, with script and without, large and small."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from .community import DEMO_PASSWORD
from .conftest import Demo, Open

pytestmark = pytest.mark.asyncio(loop_scope="session")

MEMBER, COLLEAGUE = "member@demo.example", "daniel.whitfield@demo.example"


async def sign_in(page: Page, email: str) -> None:
    await page.goto("/sign-in")
    await page.get_by_label(re.compile("^(E-mail|Adresse)")).fill(email)
    await page.locator("input[name=password]").fill(DEMO_PASSWORD)
    await page.locator("form:has(input[name=password]) [type=submit]").click()
    await expect(page.locator(".hello h1")).to_be_visible()


async def post(page: Page, start: str, text: str, *, script: bool, picture: Path | None = None) -> None:
    """Write a post from the page `start`; without script the picture is sent first, by asking for a preview."""
    await page.goto(start)
    await page.locator("#composer-open").click()
    await page.locator("#composer-text").fill(text)
    audience = page.locator("#composer-audience")
    if not await audience.input_value():
        await audience.select_option("everyone")
    if picture is not None:
        await page.locator("#composer-upload").set_input_files(picture)
        if script:
            await expect(page.locator(".upload progress")).to_have_count(0)
        else:
            await page.locator("#composer [name=preview]").click()
            await expect(page.locator(".preview")).to_contain_text(text)
        await page.locator(".upload input[name^=alt-]").fill("Un escalier de chêne")
    await page.locator("#composer .composer__foot .btn--go").click()
    await expect(page.locator(".post", has_text=text).first).to_be_visible()


async def act(page: Page, text: str, verb: str) -> None:
    """Choose an entry of the menu of the post that holds this text."""
    card = page.locator(".post", has_text=text).first
    await card.locator(".post__head .ibtn").click()
    await page.locator(f":is(#dialog, main) .menu :is(a, button)[{verb}]").first.click()


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
async def test_the_first_day(visit: Open, demo: Demo, tmp_path: Path, width: int, script: bool) -> None:
    # Each run finds its own things again in the community they share.
    mark = secrets.token_hex(3)
    page = await visit(width=width, script=script)
    await sign_in(page, MEMBER)

    # Reading on: the next stretch comes in the page, or as a page of its own.
    more = page.locator("#feed-next a")
    shown = await page.locator("#feed > .post").count()
    await more.click()
    if script:
        await expect(page.locator("#feed > .post").nth(shown + 5)).to_be_visible()
    else:
        await expect(page).to_have_url(re.compile(r"before="))

    # A post with a picture that says what it shows.
    picture = tmp_path / "escalier.png"
    picture.write_bytes(await page.screenshot(clip={"x": 0, "y": 0, "width": 60, "height": 40}, type="png"))
    await post(page, "/", f"Livré ce soir {mark}", script=script, picture=picture)
    card = page.locator(".post", has_text=f"Livré ce soir {mark}").first
    image = card.locator(".post__picture img")
    await expect(image).to_have_attribute("alt", "Un escalier de chêne")
    await expect(image).to_have_js_property("complete", True)

    # Changed, removed, brought back.
    await act(page, f"Livré ce soir {mark}", "href$='/edit'")
    await page.locator("#edit-text").fill(f"Livré hier soir {mark}")
    await page.locator(".composer__foot .btn--go").click()
    await expect(page).to_have_url(re.compile(r"/c/\d+$"))
    address = page.url
    await expect(page.locator(".post")).to_contain_text(f"Livré hier soir {mark}")
    await act(page, f"Livré hier soir {mark}", "formaction$='/remove'")
    await expect(page.locator(".post", has_text=mark)).to_have_count(0)
    await page.goto(address)
    await page.locator(".gone [type=submit]").click()
    await expect(page.locator(".post")).to_contain_text(f"Livré hier soir {mark}")

    # A colleague, found by what he does.
    await page.goto("/people")
    await page.locator(".search input[name=q]").fill("karim")
    await page.locator(".search input[name=q]").press("Enter")
    await page.locator("#people-results a", has_text="Karim Benali").first.click()
    await expect(page.locator("h1")).to_contain_text("Karim Benali")

    # A secret space, with one colleague in it.
    await page.goto("/spaces/new")
    await page.locator("[name=name]").fill(f"Surprise {mark}")
    await page.locator("[name=kind][value=secret]").check()
    await page.locator(".form__f [type=submit]").click()
    await expect(page.locator("h1")).to_contain_text(f"Surprise {mark}")
    space = "/" + page.url.split("/", 3)[3].partition("?")[0]
    await post(page, space, f"Chut {mark}", script=script)
    await page.goto(f"{space}/members?add=karim")
    await page.locator("#add [name=member]").first.click()
    await expect(page.locator("main")).to_contain_text("Karim Benali")

    stranger = await visit(COLLEAGUE, width=width, script=script, language="en")
    answer = await stranger.goto(space)
    assert answer is not None
    assert answer.status == 404
    await stranger.goto("/spaces")
    await expect(stranger.locator("main")).not_to_contain_text(mark)
    friend = await visit("karim.benali@demo.example", width=width, script=script)
    await friend.goto(space)
    await expect(friend.locator(".post")).to_contain_text(f"Chut {mark}")

    # Language and colours, then the way out.
    await page.goto("/")
    await page.locator(".ibtn--me").click()
    await page.locator("#me-menu [name=language][value=en]").click()
    await expect(page.locator("html")).to_have_attribute("lang", "en")
    await page.locator(".ibtn--me").click()
    await page.locator("#me-menu [name=theme][value=dark]").click()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    await page.goto("/preferences")
    await page.locator("#language").select_option("fr")
    await page.locator("input[name=theme][value=auto]").check()
    await page.locator("form:has(#language) .form__f [type=submit]").click()
    await expect(page.locator("html")).to_have_attribute("lang", "fr")
    await page.locator(".ibtn--me").click()
    await page.locator("#me-menu [formaction='/sign-out']").click()
    await expect(page.locator("input[name=password]")).to_be_visible()
    await page.goto("/people")
    await expect(page).to_have_url(re.compile(r"/sign-in\?next="))
