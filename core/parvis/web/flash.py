"""One message for the next page, carried in a signed cookie and shown once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar.datastructures import Cookie

from parvis.services.secrets import sign, unsign
from parvis.web.cookies import cookie_name

NAME = "parvis_flash"
_SECONDS = 120


def flash_cookie(text: str, action: Mapping[str, Any] | None, *, secure: bool, kind: str = "ok") -> Cookie:
    """Return the cookie that carries a message and at most one action: label, url and fields of a POST."""
    payload = msgspec.json.encode({"text": text, "kind": kind, "action": action}).decode()
    return Cookie(
        key=cookie_name(NAME, secure=secure),
        value=sign(payload, "flash", _SECONDS),
        path="/",
        httponly=True,
        secure=secure,
        samesite="lax",
        max_age=_SECONDS,
    )


def read_flash(value: str | None) -> dict[str, Any] | None:
    """Return the message of a cookie, or None when there is none or it was not made here."""
    payload = unsign(value, "flash") if value else None
    if payload is None:
        return None
    found: dict[str, Any] = msgspec.json.decode(payload)
    return found
