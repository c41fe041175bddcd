"""The door of every handler: signed in unless it says it is public, and no request forged from elsewhere."""

from __future__ import annotations

import hmac
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from parvis.errors import Forbidden, NotFound, SignInRequired
from parvis.services.i18n import lazy_gettext as _l
from parvis.services.secrets import unmask
from parvis.web.request import Request, state_in

LAST_ID = 2**63 - 1
"""No number in an address names anything above it: neither database could even be asked."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


async def door(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Refuse strangers and forged requests; a handler is open to strangers only by `opt={"public": True}`.

    Forged requests: `Sec-Fetch-Site` or `Origin` tells where a request comes from (the outer wrapper refuses
    other sites), and the session's own token must come along as header or field.
    """
    numbers: dict[str, Any] = connection.path_params  # typed as texts, parsed as routes say
    if any(isinstance(value, int) and value > LAST_ID for value in numbers.values()):
        raise NotFound()
    state = state_in(connection.scope)
    if state.actor.member is None and not handler.opt.get("public"):
        raise SignInRequired()
    if connection.scope.get("method") in SAFE or handler.opt.get("own_door"):
        return
    token = connection.headers.get("X-CSRF-Token")
    # A body that the handler reads as it comes is not read here before it: its token is in the header.
    if token is None and isinstance(connection, Request) and not handler.opt.get("streams"):
        value = (await connection.form()).get("csrf")
        token = value if isinstance(value, str) else None
    secret = unmask(token) if token else None
    if secret is None or not state.secret or not hmac.compare_digest(secret, state.secret):
        raise Forbidden(
            _l("This page was open for too long, or the request came from elsewhere."),
            remedy=_l("Load the page again, then send once more."),
        )
