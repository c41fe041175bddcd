"""Signing in with e-mail and password, the way to sign in that every instance has at first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from parvis import AuthProvider, PluginInfo, hookimpl
from parvis.people import sign_in
from parvis.services.i18n import lazy_gettext as _l

if TYPE_CHECKING:
    from parvis.web.request import Form, Request

info = PluginInfo(
    label=_l("Sign-in with a password"), summary=_l("Members sign in with e-mail and password."), weight=0
)


async def check_password(form: Form, request: Request) -> int | None:
    """Return the member whose e-mail and password were typed, or None."""
    email, password = form.text("email", limit=320), form.text("password", limit=1000, strip=False)
    return await sign_in.sign_in(email, password, request.address)


@hookimpl
def register_auth_providers() -> Sequence[AuthProvider]:
    """Offer the form with e-mail and password."""
    return (
        AuthProvider(
            name="core.password",
            label=_l("Password"),
            template="parvis/sign_in/_password.html",
            sign_in=check_password,
            weight=10,
        ),
    )
