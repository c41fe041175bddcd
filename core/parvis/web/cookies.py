"""The cookies Parvis sets, all of them HttpOnly and for this site alone (SameSite=Lax).

Over TLS their names begin with `__Host-` (RFC 6265bis, 4.1.3.2): browsers then take them from this host alone, so that
no sibling host of the same domain can plant a session or the secret of form tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar.datastructures import Cookie

if TYPE_CHECKING:
    from litestar import Response

    from parvis.web.request import Request

SESSION = "parvis_session"
"""The token of a session."""
VISIT = "parvis_visit"
"""The secret behind form tokens of somebody who is not signed in."""
LANGUAGE = "parvis_language"
THEME = "parvis_theme"

# The longest that browsers keep a cookie (RFC 6265bis); when a session ends is known here, not there.
_SECONDS = 400 * 24 * 3600


def cookie_name(name: str, *, secure: bool) -> str:
    """Return the name a cookie has in the browser."""
    return f"__Host-{name}" if secure else name


def keep_cookie(request: Request, response: Response[Any], name: str, value: str) -> None:
    """Let the browser keep a value until it is told otherwise."""
    _set(request, response, name, value, _SECONDS)


def drop_cookie(request: Request, response: Response[Any], name: str) -> None:
    """Let the browser forget a value; it does so only when told with the same attributes."""
    _set(request, response, name, "", 0)


def _set(request: Request, response: Response[Any], name: str, value: str, seconds: int) -> None:
    secure = request.state_of.secure
    response.set_cookie(
        Cookie(
            key=cookie_name(name, secure=secure),
            value=value,
            path="/",
            max_age=seconds,
            httponly=True,
            secure=secure,
            samesite="lax",
        )
    )
