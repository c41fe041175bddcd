"""A writer cancelled at a thousand random moments leaves whole transactions, no lock, and no connection behind."""

from __future__ import annotations

import asyncio
import random

from parvis.data import Engine, Transaction, transaction

from .conftest import ADD, ADD_SHORT, said

MOMENTS = 1_000
AT_ONCE = 20


async def write(number: int, acknowledged: list[int], by_thread: bool) -> None:
    async with transaction():
        await ADD_SHORT(says=f"{number} first", number=number)
        if by_thread:
            await ADD(says=f"{number} second", number=number)
        else:
            await ADD_SHORT(says=f"{number} second", number=number)
    acknowledged.append(number)


async def test_a_thousand_cancelled_writers(notes: Engine) -> None:
    chance = random.Random(20261123)
    acknowledged: list[int] = []
    cancelled = 0
    for start in range(0, MOMENTS, AT_ONCE):
        tasks = [
            asyncio.create_task(write(number, acknowledged, by_thread=number % 2 == 0))
            for number in range(start, start + AT_ONCE)
        ]
        for task in tasks:
            # Between "before it began" and about the time that all of them take.
            asyncio.get_running_loop().call_later(chance.uniform(0, 0.002 * AT_ONCE), task.cancel)
        for task in tasks:
            try:
                await asyncio.wait_for(asyncio.shield(asyncio.gather(task, return_exceptions=True)), 20)
            except asyncio.CancelledError:
                raise AssertionError("the test itself was cancelled") from None
            cancelled += task.cancelled()
    # The moments are spread over the whole life of a writer: many were cut off, many came through.
    assert cancelled > MOMENTS / 10
    assert len(acknowledged) > MOMENTS / 10

    await asyncio.wait_for(write(MOMENTS, acknowledged, by_thread=True), 20)
    assert Transaction.of_task(notes) is None
    rows = await said()
    halves: dict[str, set[str]] = {}
    for row in rows:
        number, half = row.split()
        halves.setdefault(number, set()).add(half)
    assert all(found == {"first", "second"} for found in halves.values())
    assert len(rows) == 2 * len(halves)
    # What was acknowledged is there; what was cancelled while it committed may be there too, as a whole.
    assert {str(number) for number in acknowledged} <= set(halves)
    if notes.dialect == "sqlite":
        assert not notes.writer.raw.in_transaction
        assert not notes.writer_lock.locked()
    else:
        assert len(await asyncio.gather(*(notes.fetch("SELECT pg_sleep(0.05)", ()) for _ in range(10)))) == 10


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
