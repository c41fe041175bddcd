"""Preferences: language, time zone, appearance, shortcuts, password, and where one is signed in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from parvis.errors import Invalid, NotFound, TooMany
from parvis.people.fields import THEMES
from parvis.people.profile_actions import change_password, choose_language, choose_theme, edit_preferences
from parvis.people.sessions import SessionRow, close_other_sessions, close_session_of, sessions_of
from parvis.people.tables import Member
from parvis.services.audit import record
from parvis.services.i18n import LANGUAGES, time_zones
from parvis.services.i18n import gettext as _
from parvis.site import current
from parvis.web.cookies import LANGUAGE, THEME, keep_cookie
from parvis.web.rendering import page, redirect, url
from parvis.web.request import Request
from parvis.web.return_paths import former_page

# What a browser says of itself, by the names people know; the first that stands in it counts.
_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS X", "Mac"),
    ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip


@get("/preferences", name="preferences")
async def show_preferences(request: Request) -> Response[Any]:
    """Show what one may set for oneself."""
    return await _page(request)


async def _page(
    request: Request,
    *,
    values: Mapping[str, Any] | None = None,
    errors: Mapping[str, object] | None = None,
    status: int = 200,
) -> Response[Any]:
    actor = request.actor
    if actor.member is None:
        raise NotFound()
    site = current().config.site
    shown: dict[str, Any] = {
        "language": actor.language or "",
        "time_zone": actor.time_zone or "",
        "theme": actor.theme,
        "shortcuts": actor.shortcuts,
    }
    return await page(
        request,
        "parvis/preferences.html",
        status=status,
        values={**shown, **(values or {})},
        errors={name: str(text) for name, text in (errors or {}).items()},
        languages=[{"value": code, "name": name} for code, name in LANGUAGES.items()],
        site_language=LANGUAGES.get(site.language, site.language),
        time_zones=time_zones(),
        site_time_zone=site.time_zone,
        themes=THEMES,
        has_password=await Member.password_hash_of(actor.member) is not None,
        sessions=[_session(row, actor.session) for row in await sessions_of(actor.member)],
    )


def _session(row: SessionRow, own: int | None) -> dict[str, Any]:
    return {
        "id": row.id,
        "browser": _named(row.user_agent, _BROWSERS),
        "system": _named(row.user_agent, _SYSTEMS),
        "is_phone": any(mark in row.user_agent for mark in ("Mobi", "Android", "iPhone", "iPad")),
        "address": row.address,
        "created": row.created,
        "seen": row.seen,
        "current": row.id == own,
    }


def _named(user_agent: str, names: tuple[tuple[str, str], ...]) -> str:
    return next((name for mark, name in names if mark in user_agent), "")


@post("/preferences", name="preferences.save", status_code=200)
async def save_preferences(request: Request) -> Response[Any]:
    """Save language, time zone, appearance and shortcuts."""
    form = await request.form_data()
    values = {name: form.text(name, limit=100) for name in ("language", "time_zone", "theme")}
    shortcuts = form.checked("shortcuts")
    try:
        await edit_preferences(
            request.actor,
            language=values["language"] or None,
            time_zone=values["time_zone"] or None,
            theme=values["theme"] or "auto",
            shortcuts=shortcuts,
        )
    except Invalid as fault:
        return await _page(
            request, values={**values, "shortcuts": shortcuts}, errors=fault.fields, status=422
        )
    return redirect(request, url("preferences"), flash=_("Your preferences were saved."))


@post("/preferences/theme", name="preferences.theme", status_code=200, opt={"public": True})
async def save_theme(request: Request) -> Response[Any]:
    """Choose light, dark or automatic, and go on reading; strangers keep the choice in a cookie."""
    theme = (await request.form_data()).text("theme", limit=20)
    if request.actor.is_member:
        await choose_theme(request.actor, theme)
    elif theme not in THEMES:
        raise Invalid({"theme": _("There is no such appearance.")})
    response = redirect(request, former_page(request))
    keep_cookie(request, response, THEME, theme)
    return response


@post("/preferences/language", name="preferences.language", status_code=200, opt={"public": True})
async def save_language(request: Request) -> Response[Any]:
    """Choose a language, and go on reading; strangers keep the choice in a cookie."""
    language = (await request.form_data()).text("language", limit=20)
    if request.actor.is_member:
        await choose_language(request.actor, language or None)
    elif language not in LANGUAGES:
        raise Invalid({"language": _("Parvis does not speak this language yet.")})
    response = redirect(request, former_page(request))
    keep_cookie(request, response, LANGUAGE, language)
    return response


@post("/preferences/password", name="preferences.password", status_code=200)
async def save_password(request: Request) -> Response[Any]:
    """Change the password; other sessions end."""
    form = await request.form_data()
    current_password = form.text("current", limit=1000, strip=False)
    new, again = form.text("new", limit=1000, strip=False), form.text("again", limit=1000, strip=False)
    try:
        if new != again:
            raise Invalid({"again": _("The two new passwords differ.")})
        await change_password(request.actor, current=current_password, new=new)
    except Invalid as fault:
        return await _page(request, errors=fault.fields, status=422)
    except TooMany as refusal:
        return await _page(request, errors={"current": refusal.message}, status=429)
    return redirect(
        request, url("preferences"), flash=_("Your password was changed. You are signed out everywhere else.")
    )


@post("/preferences/sessions/{session_id:int}/end", name="preferences.sessions.end", status_code=200)
async def end_session(request: Request, session_id: FromPath[int]) -> Response[Any]:
    """Sign out elsewhere, in one browser."""
    member = request.actor.member
    if member is None or not await close_session_of(member, session_id):
        raise NotFound()
    await record("member.session_ended", member, f"member:{member}", {})
    return redirect(request, url("preferences") + "#sessions", flash=_("That browser is signed out."))


@post("/preferences/sessions/end", name="preferences.sessions.end_others", status_code=200)
async def end_other_sessions(request: Request) -> Response[Any]:
    """Sign out everywhere but here."""
    member = request.actor.member
    if member is None:
        raise NotFound()
    await close_other_sessions(member, request.actor.session)
    await record("member.sessions_ended", member, f"member:{member}", {})
    return redirect(request, url("preferences") + "#sessions", flash=_("You are signed out everywhere else."))


handlers = [
    show_preferences,
    save_preferences,
    save_theme,
    save_language,
    save_password,
    end_session,
    end_other_sessions,
]
