"""A database that cannot be used says why and what to do, and nothing that was saved is lost."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from parvis.data import PreparedSQL, bind, open_engine, transaction
from parvis.data.migrations import Schema, pk, text
from parvis.data.sqlite import SQLiteEngine
from parvis.data.sqlite_faults import unavailable
from parvis.errors import ConfigError, DatabaseUnavailable

ADD = PreparedSQL("INSERT INTO note (says) VALUES (:says)", short=True)
SAYS = PreparedSQL("SELECT says FROM note ORDER BY id")


async def said() -> list[str]:
    return [row["says"] for row in await SAYS()]


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[SQLiteEngine]:
    opened = open_engine(f"sqlite:///{tmp_path / 'db' / 'parvis.db'}")
    assert isinstance(opened, SQLiteEngine)
    (tmp_path / "db").mkdir()
    await opened.start()
    bind(opened)
    await Schema(opened).create_table("note", pk(), text("says"))
    await ADD(says="before")
    yield opened
    bind(None)
    await opened.stop()


async def test_another_program_that_holds_the_lock(
    sqlite: SQLiteEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parvis.data.sqlite.WAIT", "PRAGMA busy_timeout=50")
    other = sqlite3.connect(sqlite.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseUnavailable, match="locked by another program") as raised:
        await ADD(says="lost")
    assert "Wait" in str(raised.value.remedy)
    assert await said() == ["before"]  # reading goes on
    other.execute("ROLLBACK")
    other.close()
    await ADD(says="after")
    assert await said() == ["before", "after"]


async def test_a_writer_waits_for_another_program_that_ends_in_time(sqlite: SQLiteEngine) -> None:
    other = sqlite3.connect(sqlite.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    task = asyncio.create_task(ADD(says="after"))
    await asyncio.sleep(0.3)
    assert not task.done()
    other.execute("COMMIT")
    other.close()
    await asyncio.wait_for(task, 10)
    assert await said() == ["before", "after"]


@contextmanager
def full_disk(engine: SQLiteEngine) -> Iterator[None]:
    """Let the file grow by two pages, as on a disk that has room for no more."""
    raw = engine.writer.raw
    raw.execute(f"PRAGMA max_page_count={raw.execute('PRAGMA page_count').fetchone()[0] + 2}")
    yield
    raw.execute("PRAGMA max_page_count=1000000")


@pytest.mark.parametrize("short", [True, False])
async def test_a_full_disk_loses_nothing_that_was_saved(sqlite: SQLiteEngine, short: bool) -> None:
    add = PreparedSQL(ADD.text, short=short)
    with full_disk(sqlite):
        with pytest.raises(DatabaseUnavailable, match="is full") as raised:
            async with transaction():
                for _ in range(50):
                    await add(says="x" * 4_000)
        assert "Make room" in str(raised.value.remedy)
        with pytest.raises(DatabaseUnavailable, match="is full"):
            await add(says="x" * 40_000)
        assert await said() == ["before"]
    await add(says="after")
    assert await said() == ["before", "after"]


async def test_a_transaction_that_sqlite_took_back_cannot_go_on(sqlite: SQLiteEngine) -> None:
    """SQLite may end the transaction along with the statement; what follows would be saved without its beginning."""
    with full_disk(sqlite):
        with pytest.raises(DatabaseUnavailable, match="took back"):
            async with transaction():
                await ADD(says="beginning")
                with suppress(DatabaseUnavailable):
                    await ADD(says="x" * 40_000)
                await ADD(says="end")
        # Also when nothing but the commit is left.
        with pytest.raises(DatabaseUnavailable, match="took back"):
            async with transaction():
                await ADD(says="beginning")
                sqlite.writer.raw.execute("ROLLBACK")
    assert await said() == ["before"]
    await ADD(says="after")
    assert await said() == ["before", "after"]


@pytest.mark.parametrize("short", [True, False])
async def test_a_file_that_was_damaged_in_the_middle(sqlite: SQLiteEngine, short: bool) -> None:
    async with transaction():
        for number in range(200):
            await ADD(says=f"{number} " + "x" * 3_000)
    path = Path(sqlite.path)
    await sqlite.stop()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(b"\xa5" * 65_536)
    again = SQLiteEngine(str(path))
    await again.start()
    bind(again)
    try:
        with pytest.raises(DatabaseUnavailable, match="not a usable database") as raised:
            await PreparedSQL("SELECT says FROM note", short=short)()
        assert "last backup" in str(raised.value.remedy)
        # What stands before the damage can still be read.
        first = PreparedSQL("SELECT says FROM note WHERE id = 1", short=short)
        assert await first() == [{"says": "before"}]
    finally:
        await again.stop()
        bind(sqlite)


async def test_a_statement_that_is_wrong_is_no_fault_of_the_file(sqlite: SQLiteEngine) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await PreparedSQL("SELECT * FROM nothing_of_this_name", short=True)()
    with pytest.raises(sqlite3.IntegrityError, match="NOT NULL"):
        await ADD(says=None)
    assert await said() == ["before"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("database or disk is full", "is full"),
        ("attempt to write a readonly database", "cannot be written"),
        ("database is locked", "locked by another program"),
        ("unable to open database file", "cannot be opened"),
        ("file is not a database", "not a usable database"),
        ("database disk image is malformed", "not a usable database"),
        ("disk I/O error", "disk I/O error"),
        ("something new", "something new"),
    ],
)
def test_each_fault_of_sqlite_has_words_and_a_remedy(text: str, says: str) -> None:
    told = unavailable(sqlite3.OperationalError(text), "/srv/parvis/data/parvis.db")
    assert says in str(told)
    assert "/srv/parvis/data" in str(told)


async def test_a_folder_that_is_missing_or_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match="cannot be opened") as raised:
        await open_engine(f"sqlite:///{tmp_path}/nowhere/parvis.db").start()
    assert str(tmp_path / "nowhere") in str(raised.value.remedy)
    (tmp_path / "text.db").write_text("this is a letter to the mayor, not a database\n" * 50)
    with pytest.raises(DatabaseUnavailable, match="not a usable database") as raised:
        await open_engine(f"sqlite:///{tmp_path}/text.db").start()
    assert "backup" in str(raised.value.remedy)
    assert (tmp_path / "text.db").read_text().startswith("this is a letter")


WRITES = """
import asyncio, os, sys
from parvis.data import open_engine
from parvis.errors import DatabaseUnavailable

async def main():
    engine = open_engine(sys.argv[1])
    try:
        await engine.start()
        await engine.fetch("INSERT INTO note (says) VALUES ('x')", ())
        print("written")
    except DatabaseUnavailable as error:
        print(error)

if os.geteuid() == 0:
    os.setuid(65534)  # root writes everywhere: permissions would prove nothing
asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("file", "folder", "says"),
    [
        (0o666, 0o777, "written"),
        (0o444, 0o777, "cannot be written"),
        (0o666, 0o555, "cannot be written"),
        (0o444, 0o555, "cannot be written"),
        (0o666, 0o000, "cannot be opened"),
    ],
)
def test_a_file_or_folder_that_may_not_be_written(file: int, folder: int, says: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        path = Path(place) / "db" / "parvis.db"
        path.parent.mkdir()
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE note (says TEXT)")
        connection.close()
        path.chmod(file)
        path.parent.chmod(folder)
        done = subprocess.run(
            [sys.executable, "-c", WRITES, f"sqlite:///{path}"],
            capture_output=True, text=True, check=False, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
        path.parent.chmod(0o755)
        assert says in done.stdout, done.stderr
        assert says == "written" or str(path.parent) in done.stdout
        connection = sqlite3.connect(path)
        assert connection.execute("SELECT count(*) FROM note").fetchone() == (says == "written",)
        connection.close()


@pytest.mark.parametrize("url", ["mysql://localhost/x", "parvis.db", ""])
def test_an_unknown_scheme_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="unknown scheme"):
        open_engine(url)
