"""Files in a real folder: named by their bytes, whole or absent, and never outside the folder."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parvis.errors import NotFound, StorageFull, TooLarge
from parvis.services import storage as module
from parvis.services.storage import Blob, LocalStorage

DAY = timedelta(days=1)


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "files", reserve=0)


def kept(storage: LocalStorage) -> list[Path]:
    return [path for path in storage.folder.rglob("*") if path.is_file() and path.name != "lock"]


async def test_what_was_put_is_read_back_whole_and_in_parts(storage: LocalStorage) -> None:
    data = os.urandom(700_000)
    blob = await storage.put(stream(data[:10], data[10:300_000], b"", data[300_000:]))
    assert blob == Blob(hashlib.blake2b(data, digest_size=32).hexdigest(), len(data))
    assert await storage.bytes_of(blob.hash) == data
    assert await storage.head(blob.hash, 100) == data[:100]
    assert b"".join([chunk async for chunk in storage.read(blob.hash, 5, 600_005)]) == data[5:600_005]
    assert b"".join([chunk async for chunk in storage.read(blob.hash, 699_990, 10**9)]) == data[699_990:]
    assert b"".join([chunk async for chunk in storage.read(blob.hash, 10, 10)]) == b""
    assert await storage.stat(blob.hash) == blob
    path = storage.path(blob.hash)
    assert path.relative_to(storage.folder) == Path(blob.hash[:2], blob.hash[2:4], blob.hash)
    assert path.stat().st_mode & 0o077 == 0


async def test_the_same_bytes_are_kept_once(storage: LocalStorage) -> None:
    first, second = await asyncio.gather(storage.put(stream(b"same")), storage.put(stream(b"sa", b"me")))
    assert first == second
    assert len(kept(storage)) == 1
    assert await storage.put_bytes(b"other") != first
    assert (await storage.put(stream())).size == 0


async def test_too_much_is_refused_while_it_comes(storage: LocalStorage) -> None:
    given_out = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal given_out
        while True:
            given_out += 1
            yield b"x" * 100_000

    with pytest.raises(TooLarge, match="1 MB"):
        await storage.put(endless(), limit=1_000_000)
    assert given_out == 11
    assert kept(storage) == []
    assert (await storage.put(stream(b"x" * 1000), limit=1000)).size == 1000


async def test_a_full_disk_is_said_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = LocalStorage(tmp_path / "files", reserve=10**18)
    with pytest.raises(StorageFull, match="make room"):
        await full.put(stream(b"x"))
    assert kept(full) == []


async def test_a_file_system_without_room_is_said() -> None:
    """/dev/full is a real device that has no room."""
    incoming = object.__new__(module._Incoming)
    incoming.size, incoming._checked, incoming._digest = 0, 0, hashlib.blake2b()
    with open("/dev/full", "wb", buffering=0) as incoming._file, pytest.raises(StorageFull):
        await LocalStorage(Path("/dev"))._in_thread(incoming.write, b"x")


async def test_a_broken_upload_leaves_nothing(storage: LocalStorage) -> None:
    async def breaks() -> AsyncIterator[bytes]:
        yield b"x" * 600_000
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await storage.put(breaks())

    async def stalls() -> AsyncIterator[bytes]:
        yield b"x" * 600_000
        await asyncio.sleep(60)

    task = asyncio.create_task(storage.put(stalls()))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert kept(storage) == []


@pytest.mark.parametrize(
    "name", ["../secrets.toml", "..", "", "/etc/passwd", "a" * 63, "A" * 64, "é" * 64, "a" * 64 + "\n"]
)
async def test_no_name_leads_outside(storage: LocalStorage, name: str) -> None:
    with pytest.raises(NotFound):
        storage.path(name)
    with pytest.raises(NotFound):
        await storage.head(name)
    with pytest.raises(NotFound):
        await storage.delete(name)


async def test_what_is_not_there(storage: LocalStorage) -> None:
    absent = "0" * 64
    assert await storage.stat(absent) is None
    await storage.delete(absent)
    with pytest.raises(NotFound):
        await storage.bytes_of(absent)
    assert await storage.sweep(set(), older_than=DAY) == 0
    blob = await storage.put_bytes(b"gone")
    await storage.delete(blob.hash)
    assert await storage.stat(blob.hash) is None


async def test_a_sweep_takes_old_blobs_that_nobody_names(storage: LocalStorage) -> None:
    named, old, young, again = [
        await storage.put_bytes(name.encode()) for name in ("named", "old", "young", "again")
    ]
    past = time.time() - 2 * 86_400
    for blob in (named, old, again):
        os.utime(storage.path(blob.hash), (past, past))
    remains = storage.folder / "incoming" / "broken.part"
    remains.write_bytes(b"x")
    os.utime(remains, (past, past))
    await storage.put_bytes(b"again")  # sent again: about to be named
    assert await storage.sweep({named.hash}, older_than=DAY) == 1
    assert await storage.stat(old.hash) is None
    assert all([await storage.stat(blob.hash) for blob in (named, young, again)])
    assert not remains.exists()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.binary(max_size=2000), max_size=20))
def test_any_way_of_cutting_gives_the_same_name(chunks: list[bytes]) -> None:
    import tempfile

    async def put() -> tuple[Blob, bytes]:
        with tempfile.TemporaryDirectory() as folder:
            storage = LocalStorage(Path(folder), reserve=0)
            blob = await storage.put(stream(*chunks))
            return blob, await storage.bytes_of(blob.hash)

    blob, data = asyncio.run(put())
    assert data == b"".join(chunks)
    assert blob.hash == hashlib.blake2b(data, digest_size=32).hexdigest()
