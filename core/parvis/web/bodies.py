"""The bodies of forms, read within bounds and into texts that every database takes.

Litestar's own reading keeps the last thousand bodies of plain forms, passwords and all, and lets a part of a
multipart form name a charset that does not exist.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from litestar._multipart import parse_multipart_form
from litestar.enums import RequestEncodingType
from litestar.exceptions import ClientException

from parvis.errors import TooLarge

if TYPE_CHECKING:
    from parvis.web.request import Request

MOST_BYTES = 2_000_000
"""Of a form without files, and of any form that nobody signed in sends; files have their own limit."""
MOST_FIELDS = 1000


async def read_form(request: Request) -> dict[str, Any]:
    """Return the fields of a form by name: a text, an upload, or a list of both; empty for any other body.

    Raises TooLarge past the bounds above, and Litestar's ClientException (400) for what cannot be read.
    """
    kind, options = request.content_type
    plain = kind == RequestEncodingType.URL_ENCODED
    stream = _bounded(request) if plain or not request.actor.is_member else request.stream()
    if plain:
        return _plain_fields(b"".join([chunk async for chunk in stream]))
    if kind != RequestEncodingType.MULTI_PART:
        return {}
    try:
        fields = await parse_multipart_form(
            stream=stream,
            boundary=options.get("boundary", "").encode(),
            multipart_form_part_limit=MOST_FIELDS,
        )
    except (LookupError, UnicodeError) as error:
        raise ClientException("a part of the form is in no known charset") from error
    return {_clean(name): _clean(value) for name, value in fields.items()}


async def _bounded(request: Request) -> AsyncGenerator[bytes, None]:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MOST_BYTES:
            raise TooLarge()
        yield chunk


def _plain_fields(body: bytes) -> dict[str, Any]:
    text = body.decode("utf-8", "replace")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise ClientException("too many fields") from error
    found: dict[str, Any] = {}
    for name, value in pairs:
        found.setdefault(_clean(name), []).append(_clean(value))
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


def _clean(value: Any) -> Any:
    """Return texts without what PostgreSQL (NUL) or UTF-8 (halves of pairs) cannot hold; uploads as they are."""
    if isinstance(value, list):
        return [_clean(one) for one in value]
    if not isinstance(value, str):
        return value
    return value.replace("\x00", "").encode("utf-8", "replace").decode()
