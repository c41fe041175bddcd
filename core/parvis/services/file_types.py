"""What a file is called and served as, decided from its bytes: a name or a browser's word for it proves nothing."""

from __future__ import annotations

import codecs
import re
import unicodedata
from typing import Literal

from parvis.errors import Invalid
from parvis.services.i18n import lazy_gettext as _l

Shape = Literal["free", "square", "cover"]
"""What is made of a picture: as it is, a square for a person, or a wide strip for a space."""
Made = tuple[str, int, int, bytes]
"""One size of a picture: its nominal width, its real width and height in pixels, and its bytes."""

OCTETS = "application/octet-stream"
LONGEST_NAME = 150
"""Bytes of UTF-8 of a kept file name; file systems allow 255, people read fewer."""

_PICTURES = frozenset({"png", "jpg", "jpeg", "jpe", "jfif", "gif", "webp"})
# By first bytes and, where one container holds many formats, by ending. What a browser would run when it opens it
# (HTML, SVG, XML, scripts) is never among them.
_BY_BYTES: tuple[tuple[bytes, int, str, frozenset[str]], ...] = (
    (b"%PDF-", 0, "application/pdf", frozenset({"pdf"})),
    (b"ID3", 0, "audio/mpeg", frozenset({"mp3"})),
    (b"fLaC", 0, "audio/flac", frozenset({"flac"})),
    (b"WAVE", 8, "audio/wav", frozenset({"wav"})),
    (b"ftyp", 4, "video/mp4", frozenset({"mp4", "m4v"})),
    (b"ftyp", 4, "audio/mp4", frozenset({"m4a"})),
    (b"ftypqt", 4, "video/quicktime", frozenset({"mov"})),
    (b"\x1aE\xdf\xa3", 0, "video/webm", frozenset({"webm"})),
    (b"PK\x03\x04", 0, "application/zip", frozenset({"zip"})),
)
_OFFICE = {
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "odt": "application/vnd.oasis.opendocument.text",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "odp": "application/vnd.oasis.opendocument.presentation",
}
_TEXTS = frozenset({"txt", "md", "csv", "tsv", "log"})
# Characters that are not allowed in names on some system people use, and marks that turn a name around so that
# “exe.txt” is read as something else (Unicode TR36, 2.10).
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


def ending(name: str) -> str:
    """Return the ending of a file name in lower case, without its dot; empty when it has none."""
    return name.rpartition(".")[2].lower() if "." in name else ""


def safe_type(name: str, head: bytes) -> str:
    """Return the content type a file is served with, from its first bytes and its ending.

    A short list of types that are only shown or played; everything else is `application/octet-stream`.
    """
    suffix = ending(name)
    for magic, offset, kind, suffixes in _BY_BYTES:
        if suffix in suffixes and head[offset : offset + len(magic)] == magic:
            return kind
    if suffix in _OFFICE and head.startswith(b"PK\x03\x04"):
        return _OFFICE[suffix]
    if suffix in _TEXTS and _is_text(head):
        return "text/plain; charset=utf-8"
    return OCTETS


def _is_text(head: bytes) -> bool:
    try:
        # Not final: a character may be cut in two at the end of the part that was read.
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return not any(unicodedata.category(one) == "Cc" and one not in "\t\n\r\f" for one in text)


def picture_format(head: bytes) -> str | None:
    """Return "PNG", "JPEG", "GIF" or "WEBP" from the first bytes, or None for anything else."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    return None


def looks_like_picture(name: str, head: bytes) -> bool:
    """Whether a file is a picture by its bytes, or claims to be one by its ending and has to prove it."""
    return picture_format(head) is not None or ending(name) in _PICTURES


def clean_name(name: str) -> str:
    """Return a file name fit to be shown and saved anywhere: no folders, no control or reversing characters."""
    name = unicodedata.normalize("NFC", name.encode(errors="replace").decode())
    name = name.replace("\\", "/").rpartition("/")[2]
    name = " ".join(_FORBIDDEN.sub(" ", name).split()).strip(". ")
    if not name:
        return "file"
    if _RESERVED.fullmatch(name):
        name = f"_{name}"
    return _shortened(name)


def _shortened(name: str) -> str:
    if len(name.encode()) <= LONGEST_NAME:
        return name
    stem, dot, suffix = name.rpartition(".")
    if not dot or len(suffix.encode()) > 12:
        stem, suffix = name, ""
    tail = f".{suffix}" if suffix else ""
    room = LONGEST_NAME - len(tail.encode())
    return stem.encode()[:room].decode(errors="ignore").rstrip(". ") + tail


def no_picture() -> Invalid:
    """Return the refusal of a file that claims to be a picture."""
    return Invalid({"file": _l("This is not a picture, or it is damaged. Send a PNG, JPEG, WebP or GIF.")})
