"""Where a reader goes back to: only to paths of this site, whatever the request says."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from parvis.web.request import Request


def safe_path(wanted: str) -> str:
    """Return the wanted path when it is one of this site, else home.

    Browsers take two slashes of either kind at the beginning for another site's address, and drop tabs and line
    ends before reading.
    """
    if (
        not wanted.startswith("/")
        or wanted[1:2] in ("/", "\\")
        or not wanted.isprintable()
        or len(wanted) > 2000
    ):
        return "/"
    parts = urlsplit(wanted)
    if parts.scheme or parts.netloc or parts.path.startswith(("/sign-in", "/sign-out")):
        return "/"
    return wanted


def former_page(request: Request) -> str:
    """Return the path of the page a button was pressed on, or home; sign-in is a page one stays on here."""
    try:
        parts = urlsplit(request.headers.get("referer", ""))
    except ValueError:
        return "/"
    if parts.netloc != request.headers.get("host", ""):
        return "/"
    if parts.path == "/sign-in":
        return "/sign-in" + (f"?{parts.query}" if parts.query else "")
    return safe_path(parts.path + (f"?{parts.query}" if parts.query else ""))
