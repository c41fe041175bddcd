"""What a transaction promises to the code inside it, and to what waits for its end."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from parvis.data import Engine, Transaction, after_commit, in_transaction, savepoint, transaction
from parvis.data import transactions as module
from parvis.errors import DatabaseUnavailable, Unavailable

from .conftest import ADD, ADD_SHORT, said


async def test_a_block_that_raises_takes_everything_back(notes: Engine) -> None:
    with pytest.raises(ValueError, match="no"):
        async with transaction():
            await ADD(says="lost", number=1)
            await ADD_SHORT(says="lost too", number=1)
            raise ValueError("no")
    assert await said() == []


async def test_reads_inside_see_what_was_written_and_readers_outside_do_not(notes: Engine) -> None:
    seen: list[list[str]] = []

    async def outside() -> None:
        await inside.wait()
        seen.append(await said())

    inside = asyncio.Event()
    reader = asyncio.create_task(outside())
    async with transaction():
        await ADD(says="mine", number=1)
        assert await said() == ["mine"]
        inside.set()
        await reader
    assert seen == [[]]


async def test_an_inner_transaction_joins_the_outer_one(notes: Engine) -> None:
    with pytest.raises(ValueError, match="outer"):
        async with transaction() as outer:
            async with transaction() as inner:
                assert inner is outer
                await ADD(says="inner", number=1)
            raise ValueError("outer")
    assert await said() == []


async def test_what_follows_runs_after_the_commit_only(notes: Engine) -> None:
    told: list[str] = []
    async with transaction():
        after_commit(lambda: told.append("committed"))
        with pytest.raises(ValueError, match="inner"):
            async with savepoint():
                after_commit(lambda: told.append("taken back"))
                raise ValueError("inner")
        assert told == []
    assert told == ["committed"]
    with pytest.raises(ValueError, match="rolled"):
        async with transaction():
            after_commit(lambda: told.append("never"))
            raise ValueError("rolled back")
    assert told == ["committed"]
    after_commit(lambda: told.append("at once"))
    assert told == ["committed", "at once"]


async def test_what_follows_runs_although_the_caller_left_during_the_commit(
    notes: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write stands, so caches must be told and events sent, whether or not somebody still waits."""
    told: list[str] = []
    plain, committing = notes.commit, asyncio.Event()

    async def commit(connection: Any) -> None:
        committing.set()
        await asyncio.sleep(0.02)
        await plain(connection)

    async def write() -> None:
        async with transaction():
            await ADD(says="kept", number=1)
            after_commit(lambda: told.append("told"))

    monkeypatch.setattr(notes, "commit", commit)
    task = asyncio.create_task(write())
    await committing.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await said() == ["kept"]
    assert told == ["told"]


async def test_what_follows_is_not_told_of_a_commit_that_failed(
    notes: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def commit(connection: Any) -> None:
        raise DatabaseUnavailable("the commit failed")

    told: list[str] = []
    monkeypatch.setattr(notes, "commit", commit)
    with pytest.raises(DatabaseUnavailable):
        async with transaction():
            after_commit(lambda: told.append("never"))
    assert told == []


async def test_one_follower_that_fails_keeps_neither_the_others_nor_the_writer(
    notes: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """What was committed cannot be taken back: an error here would tell the writer that nothing was saved."""
    told: list[str] = []

    def fails() -> None:
        raise ValueError("a follower failed")

    async with transaction():
        await ADD(says="kept", number=1)
        after_commit(fails)
        after_commit(lambda: told.append("told"))
    assert told == ["told"]
    assert await said() == ["kept"]
    assert "a follower failed" in caplog.text


async def test_a_statement_that_fails_in_a_savepoint_leaves_the_transaction_usable(notes: Engine) -> None:
    """PostgreSQL refuses every statement after a failed one, until it is taken back."""
    async with transaction():
        await ADD(says="before", number=1)
        for _ in range(3):
            with pytest.raises(Exception, match="nothing_of_this_name"):
                async with savepoint():
                    await ADD(says="taken back", number=1)
                    await notes.fetch("SELECT * FROM nothing_of_this_name", ())
        await ADD(says="after", number=1)
    assert await said() == ["before", "after"]


async def test_a_savepoint_needs_a_transaction(notes: Engine) -> None:
    with pytest.raises(RuntimeError, match="open transaction"):
        async with savepoint():
            pytest.fail("the block ran")
    assert not in_transaction()


async def test_savepoints_stand_inside_each_other(notes: Engine) -> None:
    async with transaction(), savepoint():
        await ADD(says="1", number=1)
        with pytest.raises(ValueError, match="deep"):
            async with savepoint():
                await ADD(says="2", number=1)
                raise ValueError("deep")
        async with savepoint():
            await ADD(says="3", number=1)
    assert await said() == ["1", "3"]


async def test_a_transaction_open_too_long_is_logged_then_rolled_back(
    notes: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "SLOW", 0.02)
    with caplog.at_level(logging.WARNING, "parvis.data"), pytest.raises(Unavailable, match=r"0\.1 s"):
        async with Transaction(notes, "somebody", longest=0.1):
            await ADD(says="lost", number=1)
            await asyncio.sleep(5)
    assert "somebody" in caplog.text
    assert await said() == []
    await ADD(says="kept", number=1)
    assert await said() == ["kept"]


async def test_the_owner_is_named_after_who_opened_it(notes: Engine) -> None:
    async with transaction() as current:
        assert current.owner.endswith("test_the_owner_is_named_after_who_opened_it")


async def test_writers_come_one_after_the_other_and_none_is_lost(notes: Engine) -> None:
    async def some(name: int) -> None:
        for number in range(10):
            async with transaction():
                await ADD_SHORT(says=f"{name}.{number} a", number=number)
                await asyncio.sleep(0)
                await ADD(says=f"{name}.{number} b", number=number)

    await asyncio.gather(*(some(name) for name in range(12)))
    assert len(await said()) == 240


async def test_writers_wait_for_a_connection_and_all_get_one(notes: Engine) -> None:
    async def slow(number: int) -> None:
        async with transaction():
            await ADD(says=str(number), number=number)
            await asyncio.sleep(0.01)

    await asyncio.wait_for(asyncio.gather(*(slow(number) for number in range(30))), 30)
    assert sorted(map(int, await said())) == list(range(30))


async def test_a_waiter_that_gives_up_leaves_its_turn_to_the_next(notes: Engine) -> None:
    gate = asyncio.Event()

    async def holds() -> None:
        async with transaction():
            await gate.wait()

    async def wants(name: str) -> None:
        async with transaction():
            await ADD(says=name, number=0)

    count = 1 if notes.dialect == "sqlite" else 10
    holders = [asyncio.create_task(holds()) for _ in range(count)]
    await asyncio.sleep(0.1)
    impatient: list[Any] = [asyncio.create_task(wants("impatient")) for _ in range(5)]
    patient = asyncio.create_task(wants("patient"))
    await asyncio.sleep(0.02)
    gate.set()
    for task in impatient:
        task.cancel()
    await asyncio.wait_for(asyncio.gather(*holders, patient), 10)
    await asyncio.gather(*impatient, return_exceptions=True)
    assert "patient" in await said()
