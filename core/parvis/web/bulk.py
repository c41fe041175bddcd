"""Large pieces of a page, carried as bytes: a template passes on their place, and the page is put together at the end.

A feed of 25 cards is 45 kB of text; copied by every template around it and encoded for every reader it would cost
more than all the queries of the page.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

MARK = f"\x00{secrets.token_hex(8)}\x00"
"""Stands around the name of a place. Nobody can write it: it is another in each process."""


class Bulk(Markup):
    """Safe HTML that a template may print as it is, and do nothing else with; empty like an empty text."""

    body: bytes

    def __new__(cls, name: str, body: bytes) -> Bulk:
        """Return the place of `body`; `name` is the name the template knows it by."""
        place = super().__new__(cls, f"{MARK}{name}{MARK}" if body else "")
        place.body = body
        return place


def put_together(text: str, context: Mapping[str, Any]) -> bytes:
    """Return what a template printed, with the bytes of each Bulk of its context in their place."""
    if MARK not in text:
        return text.encode()
    places = {str(value): value.body for value in context.values() if isinstance(value, Bulk)}
    places |= {
        str(value): value.body for value in context.get("slots", {}).values() if isinstance(value, Bulk)
    }
    parts = text.split(MARK)
    return b"".join(
        [places[f"{MARK}{part}{MARK}"] if index % 2 else part.encode() for index, part in enumerate(parts)]
    )
