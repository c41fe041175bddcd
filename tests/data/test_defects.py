"""What Piccolo 1.38 gets wrong with transactions and SQLite: each defect has a test that our engines pass."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

import pytest
from parvis.data import Engine, Table, Transaction, savepoint, spawn, transaction
from parvis.data.migrations import Schema, pk, ref, text
from parvis.data.transactions import uninterrupted
from parvis.errors import DatabaseUnavailable
from piccolo.columns import BigInt, BigSerial, Text

from .conftest import ADD, ADD_SHORT, said


class Note(Table, tablename="note"):
    id = BigSerial(primary_key=True)
    says = Text()
    number = BigInt(default=0)


def fail_commits(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    async def commit(connection: Any) -> None:
        raise DatabaseUnavailable("the commit failed")

    monkeypatch.setattr(engine, "commit", commit)


async def test_a_commit_that_fails_gives_its_connection_back(
    notes: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def in_transaction() -> None:
        async with transaction():
            await ADD(says="lost", number=1)

    with monkeypatch.context() as patch:
        fail_commits(notes, patch)
        for _ in range(25):  # more often than there are connections
            with pytest.raises(DatabaseUnavailable):
                await in_transaction()
            assert Transaction.of_task(notes) is None
    await ADD(says="kept", number=1)
    assert await said() == ["kept"]


async def test_a_constraint_checked_at_commit_fails_cleanly(notes: Engine) -> None:
    if notes.dialect == "sqlite":
        await notes.fetch(
            "CREATE TABLE child (note INTEGER REFERENCES note (id) DEFERRABLE INITIALLY DEFERRED)", ()
        )
    else:
        await notes.fetch(
            "CREATE TABLE child (note BIGINT REFERENCES note (id) DEFERRABLE INITIALLY DEFERRED)", ()
        )
    for _ in range(25):
        with pytest.raises(Exception, match=r"(?i)foreign key"):
            await notes.fetch("INSERT INTO child (note) VALUES (4711)", ())
    await ADD(says="kept", number=1)
    assert await said() == ["kept"]
    assert await notes.fetch("SELECT * FROM child", ()) == []


async def test_a_begin_that_fails_gives_its_connection_back(
    notes: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def begin(connection: Any, *, keys: bool = True) -> None:
        raise DatabaseUnavailable("no begin")

    with monkeypatch.context() as patch:
        patch.setattr(notes, "begin", begin)
        patch.setattr(notes, "begin_now", lambda connection: False)
        for _ in range(25):
            with pytest.raises(DatabaseUnavailable):
                async with transaction():
                    pytest.fail("the block ran without a transaction")
    await ADD(says="kept", number=1)
    assert await said() == ["kept"]


async def test_a_begin_that_is_cancelled_gives_its_connection_back(
    notes: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, entered = notes.begin, asyncio.Event()

    async def begin(connection: Any, *, keys: bool = True) -> None:
        entered.set()
        await asyncio.sleep(0.02)
        await plain(connection, keys=keys)

    async def write() -> None:
        async with transaction():
            await ADD(says="lost", number=1)

    with monkeypatch.context() as patch:
        patch.setattr(notes, "begin", begin)
        patch.setattr(notes, "begin_now", lambda connection: False)
        for _ in range(25):
            entered.clear()
            task = asyncio.create_task(write())
            await entered.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    await ADD(says="kept", number=1)
    assert await said() == ["kept"]


async def test_transactions_take_the_write_lock_at_their_beginning(notes: Engine) -> None:
    """DEFERRED, Piccolo's default, reads first and then fails with "database is locked" when it wants to write."""
    await ADD(says="0", number=0)

    async def raise_it() -> None:
        for _ in range(20):
            async with transaction():
                lock = "" if notes.dialect == "sqlite" else " FOR UPDATE"
                rows = await notes.fetch(f"SELECT number FROM note{lock}", ())
                await asyncio.sleep(0)
                mark = "?" if notes.dialect == "sqlite" else "$1"
                await notes.fetch(f"UPDATE note SET number = {mark}", [rows[0]["number"] + 1])

    await asyncio.gather(*(raise_it() for _ in range(8)))
    assert (await notes.fetch("SELECT number FROM note", ()))[0]["number"] == 160


async def test_an_inner_failure_that_is_caught_takes_back_the_inner_writes(notes: Engine) -> None:
    async with transaction():
        await ADD(says="outer", number=1)
        with pytest.raises(ValueError, match="inner"):
            async with savepoint():
                await ADD(says="inner", number=1)
                raise ValueError("inner failed")
        await ADD(says="after", number=1)
    assert await said() == ["outer", "after"]


async def test_a_task_started_inside_does_not_write_into_the_transaction(notes: Engine) -> None:
    async def beside() -> None:
        assert Transaction.of_task(notes) is None
        await ADD(says="beside", number=1)

    async with transaction():
        await ADD(says="inside", number=1)
        task = spawn(beside())
        await asyncio.sleep(0.02)
        if notes.dialect == "sqlite":
            assert not task.done()  # one writer: it waits for this transaction
    await task
    assert sorted(await said()) == ["beside", "inside"]


async def test_a_task_that_inherited_the_context_is_told_so(notes: Engine) -> None:
    """Stock Piccolo runs its statements on the finished connection of the transaction it was started in."""

    async def late() -> None:
        await left.wait()
        await ADD(says="late", number=1)

    left = asyncio.Event()
    async with transaction():
        await ADD(says="inside", number=1)
        task = asyncio.create_task(late())
    left.set()
    await task
    assert await said() == ["inside", "late"]

    async def inside() -> None:
        await ADD(says="lost", number=2)

    async def in_a_transaction() -> None:
        async with transaction():
            await ADD(says="lost", number=2)

    async def reads() -> list[str]:
        return await said()

    async with transaction():
        await ADD(says="mine", number=2)
        for wrong in (inside, in_a_transaction):
            with pytest.raises(RuntimeError, match="spawn"):
                await asyncio.create_task(wrong())
        # `wait_for` starts a task too: what is read there is what others see.
        assert await asyncio.wait_for(reads(), 10) == ["inside", "late"]
    assert await said() == ["inside", "late", "mine"]


async def test_batches_take_more_than_one_argument(notes: Engine) -> None:
    for number in range(10):
        await ADD(says=str(number), number=number)
    query = Note.select(Note.says).where((Note.number >= 2) & (Note.number < 8)).order_by(Note.number)
    found = []
    async with await query.batch(batch_size=4) as batches:
        async for rows in batches:
            found.append([row["says"] for row in rows])
    assert found == [["2", "3", "4", "5"], ["6", "7"]]


async def test_dropping_a_table_keeps_the_rows_that_refer_to_it(notes: Engine) -> None:
    """With foreign keys on, SQLite deletes the cascading children of a table that is dropped to be rebuilt."""
    schema = Schema(notes)
    await schema.create_table("child", pk(), ref("note", on_delete="CASCADE"))
    row = await ADD_SHORT.one(says="parent", number=1)
    assert row is not None
    await notes.fetch(f"INSERT INTO child (note) VALUES ({row['id']})", ())
    async with Transaction(notes, keys=False):
        await schema.rebuild_table("note", pk(), text("says"), copy={"id": "id", "says": "says"})
    assert [row["note"] for row in await notes.fetch("SELECT note FROM child", ())] == [row["id"]]
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        await notes.fetch("INSERT INTO child (note) VALUES (4711)", ())


async def test_keys_are_enforced_again_after_a_begin_without_them_failed(
    notes: Engine, tmp_path: Any
) -> None:
    if notes.dialect == "postgres":
        return  # there they are never switched off
    other = sqlite3.connect(notes.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    notes.writer.raw.execute("PRAGMA busy_timeout=10")
    with pytest.raises(DatabaseUnavailable, match="locked"):
        async with Transaction(notes, keys=False):
            pytest.fail("began while another program writes")
    other.execute("ROLLBACK")
    other.close()
    assert notes.writer.raw.execute("PRAGMA foreign_keys").fetchone() == (1,)


async def test_what_is_shielded_is_waited_for(engine: Engine) -> None:
    done = []

    async def work() -> str:
        await asyncio.sleep(0.03)
        done.append("done")
        return "result"

    task = asyncio.create_task(uninterrupted(work()))
    await asyncio.sleep(0.01)
    task.cancel()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["done"]


async def test_moments_come_back_as_they_went_in_and_sort_as_text(notes: Engine) -> None:
    from datetime import UTC, datetime, timedelta, timezone

    await Schema(notes).create_table("moment", pk(), text("says"))
    kind = "TIMESTAMPTZ"
    await notes.fetch(f"ALTER TABLE moment ADD COLUMN at {kind}", ())
    mark = "?" if notes.dialect == "sqlite" else "$1"
    given = [
        datetime(2026, 3, 29, 2, 30, tzinfo=timezone(timedelta(hours=2))),
        datetime(2026, 3, 29, 0, 30, 0, 1, tzinfo=UTC),
        datetime(2026, 3, 29, 0, 29, 59, 999_999, tzinfo=UTC),
    ]
    for moment in given:
        await notes.fetch(f"INSERT INTO moment (says, at) VALUES ('', {mark})", [moment])
    rows = [row["at"] for row in await notes.fetch("SELECT at FROM moment ORDER BY at", ())]
    assert rows == sorted(given)
    assert all(row.tzinfo is not None for row in rows)
