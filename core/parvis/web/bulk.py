"""Large pieces of a page, carried as bytes: a template passes on their place, and the page is put together at the end.

A feed of 25 cards is 45 kB of text; copied by every template around it and encoded for every reader it would cost
more than all the queries of the page.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

MARK = f"\x00{secrets.token_hex(8)}\x00"
"""Stands around the name of a place. Nobody can write it: it is another in each process."""


class Bulk(Markup):
    """Safe HTML that a template may print as it is, and do nothing else with; empty like an empty text."""

    name: str
    body: bytes

    def __new__(cls, name: str, body: bytes) -> Bulk:
        """Return the place of `body`; `name` is another for each place of a page."""
        place = super().__new__(cls, f"{MARK}{name}{MARK}" if body else "")
        place.name, place.body = name, body
        return place


def pieces_of(text: str) -> list[Any]:
    """Return what a template printed, cut at its places: bytes and, between them, the names of places."""
    return [part if index % 2 else part.encode() for index, part in enumerate(text.split(MARK))]


def filled(pieces: Sequence[Any], places: Mapping[str, bytes]) -> bytes:
    """Return the bytes of a page with every place filled."""
    return b"".join([places[part] if index % 2 else part for index, part in enumerate(pieces)])


def places_in(context: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the bytes of each Bulk of a template's context, by the name of its place."""
    found = [*context.values(), *context.get("slots", {}).values()]
    return {value.name: value.body for value in found if isinstance(value, Bulk)}


def put_together(text: str, context: Mapping[str, Any]) -> bytes:
    """Return what a template printed, with the bytes of each Bulk of its context in their place."""
    return filled(pieces_of(text), places_in(context)) if MARK in text else text.encode()
