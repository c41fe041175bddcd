"""The cookies Parvis sets, all of them HttpOnly and for this site alone (SameSite=Lax)."""

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


def keep_cookie(request: Request, response: Response[Any], name: str, value: str) -> None:
    """Let the browser keep a value until it is told otherwise."""
    response.set_cookie(
        Cookie(
            key=name,
            value=value,
            path="/",
            max_age=_SECONDS,
            httponly=True,
            secure=request.state_of.secure,
            samesite="lax",
        )
    )


def drop_cookie(response: Response[Any], name: str) -> None:
    """Let the browser forget a value."""
    response.delete_cookie(name, path="/")
