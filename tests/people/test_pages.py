"""The pages of people over HTTP: signing in and out, directory, profile, preferences, with what they refuse."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from parvis.people.actions import add_member, reset_password, suspend_member
from parvis.people.actor import SYSTEM
from parvis.people.links import make_sign_in_link
from parvis.people.tables import Member, MemberRow
from parvis.spaces.actions import add_space_member, open_space
from parvis.testing import PASSWORD, Visitor
from parvis.web.return_paths import safe_path
from PIL import Image

Visit = Callable[[], Visitor]


async def _add(name: str, **more: Any) -> MemberRow:
    email = f"{name.lower().replace(' ', '.')}@example.org"
    more.setdefault("password", PASSWORD)
    return await add_member(SYSTEM, name=name, email=email, language="en", **more)


async def _signed_in(visit: Visit, row: MemberRow) -> Visitor:
    visitor = visit()
    await visitor.sign_in(row.email)
    assert "parvis_session" in visitor.http.cookies
    return visitor


def _without_tokens(text: str) -> str:
    """Return a page without what is different on each: masked tokens and the request's number."""
    return re.sub(r'[A-Za-z0-9_-]{80,}|data-request="[^"]*"', "", text)


def _picture(color: str = "red") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (320, 240), color).save(out, "PNG")
    return out.getvalue()


async def test_refusals_are_the_same_page_to_the_byte(visit: Visit) -> None:
    await _add("Ines")
    await suspend_member(SYSTEM, (await _add("Out")).id)
    pages = []
    for email, password in (
        ("ines@example.org", "a wrong guess"),
        ("nobody@example.org", PASSWORD),
        ("out@example.org", PASSWORD),
    ):
        visitor = visit()
        await visitor.get("/sign-in")
        answer = await visitor.post("/sign-in", {"email": email, "password": password, "next": "/people"})
        text = _without_tokens(answer.text)
        assert email in text
        assert password not in text
        pages.append((answer.status_code, len(answer.headers), text.replace(email, "")))
        assert "parvis_session" not in visitor.http.cookies
    assert pages[0] == pages[1] == pages[2]
    assert pages[0][0] == 422
    visitor = visit()
    answer = await visitor.post(
        "/sign-in", {"email": "ines@example.org", "password": PASSWORD, "next": "/people"}
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/people")


async def test_the_session_cookie_is_kept_from_script_and_other_sites(visit: Visit) -> None:
    await _add("Ines")
    answer = await visit().post("/sign-in", {"email": "ines@example.org", "password": PASSWORD})
    cookie = next(
        value for value in answer.headers.get_list("set-cookie") if value.startswith("parvis_session=")
    )
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie


async def test_a_stranger_is_sent_to_sign_in_and_back(visit: Visit) -> None:
    row = await _add("Ines")
    visitor = visit()
    answer = await visitor.get(f"/people/{row.handle}")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=%2Fpeople%2Fines"
    answer = await visitor.get(answer.headers["location"])
    assert 'name="next" value="/people/ines"' in answer.text
    answer = await visitor.post(
        "/sign-in", {"email": row.email, "password": PASSWORD, "next": "/people/ines"}
    )
    assert answer.headers["location"] == "/people/ines"
    assert (await visitor.get("/people/ines")).status_code == 200
    assert (await visitor.get("/sign-in?next=/people")).headers["location"] == "/people"


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ("/people?q=a%20b#x", "/people?q=a%20b#x"),
        ("/", "/"),
        ("", "/"),
        ("people", "/"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("\\\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("/\n/evil.example", "/"),
        (" //evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/sign-out", "/"),
        ("/sign-in/link/x", "/"),
        ("/" + "x" * 3000, "/"),
    ],
)
def test_one_comes_back_to_this_site_alone(wanted: str, path: str) -> None:
    assert safe_path(wanted) == path


async def test_too_many_guesses_are_told_on_the_page(visit: Visit) -> None:
    await _add("Ines")
    visitor = visit()
    for _ in range(10):
        answer = await visitor.post("/sign-in", {"email": "ines@example.org", "password": "a wrong guess"})
        assert answer.status_code == 422
    answer = await visitor.post("/sign-in", {"email": "ines@example.org", "password": "a wrong guess"})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert 'value="ines@example.org"' in answer.text


async def test_a_form_without_the_pages_token_is_refused(visit: Visit) -> None:
    await _add("Ines")
    visitor = visit()
    await visitor.get("/sign-in")
    fields = {"email": "ines@example.org", "password": PASSWORD}
    for token in ("", "x" * 120, visit().token):
        answer = await visitor.http.post("/sign-in", data={"csrf": token, **fields})
        assert answer.status_code == 403
    assert (await visitor.post("/sign-in", fields)).status_code == 303


async def test_a_token_of_one_session_is_nothing_in_another(visit: Visit) -> None:
    one, two = await _signed_in(visit, await _add("One")), await _signed_in(visit, await _add("Two"))
    two.token, kept = one.token, two.token
    assert (await two.post("/preferences/theme", {"theme": "dark"})).status_code == 403
    two.token = kept
    assert (await two.post("/preferences/theme", {"theme": "dark"})).status_code == 303


async def test_signing_out_ends_the_session_for_a_thief_too(visit: Visit) -> None:
    visitor = await _signed_in(visit, await _add("Ines"))
    stolen = visitor.http.cookies["parvis_session"]
    thief = visit()
    thief.http.cookies.set("parvis_session", stolen)
    assert (await thief.get("/people")).status_code == 200
    answer = await visitor.post("/sign-out")
    assert answer.headers["location"] == "/sign-in"
    assert (await thief.get("/people")).status_code == 303
    assert "parvis_session" not in visitor.http.cookies


async def test_a_planted_session_is_not_kept_at_sign_in(visit: Visit) -> None:
    attacker = await _signed_in(visit, await _add("Attacker"))
    planted = attacker.http.cookies["parvis_session"]
    await _add("Victim")
    victim = visit()
    victim.http.cookies.set("parvis_session", planted, domain="localhost.local", path="/")
    await victim.get("/")
    answer = await victim.post("/sign-in", {"email": "victim@example.org", "password": PASSWORD})
    cookie = next(
        value for value in answer.headers.get_list("set-cookie") if value.startswith("parvis_session=")
    )
    assert planted not in cookie
    assert (await attacker.get("/people")).status_code == 303


async def test_a_link_needs_its_button_pressed_and_works_once(visit: Visit) -> None:
    row = await _add("Ines", password=None)
    link = f"/sign-in/link/{await make_sign_in_link(SYSTEM, row.id)}"
    scanner = visit()
    for _ in range(2):
        assert (await scanner.get(link)).status_code == 200
    visitor = visit()
    await visitor.get(link)
    answer = await visitor.post(link)
    assert (answer.status_code, answer.headers["location"]) == (303, "/preferences#password")
    page = await visitor.get("/preferences")
    assert 'name="new"' in page.text
    assert 'name="current"' not in page.text
    answer = await visitor.post("/preferences/password", {"new": "cerise griotte", "again": "cerise griotte"})
    assert answer.status_code == 303
    for known in (link, "/sign-in/link/" + "x" * 43):
        assert (await scanner.get(known)).status_code == 404
        assert (await scanner.post(known)).status_code == 404
    again = visit()
    assert (
        await again.post("/sign-in", {"email": row.email, "password": "cerise griotte"})
    ).status_code == 303


async def test_a_reset_signs_out_everywhere(visit: Visit) -> None:
    row = await _add("Ines")
    visitor = await _signed_in(visit, row)
    await reset_password(SYSTEM, row.id)
    assert (await visitor.get("/people")).status_code == 303


async def test_the_directory_is_searched_and_paged_with_and_without_script(visit: Visit) -> None:
    visitor = await _signed_in(visit, await _add("Zoe Reader"))
    for number in range(32):
        await _add(
            f"Jean Dupont{number:02}", password=None, profile={"site": "Nantes" if number % 2 else "Lyon"}
        )
    page = await visitor.get("/people")
    assert page.text.count('class="who"') == 30
    more = re.search(r'href="(/people\?[^"]*after=[^"]*)"', page.text)
    assert more is not None
    rest = await visitor.get(more[1].replace("&amp;", "&"))
    assert rest.text.count('class="who"') == 3
    part = await visitor.get("/people?q=dupont07", headers={"HX-Request-Type": "partial"})
    assert part.text.count('class="who"') == 1
    assert "<html" not in part.text
    assert part.headers["vary"].startswith("HX-Request-Type")
    assert (await visitor.get("/people?site=Lyon")).text.count('class="who"') == 16
    for odd in (
        "/people?q=%25",
        "/people?q='%20OR%201=1--",
        "/people?after=%F0%28&after_id=-1",
        "/people?q=" + "x" * 999,
    ):
        assert (await visitor.get(odd)).status_code == 200
    for unreadable in (
        "/people?after=a&after_id=x",
        "/people?q=%00",
        "/people/%00",
        "/spaces/%00",
        "/sign-in/link/%00",
    ):
        assert (await visitor.get(unreadable)).status_code == 400


async def test_strangers_ids_and_unseen_people_are_the_same_404(visit: Visit) -> None:
    unseen = await _add("Unseen")
    guest = await _signed_in(visit, await _add("Guest", role="guest"))
    pages = [await guest.get(path) for path in (f"/people/{unseen.handle}", "/people/no-such-person")]
    assert [page.status_code for page in pages] == [404, 404]
    assert len({re.sub(r"[0-9a-f]{16}", "", _without_tokens(page.text)) for page in pages}) == 1
    owner = await _add("Owner")
    space = await open_space(SYSTEM, {"name": "Chantier"}, owner=owner.id)
    for row in (unseen, await Member.with_handle("guest")):
        assert row is not None
        await add_space_member(SYSTEM, space, row.id)
    assert (await guest.get(f"/people/{unseen.handle}")).status_code == 200


async def test_one_edits_ones_own_profile_and_errors_keep_what_was_typed(visit: Visit) -> None:
    me, other = await _add("Ines"), await _add("Other")
    visitor = await _signed_in(visit, me)
    assert (await visitor.get(f"/people/{other.handle}/edit")).status_code == 403
    assert (await visitor.post(f"/people/{other.handle}/edit", {"name": "X"})).status_code == 403
    page = await visitor.get("/people/ines/edit")
    version = re.search(r'name="version" value="(\d+)"', page.text)
    assert version is not None
    bad = {
        "version": version[1],
        "name": "",
        "job": "Ébéniste <b>",
        "skills": "Bois, Vernis",
        "handle": "ines",
    }
    answer = await visitor.post("/people/ines/edit", bad)
    assert answer.status_code == 422
    assert "Ébéniste &lt;b&gt;" in answer.text
    assert "Write a name." in answer.text
    answer = await visitor.post("/people/ines/edit", {**bad, "name": "Inès C.", "handle": "ines-c"})
    assert answer.headers["location"] == "/people/ines-c"
    saved = await Member.with_id(me.id)
    assert saved is not None
    assert (saved.name, saved.job, saved.skills) == ("Inès C.", "Ébéniste <b>", ["Bois", "Vernis"])
    moved = await visitor.get("/people/ines?x=1")
    assert (moved.status_code, moved.headers["location"]) == (302, "/people/ines-c?x=1")
    # A second window that was opened before is told so, with its text kept.
    answer = await visitor.post("/people/ines-c/edit", {**bad, "name": "Ancienne"})
    assert answer.status_code == 422
    assert "Ancienne" in answer.text
    assert "another window" in answer.text


async def test_a_picture_becomes_a_face_and_anything_else_is_told_at_the_field(visit: Visit) -> None:
    me = await _add("Ines")
    visitor = await _signed_in(visit, me)
    page = await visitor.get("/people/ines/edit")
    fields = {"version": str(me.version), "name": "Ines", "handle": "ines"}
    for name, body in (
        ("x.png", b"\x89PNG\r\n\x1a\nbroken"),
        ("x.svg", b"<svg onload='alert(1)'/>"),
        ("x.png", b""),
    ):
        answer = await visitor.post("/people/ines/edit", fields, files={"picture": (name, body, "image/png")})
        assert answer.status_code == 422, name
        assert 'id="picture-e"' in answer.text
    answer = await visitor.post(
        "/people/ines/edit", fields, files={"picture": ("me.png", _picture(), "image/png")}
    )
    assert answer.status_code == 303
    page = await visitor.get("/people/ines")
    face = re.search(r'src="(/f/\d+\?size=\d+)"', page.text)
    assert face is not None
    shown = await visitor.get(face[1])
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/webp")
    outside = await _signed_in(visit, await _add("Guest", role="guest"))
    assert (await outside.get(face[1])).status_code == 404
    saved = await Member.with_id(me.id)
    assert saved is not None
    await visitor.post("/people/ines/edit", {**fields, "version": str(saved.version), "remove_picture": "1"})
    assert face[1] not in (await visitor.get("/people/ines")).text


async def test_preferences_are_saved_and_wrong_ones_told(visit: Visit) -> None:
    visitor = await _signed_in(visit, await _add("Ines"))
    fine = {"language": "fr", "time_zone": "Pacific/Auckland", "theme": "dark", "shortcuts": "1"}
    assert (await visitor.post("/preferences", fine)).status_code == 303
    page = await visitor.get("/preferences")
    assert '<html lang="fr" data-theme="dark">' in page.text
    answer = await visitor.post("/preferences", {**fine, "time_zone": "Mars/Base"})
    assert answer.status_code == 422
    answer = await visitor.post(
        "/preferences/language", {"language": "en"}, headers={"Referer": "http://localhost:8000/people?q=a"}
    )
    assert answer.headers["location"] == "/people?q=a"
    assert '<html lang="en"' in (await visitor.get("/people")).text


async def test_strangers_choose_language_and_theme_on_the_sign_in_page(visit: Visit) -> None:
    visitor = visit()
    await visitor.get("/sign-in")
    for language in ("fr", "en"):
        answer = await visitor.post(
            "/preferences/language",
            {"language": language},
            headers={"Referer": "http://localhost:8000/sign-in?next=%2Fpeople"},
        )
        assert answer.headers["location"] == "/sign-in?next=%2Fpeople"
        assert f'<html lang="{language}"' in (await visitor.get("/sign-in")).text
    elsewhere = await visitor.post(
        "/preferences/language", {"language": "en"}, headers={"Referer": "https://evil.example/"}
    )
    assert elsewhere.headers["location"] == "/"
    assert (await visitor.post("/preferences/language", {"language": "xx"})).status_code == 422
    assert (await visitor.get("/preferences")).status_code == 303


async def test_the_password_is_changed_and_other_browsers_are_signed_out(visit: Visit) -> None:
    row = await _add("Ines")
    here, there = await _signed_in(visit, row), await _signed_in(visit, row)
    new = "cerise griotte"
    for fields, told in (
        ({"current": "a wrong guess", "new": new, "again": new}, "not your current password"),
        ({"current": PASSWORD, "new": new, "again": new + "s"}, "differ"),
        ({"current": PASSWORD, "new": "court", "again": "court"}, "10 characters"),
    ):
        answer = await here.post("/preferences/password", fields)
        assert answer.status_code == 422
        assert told in answer.text
        assert new not in answer.text
    assert (await there.get("/people")).status_code == 200
    answer = await here.post("/preferences/password", {"current": PASSWORD, "new": new, "again": new})
    assert answer.status_code == 303
    assert (await here.get("/people")).status_code == 200
    assert (await there.get("/people")).status_code == 303


async def test_sessions_are_listed_and_ended(visit: Visit) -> None:
    row = await _add("Ines")
    here, there = await _signed_in(visit, row), await _signed_in(visit, row)
    stranger = await _signed_in(visit, await _add("Other"))
    page = await here.get("/preferences")
    ends = re.findall(r"/preferences/sessions/(\d+)/end", page.text)
    assert len(ends) == 1
    assert (await stranger.post(f"/preferences/sessions/{ends[0]}/end")).status_code == 404
    assert (await there.get("/people")).status_code == 200
    assert (await here.post(f"/preferences/sessions/{ends[0]}/end")).status_code == 303
    assert (await there.get("/people")).status_code == 303
    third = await _signed_in(visit, row)
    assert (await here.post("/preferences/sessions/end")).status_code == 303
    assert (await third.get("/people")).status_code == 303
    assert (await here.get("/people")).status_code == 200


async def test_names_are_text_wherever_they_stand(visit: Visit) -> None:
    """A name full of markup is shown as typed; the same words without escaping would be found raw."""
    evil = '"><script>alert(1)</script>'
    row = await add_member(
        SYSTEM, name=evil, email="evil@example.org", password=PASSWORD, language="en", profile={"about": evil}
    )
    visitor = await _signed_in(visit, row)
    for path in ("/people", f"/people/{row.handle}", f"/people/{row.handle}/edit", "/preferences"):
        text = (await visitor.get(path)).text
        assert "<script>alert" not in text
        assert path == "/preferences" or "&lt;script&gt;" in text
