"""Where files lie: named by what is in them, so that the same bytes are kept once and a name cannot be guessed.

The local driver writes to a temporary file, then renames it into place; nothing half-written is ever found. Who may
read a file is decided by the row that names it, never here.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar

from parvis.errors import NotFound, StorageFull, TooLarge
from parvis.services.i18n import LazyText, format_size
from parvis.services.i18n import lazy_gettext as _l

T = TypeVar("T")

_HASH = re.compile(r"[0-9a-f]{64}")
CHUNK = 256 * 1024
"""Bytes read or written in one go."""
RESERVE = 64 * 1024 * 1024
"""Bytes left free on the disk, so that the database beside can still be written."""
_STALE = 86_400


@dataclass(frozen=True, slots=True)
class Blob:
    """Stored bytes: their BLAKE2b-256 in hex, which is their name, and their size in bytes."""

    hash: str
    size: int


class Storage(Protocol):
    """What a place for files can do."""

    async def put(self, stream: AsyncIterator[bytes], *, limit: int | None = None) -> Blob:
        """Store what is sent and return its name; TooLarge past `limit` bytes, StorageFull without room."""
        ...

    async def put_bytes(self, data: bytes) -> Blob:
        """Store bytes that are in memory already."""
        ...

    def path(self, name: str) -> Path:
        """Return where the bytes of that name can be read as a local file."""
        ...

    def read(self, name: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Yield the bytes from `start` up to and without `end`; NotFound when there are none of that name."""
        ...

    async def head(self, name: str, size: int = 4096) -> bytes:
        """Return the first bytes."""
        ...

    async def stat(self, name: str) -> Blob | None:
        """Return what is stored under a name, or None."""
        ...

    async def delete(self, name: str) -> None:
        """Delete stored bytes; the caller knows that no row names them. Nothing happens when they are gone."""
        ...

    async def sweep(self, named: Collection[str], *, older_than: timedelta) -> int:
        """Delete what is not among `named` and was not put for that long; returns how many."""
        ...


class LocalStorage:
    """Files in a folder of this machine, under the first four digits of their name."""

    def __init__(self, folder: Path, *, reserve: int = RESERVE) -> None:
        self.folder = folder
        self._temporary = folder / "incoming"
        self._reserve = reserve

    def path(self, name: str) -> Path:
        """Return where the bytes of that name lie; NotFound for anything that is no such name, like `../x`."""
        if _HASH.fullmatch(name) is None:
            raise NotFound(_l("There is no such file."))
        return self.folder / name[:2] / name[2:4] / name

    async def put(self, stream: AsyncIterator[bytes], *, limit: int | None = None) -> Blob:
        """Store what is sent and return its name; TooLarge past `limit` bytes, StorageFull without room."""
        incoming = await self._in_thread(self._begin)
        try:
            waiting = bytearray()
            async for chunk in stream:
                waiting += chunk
                if limit is not None and incoming.size + len(waiting) > limit:
                    raise TooLarge(
                        _l(
                            "This file is too large: %(limit)s at most.",
                            limit=LazyText(format_size, (limit,), {}),
                        ),
                        remedy=_l("Send a smaller one, or ask your IT."),
                    )
                if len(waiting) >= CHUNK:
                    await self._in_thread(incoming.write, bytes(waiting))
                    waiting.clear()
            await self._in_thread(incoming.write, bytes(waiting))
            return await self._in_thread(self._keep, incoming)
        finally:
            # Also after a cancellation; the file is small work, and gone already once it was kept.
            incoming.discard()

    async def put_bytes(self, data: bytes) -> Blob:
        """Store bytes that are in memory."""

        async def once() -> AsyncIterator[bytes]:
            yield data

        return await self.put(once())

    async def read(self, name: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Yield the bytes from `start` up to and without `end`; NotFound when there are none of that name."""
        path = self.path(name)
        try:
            file = await asyncio.to_thread(path.open, "rb")
        except FileNotFoundError:
            raise NotFound(_l("There is no such file.")) from None
        try:
            await asyncio.to_thread(file.seek, start)
            left = None if end is None else max(0, end - start)
            while left is None or left > 0:
                chunk = await asyncio.to_thread(file.read, CHUNK if left is None else min(CHUNK, left))
                if not chunk:
                    return
                left = None if left is None else left - len(chunk)
                yield chunk
        finally:
            file.close()

    async def bytes_of(self, name: str) -> bytes:
        """Return everything stored under a name; for what is known to be small."""
        return b"".join([chunk async for chunk in self.read(name)])

    async def head(self, name: str, size: int = 4096) -> bytes:
        """Return the first bytes."""
        return b"".join([chunk async for chunk in self.read(name, 0, size)])

    async def stat(self, name: str) -> Blob | None:
        """Return what is stored under a name, or None."""
        path = self.path(name)
        try:
            return Blob(name, (await asyncio.to_thread(path.stat)).st_size)
        except FileNotFoundError:
            return None

    async def delete(self, name: str) -> None:
        """Delete stored bytes; the caller knows that no row names them. Nothing happens when they are gone."""
        await asyncio.to_thread(self.path(name).unlink, missing_ok=True)

    async def sweep(self, named: Collection[str], *, older_than: timedelta) -> int:
        """Delete what is not among `named` and was not put for that long; returns how many.

        Remains of broken uploads go as well, after a day.
        """
        return await asyncio.to_thread(
            self._sweep, frozenset(named), time.time() - older_than.total_seconds()
        )

    # -- in threads --------------------------------------------------------------------------------------------

    async def _in_thread(self, work: Callable[..., T], *args: object) -> T:
        try:
            return await asyncio.to_thread(work, *args)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise _full() from error
            raise

    def _begin(self) -> _Incoming:
        self._temporary.mkdir(parents=True, exist_ok=True, mode=0o700)
        return _Incoming(self._temporary, self._reserve)

    def _keep(self, incoming: _Incoming) -> Blob:
        blob = incoming.finished()
        path = self.path(blob.hash)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._alone():
            if path.exists():
                # Young again: a sweep under way must not take what a row is about to name.
                os.utime(path)
            else:
                incoming.path.rename(path)
                _sync_folder(path.parent)
        return blob

    def _sweep(self, named: frozenset[str], before: float) -> int:
        count = 0
        for path in self.folder.glob("[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/*"):
            if path.name in named or _HASH.fullmatch(path.name) is None:
                continue
            with self._alone():
                if path.stat().st_mtime < before:
                    path.unlink(missing_ok=True)
                    count += 1
        for path in self._temporary.glob("*.part"):
            if path.stat().st_mtime < time.time() - _STALE:
                path.unlink(missing_ok=True)
        return count

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes and threads from putting and sweeping at this moment."""
        self._temporary.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(self._temporary / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


class _Incoming:
    """A file being received; its methods block, so they run in threads."""

    def __init__(self, folder: Path, reserve: int) -> None:
        self._folder = folder
        self._reserve = reserve
        self._check_room()
        handle, name = tempfile.mkstemp(suffix=".part", dir=folder)
        self.path = Path(name)
        self._file: BinaryIO = os.fdopen(handle, "wb", buffering=0)
        self._digest = hashlib.blake2b(digest_size=32)
        self.size = 0
        self._checked = 0

    def write(self, data: bytes) -> None:
        """Append; the free room is looked at every 8 MB."""
        if self.size - self._checked > 8_000_000:
            self._check_room()
            self._checked = self.size
        self._digest.update(data)
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        self.size += len(data)

    def finished(self) -> Blob:
        """Have everything on the disk and return its name."""
        os.fsync(self._file.fileno())
        self._file.close()
        return Blob(self._digest.hexdigest(), self.size)

    def discard(self) -> None:
        """Close and delete what was not kept."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def _check_room(self) -> None:
        if shutil.disk_usage(self._folder).free < self._reserve:
            raise _full()


def _full() -> StorageFull:
    return StorageFull(
        _l("There is no room left for files on the server."),
        remedy=_l("Nothing was lost. Ask your IT to make room, then send it again."),
    )


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
