"""A writer cancelled at a thousand random moments leaves whole transactions, no lock, and no connection behind."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

import pytest
from parvis.data import Engine, Transaction, open_engine, transaction
from parvis.testing import PostgresServer

from .conftest import ADD, ADD_SHORT, said

MOMENTS = 1_000
AT_ONCE = 20
PHASES = ("anywhere", "acquire", "begin", "statement", "commit", "release")


class GaveUpError(Exception):
    """Raised by a writer that rolls back on purpose."""


class Writer:
    """One writer, the moment at which it is cancelled, and what became of it."""

    def __init__(self, number: int, chance: random.Random) -> None:
        self.number = number
        self.aim = chance.choice(PHASES)
        self.rolls_back = self.aim in ("anywhere", "release") and chance.random() < 0.5
        self.by_thread = chance.random() < 0.5
        # Half of the moments are as soon as possible, so that short phases are hit as surely as long ones.
        self.delay = 0.0 if chance.random() < 0.5 else chance.random()
        self.phase = ""
        self.hit = ""
        self.committed = self.acknowledged = False
        self.task: asyncio.Task[None]

    def start(self, longest: float) -> asyncio.Task[None]:
        """Start writing; a moment aimed at no phase lies within `longest` seconds, about what a writer takes."""
        self._longest = longest
        self.task = asyncio.create_task(self._write())
        if self.aim == "anywhere":
            asyncio.get_running_loop().call_later(self.delay * longest, self._cancel)
        return self.task

    def enter(self, phase: str) -> None:
        """Note the phase, and cancel the task at its moment if that is the phase aimed at."""
        self.phase = phase
        if phase == self.aim:
            self.aim = "done"
            if self.delay == 0.0:
                asyncio.get_running_loop().call_soon(self._cancel)
            else:
                asyncio.get_running_loop().call_later(self.delay * self._longest / 10, self._cancel)

    def _cancel(self) -> None:
        if not self.task.done():
            self.hit = self.phase
            self.task.cancel()

    async def _write(self) -> None:
        _writer.set(self)
        self.phase = "acquire"
        async with transaction():
            self.enter("statement")
            await ADD_SHORT(says=f"{self.number} first", number=self.number)
            await (ADD if self.by_thread else ADD_SHORT)(says=f"{self.number} second", number=self.number)
            if self.rolls_back:
                raise GaveUpError
        self.acknowledged = True


_writer: ContextVar[Writer | None] = ContextVar("writer", default=None)


def watch(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell each writer which phase it enters; the engine's own methods do the work."""

    def told(phase: str) -> Any:
        plain = getattr(engine, phase)

        async def run(*args: Any, **kwargs: Any) -> Any:
            writer = _writer.get()
            if writer is not None:
                writer.enter(phase)
            found = await plain(*args, **kwargs)
            if writer is not None and phase == "commit":
                writer.committed = True
            return found

        return run

    for phase in ("acquire", "begin", "commit", "release"):
        monkeypatch.setattr(engine, phase, told(phase))
    plain = engine.begin_now

    def begin_now(connection: Any) -> bool:
        # SQLite begins at once where nobody else writes; every other writer goes the way of those who must wait.
        writer = _writer.get()
        return (writer is None or writer.number % 2 == 0) and plain(connection)

    monkeypatch.setattr(engine, "begin_now", begin_now)


async def test_a_thousand_cancelled_writers(notes: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    watch(notes, monkeypatch)
    chance = random.Random(20261123)
    writers: list[Writer] = []
    longest = 0.05
    while len(writers) < MOMENTS:
        some = [Writer(len(writers) + number, chance) for number in range(AT_ONCE)]
        started = time.monotonic()
        tasks = [writer.start(longest) for writer in some]
        done, stuck = await asyncio.wait(tasks, timeout=20)
        assert not stuck, [writer.phase for writer in some if not writer.task.done()]
        # As long as these took, on this machine under its present load, the next ones take about.
        longest = min(max(time.monotonic() - started, 0.005), 0.5)
        for task in done:
            if not task.cancelled() and task.exception() is not None:
                assert isinstance(task.exception(), GaveUpError)
        writers += some
    after = Writer(MOMENTS, chance)
    after.aim, after.rolls_back = "nothing", False
    await asyncio.wait_for(after.start(0), 20)
    writers.append(after)

    hits = Counter(writer.hit for writer in writers if writer.task.cancelled())
    assert all(hits[phase] >= 10 for phase in PHASES[1:]), hits
    assert sum(writer.acknowledged for writer in writers) > MOMENTS / 20

    halves: dict[int, list[str]] = {}
    for row in await said():
        number, half = row.split()
        halves.setdefault(int(number), []).append(half)
    assert all(sorted(found) == ["first", "second"] for found in halves.values())
    # Exactly what was committed is there, whether or not somebody was left to hear of it.
    assert set(halves) == {writer.number for writer in writers if writer.committed}
    assert {writer.number for writer in writers if writer.acknowledged} <= set(halves)
    assert not any(writer.rolls_back and writer.number in halves for writer in writers)
    await nothing_is_left_behind(notes)


async def nothing_is_left_behind(engine: Engine) -> None:
    assert Transaction.of_task(engine) is None
    if engine.dialect == "sqlite":
        assert not engine.writer.raw.in_transaction
        assert not engine.writer_lock.locked()
        assert engine.writer.is_idle
        return
    open_ones = await engine.fetch(
        "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database()"
        " AND state LIKE 'idle in transaction%'",
        (),
    )
    assert open_ones[0]["n"] == 0
    # All connections of the pool can be had at the same time.
    assert len(await asyncio.gather(*(engine.fetch("SELECT pg_sleep(0.05)", ()) for _ in range(10)))) == 10


async def test_cancelled_readers_do_not_disturb_the_next(notes: Engine) -> None:
    await ADD(says="kept", number=1)
    slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)"
    slow += " SELECT count(*) AS c FROM n"
    for _ in range(20):
        task = asyncio.create_task(notes.fetch(slow, ()))
        await asyncio.sleep(0.002)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert (await asyncio.wait_for(notes.fetch(slow, ()), 20))[0]["c"] == 300_000
    assert await said() == ["kept"]


async def test_a_connection_in_the_making_outlives_who_asked_for_it(postgres_server: PostgresServer) -> None:
    """A busy server takes long to let somebody in; those who give up must not take the connection along."""
    came = 0

    async def busy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal came
        came += 1
        await asyncio.sleep(0.1)
        server = await asyncio.open_connection("127.0.0.1", postgres_server.port)
        await asyncio.gather(pass_on(reader, server[1]), pass_on(server[0], writer))

    async with await asyncio.start_server(busy, "127.0.0.1", 0) as door:
        port = door.sockets[0].getsockname()[1]
        engine = open_engine(f"postgresql://{postgres_server.user}@127.0.0.1:{port}/postgres", pool_size=5)
        await engine.start()
        for _ in range(8):
            impatient = [asyncio.create_task(engine.fetch("SELECT pg_sleep(0.01)", ())) for _ in range(30)]
            await asyncio.sleep(0.02)
            for task in impatient:
                task.cancel()
            await asyncio.gather(*impatient, return_exceptions=True)
        held = [await asyncio.wait_for(engine.acquire(), 10) for _ in range(5)]
        assert len(set(map(id, held))) == 5
        for connection in held:
            await engine.release(connection)
        await asyncio.wait_for(engine.stop(), 10)
    assert came < 20  # five, and those by which statements were cancelled


async def pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await source.read(65_536):
            target.write(data)
            await target.drain()
    target.close()
