"""Files over HTTP: served through the access of what they are attached to, received as raw bytes or as a form."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote, unquote

from litestar import Response, delete, get, put
from litestar.params import FromPath, FromQuery
from litestar.response import Stream

from parvis.content import access_file, drop_file, receive_file
from parvis.content.files import StoredFile
from parvis.errors import NotFound, TooLarge
from parvis.services.i18n import lazy_gettext as _l
from parvis.services.pictures import Shape
from parvis.site import current
from parvis.web.request import Request

_RANGE = re.compile(r"bytes=(\d*)-(\d*)$", re.ASCII)
_LAST_BYTE = 10**18
_INLINE = ("application/pdf", "text/plain; charset=utf-8")


@get("/f/{file_id:int}", name="files.show")
async def show_file(
    request: Request, file_id: FromPath[int], size: FromQuery[str] = "", download: FromQuery[bool] = False
) -> Response[Any]:
    """Send a file, whole or a range of it (RFC 9110), to who may read what it is attached to.

    Pictures come in the size asked for or the next larger one; everything else is downloaded, never run here.
    """
    file = await access_file(request.actor, file_id)
    blob, media_type, length = _chosen(file, size)
    tag = f'"{blob[:32]}"'
    headers = {
        "ETag": tag,
        "Cache-Control": "private, max-age=31536000, immutable" if file.is_picture else "private, no-cache",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Accept-Ranges": "bytes",
        "Content-Disposition": _disposition(file, download=download),
    }
    if request.headers.get("if-none-match") == tag:
        return Response(b"", status_code=304, headers=headers, media_type=media_type)
    start, end = 0, length - 1
    status = 200
    wanted = request.headers.get("range")
    if wanted and request.headers.get("if-range", tag) == tag:
        found = _range(wanted, length)
        if found is None:
            headers["Content-Range"] = f"bytes */{length}"
            return Response(b"", status_code=416, headers=headers, media_type=media_type)
        if found != (0, length - 1):
            start, end = found
            status = 206
            headers["Content-Range"] = f"bytes {start}-{end}/{length}"
    headers["Content-Length"] = str(end - start + 1)
    chunks = current().storage.read(blob, start, end + 1)
    return Stream(chunks, status_code=status, headers=headers, media_type=media_type)


def _chosen(file: StoredFile, size: str) -> tuple[str, str, int]:
    """Return hash, type and length of the bytes to send: for pictures the best variant."""
    if not file.is_picture or not file.variants:
        return file.hash, file.type, file.size
    if size not in file.variants:
        numbers = sorted((int(name), name) for name in file.variants if name.isdigit())
        wanted = int(size) if size.isascii() and size.isdigit() and len(size) < 6 else 1600
        size = next((name for number, name in numbers if number >= wanted), numbers[-1][1])
    chosen = file.variants[size]
    return chosen["hash"], file.type, chosen["size"]


def _disposition(file: StoredFile, *, download: bool) -> str:
    """Name the file for its reader (RFC 6266); only pictures re-encoded here are shown in place."""
    name = file.name.rpartition(".")[0] + ".webp" if file.is_picture else file.name
    how = "inline" if file.is_picture and not download else "attachment"
    return f"{how}; filename*=UTF-8''{quote(name, safe='')}"


def _range(text: str, length: int) -> tuple[int, int] | None:
    """Read one byte range; None when it cannot be satisfied, the whole when it is not understood."""
    match = _RANGE.match(text.strip())
    if match is None or not (match[1] or match[2]):
        return 0, length - 1
    if not match[1]:
        last = min(_number(match[2]), length)
        return (length - last, length - 1) if last else None
    start = _number(match[1])
    end = min(_number(match[2]), length - 1) if match[2] else length - 1
    return (start, end) if start <= end and start < length else None


def _number(digits: str) -> int:
    # Python refuses to read thousands of digits; no file has so many bytes.
    return int(digits) if len(digits) < 18 else _LAST_BYTE


@put("/files", name="files.receive", status_code=201, opt={"streams": True})
async def receive(request: Request) -> dict[str, Any]:
    """Receive one file as the raw body, with its name in `X-File-Name` (percent-encoded)."""
    limit = current().config.files.max_upload_mb * 1_000_000
    told = request.headers.get("content-length", "0")
    if told.isdigit() and int(told) > limit:
        raise TooLarge(_l("This file is too large."), remedy=_l("Send a smaller one, or ask your IT."))
    name = unquote(request.headers.get("X-File-Name", "file"))
    file = await receive_file(request.actor, name, request.stream())
    return shown(file)


@delete("/files/{file_id:int}", name="files.drop", status_code=204)
async def drop(request: Request, file_id: FromPath[int]) -> None:
    """Delete one's own file before it was attached to anything."""
    await drop_file(request.actor, file_id)


def shown(file: StoredFile) -> dict[str, Any]:
    """Return what the page needs to show a received file."""
    return {
        "id": file.id,
        "name": file.name,
        "kind": file.kind,
        "size": file.size,
        "url": file.url,
        "width": file.width,
        "height": file.height,
    }


async def receive_upload(
    request: Request, upload: Any, *, alt: str = "", shape: Shape = "free"
) -> StoredFile:
    """Receive a file of a multipart form, the way without script; a picture is cut to `shape`."""

    async def chunks() -> AsyncIterator[bytes]:
        await upload.seek(0)
        while chunk := await upload.read(65536):
            yield chunk

    if not upload.filename:
        raise NotFound()
    return await receive_file(request.actor, upload.filename, chunks(), alt=alt, shape=shape)


handlers = [show_file, receive, drop]
