"""A server that cannot be used says why and what to do, and nothing that was acknowledged is lost."""

from __future__ import annotations

import asyncio
import os
import secrets
import shlex
import signal
import subprocess
import time
from collections.abc import AsyncIterator

import pytest
from parvis.data import PostgresEngine, PreparedSQL, bind, open_engine, transaction
from parvis.data.migrations import Schema, pk, text
from parvis.errors import DatabaseUnavailable
from parvis.testing import PostgresServer, free_port, running_postgres

ADD = PreparedSQL("INSERT INTO note (says) VALUES (:says)", short=True)
SAYS = PreparedSQL("SELECT says FROM note ORDER BY id")


async def said() -> list[str]:
    return [row["says"] for row in await SAYS()]


async def test_a_server_that_does_not_answer() -> None:
    port = free_port()
    with pytest.raises(DatabaseUnavailable, match=f"127.0.0.1:{port}/parvis does not answer") as raised:
        await open_engine(f"postgresql://parvis:secret@127.0.0.1:{port}/parvis").start()
    assert "secret" not in str(raised.value)
    assert raised.value.remedy


async def test_a_server_that_goes_away_and_comes_back() -> None:
    with running_postgres(durable=False) as server:
        engine = open_engine(server.url(), pool_size=3)
        await engine.start()
        bind(engine)
        try:
            await Schema(engine).create_table("note", pk(), text("says"))
            await asyncio.gather(*(ADD(says="before") for _ in range(3)))
            # The server ends every connection, as it does when it is restarted.
            ends = (
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
            lost = 0
            for _ in range(5):
                try:
                    async with transaction():
                        await engine.fetch(ends, ())
                        await ADD(says="in between")
                        await engine.fetch("SELECT pg_terminate_backend(pg_backend_pid())", ())
                except DatabaseUnavailable:
                    lost += 1
            assert lost == 5
            await asyncio.wait_for(asyncio.gather(*(ADD(says="after") for _ in range(6))), 20)
            assert sorted(await said()) == ["after"] * 6 + ["before"] * 3
        finally:
            bind(None)
            await engine.stop()


def restarted(server: PostgresServer, *, wait: float) -> subprocess.Popen[bytes]:
    """Kill a server as a crash would, and start it again with the same options after `wait` seconds."""
    data = server.folder / "data"
    options = shlex.split((data / "postmaster.opts").read_text())
    os.kill(int((data / "postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
    while (data / "postmaster.pid").exists():
        time.sleep(0.02)
    time.sleep(wait)
    account = (
        {} if os.geteuid() else {"user": data.stat().st_uid, "group": data.stat().st_gid, "extra_groups": []}
    )
    return subprocess.Popen(
        options, cwd=server.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **account
    )


async def test_a_server_that_crashes_and_comes_back_has_what_was_acknowledged() -> None:
    with running_postgres(durable=True) as server:
        engine = open_engine(server.url(), pool_size=3)
        await engine.start()
        bind(engine)
        acknowledged: list[str] = []
        refused = 0

        async def write(name: int) -> None:
            nonlocal refused
            number = 0
            while not over.is_set():
                number += 1
                try:
                    async with transaction():
                        await ADD(says=f"{name}.{number} a")
                        await ADD(says=f"{name}.{number} b")
                except DatabaseUnavailable:
                    refused += 1
                    await asyncio.sleep(0.02)
                else:
                    acknowledged.append(f"{name}.{number}")

        over = asyncio.Event()
        await Schema(engine).create_table("note", pk(), text("says"))
        writers = [asyncio.create_task(write(name)) for name in range(6)]
        await asyncio.sleep(0.3)
        before = len(acknowledged)
        again = await asyncio.to_thread(restarted, server, wait=0.3)
        try:
            deadline = time.monotonic() + 20
            while len(acknowledged) < before + 20 and time.monotonic() < deadline:
                await asyncio.sleep(0.05)
            over.set()
            await asyncio.wait_for(asyncio.gather(*writers), 20)
            assert before > 0
            assert refused > 0
            assert len(acknowledged) >= before + 20
            halves: dict[str, set[str]] = {}
            for row in await said():
                number, half = row.split()
                halves.setdefault(number, set()).add(half)
            assert all(found == {"a", "b"} for found in halves.values())
            assert set(acknowledged) <= set(halves)
        finally:
            bind(None)
            await engine.stop()
            again.terminate()
            again.wait(20)


@pytest.fixture
async def postgres(postgres_server: PostgresServer) -> AsyncIterator[PostgresEngine]:
    name = f"fault_{secrets.token_hex(6)}"
    admin = open_engine(postgres_server.url())
    await admin.start()
    await admin.fetch(f"CREATE DATABASE {name}", ())
    await admin.stop()
    opened = open_engine(postgres_server.url(name))
    assert isinstance(opened, PostgresEngine)
    await opened.start()
    bind(opened)
    await Schema(opened).create_table("note", pk(), text("says"))
    await ADD(says="before")
    yield opened
    bind(None)
    await opened.stop()


async def test_a_server_that_takes_no_writes(postgres: PostgresEngine) -> None:
    """As one that follows another server, or that was made read-only since its disk is nearly full."""
    await postgres.fetch("SELECT set_config('default_transaction_read_only', 'on', false)", ())
    with pytest.raises(DatabaseUnavailable, match="cannot be written") as raised:
        await ADD(says="lost")
    with pytest.raises(DatabaseUnavailable, match="cannot be written"):
        async with transaction():
            await ADD(says="lost")
    assert "takes writes" in str(raised.value.remedy)
    assert await said() == ["before"]
    await postgres.fetch("SELECT set_config('default_transaction_read_only', 'off', false)", ())
    await ADD(says="after")
    assert await said() == ["before", "after"]


async def test_a_server_without_room(postgres: PostgresEngine) -> None:
    await postgres.fetch("SELECT set_config('temp_file_limit', '64kB', false)", ())
    await postgres.fetch("SELECT set_config('work_mem', '64kB', false)", ())
    with pytest.raises(DatabaseUnavailable, match="no room left") as raised:
        await postgres.fetch("SELECT i FROM generate_series(1, 200000) i ORDER BY -i", ())
    assert "Make room" in str(raised.value.remedy)
    await ADD(says="after")
    assert await said() == ["before", "after"]


async def test_a_server_that_is_full_of_others(
    postgres_server: PostgresServer, postgres: PostgresEngine
) -> None:
    name = (await postgres.fetch("SELECT current_database() AS name", ()))[0]["name"]
    await postgres.fetch("CREATE ROLE visitor LOGIN CONNECTION LIMIT 0", ())
    try:
        url = postgres_server.url(name).replace(f"//{postgres_server.user}@", "//visitor@")
        with pytest.raises(DatabaseUnavailable, match="does not answer: too many connections"):
            await open_engine(url).start()
    finally:
        await postgres.fetch("DROP ROLE visitor", ())
