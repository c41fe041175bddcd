"""Static files: read once, named by the hash of what they hold, and served for a year."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_CSS_URL = re.compile(r"""url\((['"]?)([^'")]+)\1\)""")
_JS_IMPORT = re.compile(r"""((?:\bfrom|\bimport)\s*\(?\s*)(["'])(\.{1,2}/[^"']+)\2""")
_TEXTUAL = (
    "text/",
    "application/javascript",
    "image/svg+xml",
    "application/manifest+json",
    "application/json",
)

mimetypes.add_type("font/woff2", ".woff2")
mimetypes.add_type("text/javascript", ".js")
mimetypes.add_type("image/webp", ".webp")
mimetypes.add_type("application/manifest+json", ".webmanifest")


@dataclass(frozen=True, slots=True)
class Asset:
    """One static file in memory, with its compressed twin where that is smaller."""

    body: bytes
    compressed: bytes | None
    media_type: str
    tag: str


class StaticFiles:
    """All static files of the core, the theme and the loaded plugins, by hashed and by plain name."""

    def __init__(self) -> None:
        self._plain: dict[str, Asset] = {}
        self._hashed: dict[str, Asset] = {}
        self._names: dict[str, str] = {}
        self._build: str | None = None

    def add_folder(
        self, owner: str, folder: Path, *, layer: str | None = None, only: Collection[str] = ()
    ) -> None:
        """Take every file below `folder` as `<owner>/<path>`; stylesheets go into the CSS layer given.

        `only` names the endings of the files to take; without it all are taken.
        """
        if not folder.is_dir():
            return
        paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
        if only:
            paths = [path for path in paths if path.suffix in only]
        # What names other files by their hashed names comes after them: scripts after vendored ones, styles last.
        rank = {".js": 1, ".css": 2}
        for path in sorted(paths, key=lambda path: (rank.get(path.suffix, 0), "vendor" not in path.parts)):
            name = f"{owner}/{path.relative_to(folder).as_posix()}"
            body = path.read_bytes()
            if path.suffix == ".css":
                body = self._stylesheet(name, body.decode(), layer).encode()
            elif path.suffix == ".js" and "vendor" not in path.parts:
                body = self._script(name, body.decode()).encode()
            self.add(name, body)

    def add(self, name: str, body: bytes) -> None:
        """Take one file under its plain name."""
        media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        if media_type.startswith("text/"):
            media_type += "; charset=utf-8"
        compressed = None
        if media_type.startswith(_TEXTUAL):
            smaller = gzip.compress(body, 9, mtime=0)
            compressed = smaller if len(smaller) < len(body) else None
        tag = hashlib.blake2b(body, digest_size=8).hexdigest()
        stem, dot, suffix = name.rpartition(".")
        hashed = f"{stem}.{tag}{dot}{suffix}" if dot else f"{name}.{tag}"
        asset = Asset(body, compressed, media_type, tag)
        self._plain[name] = asset
        self._hashed[hashed] = asset
        self._names[name] = hashed
        self._build = None

    def _beside(self, name: str, target: str) -> str:
        """Return the address of a file that another file names relatively to itself."""
        parts: list[str] = []
        for part in (*Path(name).parent.parts, *Path(target).parts):
            if part == "..":
                parts.pop()
            elif part != ".":
                parts.append(part)
        return self.url("/".join(parts))

    def _script(self, name: str, text: str) -> str:
        return _JS_IMPORT.sub(lambda match: f'{match[1]}"{self._beside(name, match[3])}"', text)

    def _stylesheet(self, name: str, text: str, layer: str | None) -> str:
        def named(match: re.Match[str]) -> str:
            if match[2].startswith(("data:", "#", "/")):
                return match[0]
            return f'url("{self._beside(name, match[2])}")'

        text = _CSS_URL.sub(named, text)
        return f"@layer {layer} {{\n{text}\n}}\n" if layer else text

    def url(self, name: str) -> str:
        """Return the address of a static file; LookupError names one that does not exist."""
        hashed = self._names.get(name)
        if hashed is None:
            raise LookupError(f"there is no static file {name!r}")
        return f"/static/{hashed}"

    def has(self, name: str) -> bool:
        """Whether a static file of that name exists."""
        return name in self._names

    @property
    def build(self) -> str:
        """A short hash of all names, which changes whenever a file does."""
        if self._build is None:
            self._build = hashlib.blake2b("".join(sorted(self._hashed)).encode(), digest_size=6).hexdigest()
        return self._build

    def answer(
        self, path: str, headers: Mapping[bytes, bytes]
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Return status, headers and body for an address below /static/."""
        name = path.removeprefix("/static/")
        asset = self._hashed.get(name)
        lasting = asset is not None
        asset = asset or self._plain.get(name)
        if asset is None:
            plain = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
            return 404, plain, b"Not found\n"
        tag = f'"{asset.tag}"'.encode()
        answer: list[tuple[bytes, bytes]] = [
            (b"etag", tag),
            (b"vary", b"accept-encoding"),
            (b"cache-control", b"public, max-age=31536000, immutable" if lasting else b"public, max-age=600"),
        ]
        if headers.get(b"if-none-match") == tag:
            return 304, answer, b""
        body = asset.body
        if asset.compressed is not None and b"gzip" in headers.get(b"accept-encoding", b""):
            body = asset.compressed
            answer.append((b"content-encoding", b"gzip"))
        answer.append((b"content-type", asset.media_type.encode()))
        return 200, answer, body


def headers_of(scope: Any) -> dict[bytes, bytes]:
    """Return the headers of an ASGI scope by lower-case name; the last of a repeated one wins."""
    return dict(scope["headers"])
