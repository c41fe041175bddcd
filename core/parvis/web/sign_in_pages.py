"""Signing in and out: by the ways that plugins offer, and by a link for once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Response, get, post
from litestar.params import FromPath, FromQuery

from parvis.errors import ParvisError, TooMany
from parvis.people.links import is_link_open, use_sign_in_link
from parvis.people.sessions import close_session, open_session
from parvis.people.sign_in import network_of
from parvis.people.tables import Member
from parvis.services.i18n import gettext as _
from parvis.services.limits import limit
from parvis.site import current
from parvis.web.cookies import SESSION, VISIT, drop_cookie, keep_cookie
from parvis.web.flash import NAME as FLASH
from parvis.web.rendering import page, redirect, url
from parvis.web.request import Form, Request
from parvis.web.return_paths import safe_path

if TYPE_CHECKING:
    from parvis.declarations import AuthProvider

PROVIDER_SECONDS = 15.0
"""How long one way of signing in may take: another server may have to be asked."""


@get("/sign-in", name="sign_in", opt={"public": True})
async def show_sign_in(request: Request, next: FromQuery[str] = "") -> Response[Any]:
    """Show the ways to sign in; who is signed in already goes on."""
    if request.actor.is_member:
        return redirect(request, safe_path(next))
    ended = bool(next) and SESSION in request.state_of.cookies
    return await _page(request, next=next, ended=ended)


async def _page(
    request: Request,
    *,
    next: str,
    email: str = "",
    error: object = None,
    ended: bool = False,
    status: int = 200,
) -> Response[Any]:
    providers = [
        {"name": declared.value.name, "label": str(declared.value.label), "template": declared.value.template}
        for declared in current().plugins.auth_providers
    ]
    path = safe_path(next)
    return await page(
        request,
        "parvis/sign_in.html",
        status=status,
        next="" if path == "/" else path,
        email=email,
        error=error,
        notice=None,
        ended=ended,
        providers=providers,
    )


@post("/sign-in", name="sign_in.try", status_code=200, opt={"public": True})
async def try_sign_in(request: Request) -> Response[Any]:
    """Try the way to sign in that was chosen; a refusal says the same whatever the reason."""
    form = await request.form_data()
    next, email = form.text("next", limit=2000), form.text("email", limit=320)
    try:
        member = await _member_of(request, form)
    except TooMany as refusal:
        response = await _page(request, next=next, email=email, error=refusal.message, status=429)
        response.headers["Retry-After"] = str(refusal.retry_after)
        return response
    if member is None:
        error = _("This e-mail and this password do not belong together. Check both, then try again.")
        return await _page(request, next=next, email=email, error=error, status=422)
    return await enter(request, member, safe_path(next))


async def _member_of(request: Request, form: Form) -> int | None:
    """Return whom the first willing provider knows; one that fails is passed over and counted."""
    wanted = form.text("provider", limit=100)
    registry = current().plugins
    for declared in registry.auth_providers:
        if wanted not in ("", declared.value.name):
            continue
        answer = await registry.call(
            declared.plugin, "sign_in", _ask, declared.value, form, request, limit=PROVIDER_SECONDS
        )
        if isinstance(answer.value, ParvisError):
            raise answer.value
        if isinstance(answer.value, int):
            return answer.value
    return None


async def _ask(provider: AuthProvider, form: Form, request: Request) -> int | ParvisError | None:
    """Ask one provider; what it raises on purpose is an answer, not a failure of the plugin."""
    try:
        return await provider.sign_in(form, request)
    except ParvisError as refusal:
        return refusal


async def enter(request: Request, member: int, path: str, *, flash: object = None) -> Response[Any]:
    """Open a session for a member whom a provider or a link vouches for, and go on to `path`.

    A token from before is never kept: whoever planted it gains nothing.
    """
    if former := request.state_of.cookies.get(SESSION):
        await close_session(former)
    token = await open_session(member, request.headers.get("user-agent", ""), request.address)
    response = redirect(request, path, flash=flash)
    keep_cookie(request, response, SESSION, token)
    drop_cookie(request, response, VISIT)
    return response


@post("/sign-out", name="sign_out", status_code=200, opt={"public": True})
async def sign_out(request: Request) -> Response[Any]:
    """End the session here and in the browser; drafts, pictures and a last message kept there go with it."""
    if token := request.state_of.cookies.get(SESSION):
        await close_session(token)
    response = redirect(request, url("sign_in"))
    drop_cookie(request, response, SESSION)
    drop_cookie(request, response, FLASH)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


@get("/sign-in/link/{token:str}", name="sign_in.link", opt={"public": True})
async def show_link(request: Request, token: FromPath[str]) -> Response[Any]:
    """Show the button of a link; opening the address uses nothing, since mail scanners open it too."""
    usable = await is_link_open(token)
    status = 200 if usable else 404
    return await page(request, "parvis/sign_in_link.html", status=status, token=token, usable=usable)


@post("/sign-in/link/{token:str}", name="sign_in.link.use", status_code=200, opt={"public": True})
async def use_link(request: Request, token: FromPath[str]) -> Response[Any]:
    """Use a link: sign in, and choose a password where there is none."""
    await limit(f"address:{network_of(request.address)}", "sign-in-link")
    member = await use_sign_in_link(token, request.address)
    if member is None:
        return await page(request, "parvis/sign_in_link.html", status=404, token=token, usable=False)
    if await Member.password_hash_of(member) is None:
        told = _("You are signed in. Choose a password now.")
        return await enter(request, member, url("preferences") + "#password", flash=told)
    return await enter(request, member, "/")


handlers = [show_sign_in, try_sign_in, sign_out, show_link, use_link]
