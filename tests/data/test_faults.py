"""A database that cannot be used says why and what to do, and nothing that was saved is lost."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from parvis.data import PreparedSQL, bind, open_engine, transaction
from parvis.data.migrations import Schema, pk, text
from parvis.data.sqlite import SQLiteEngine, unavailable
from parvis.errors import ConfigError, DatabaseUnavailable
from parvis.testing import free_port, running_postgres

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


async def test_a_full_disk_loses_nothing_that_was_saved(sqlite: SQLiteEngine) -> None:
    pages = sqlite.writer.raw.execute("PRAGMA page_count").fetchone()[0]
    sqlite.writer.raw.execute(f"PRAGMA max_page_count={pages + 2}")
    with pytest.raises((sqlite3.OperationalError, DatabaseUnavailable), match="full"):
        async with transaction():
            for _ in range(50):
                await ADD(says="x" * 4_000)
    assert await said() == ["before"]
    sqlite.writer.raw.execute("PRAGMA max_page_count=1000000")
    await ADD(says="after")
    assert await said() == ["before", "after"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("database or disk is full", "is full"),
        ("attempt to write a readonly database", "cannot be written"),
        ("database is locked", "locked by another program"),
        ("unable to open database file", "cannot be opened"),
        ("file is not a database", "not a usable database"),
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


def test_a_file_or_folder_that_may_not_be_written(tmp_path: Path) -> None:
    """As another user: root writes everywhere, so that permissions would prove nothing."""
    folder = tmp_path / "db"
    folder.mkdir()
    sqlite3.connect(folder / "parvis.db").execute("CREATE TABLE note (says TEXT)").connection.close()
    os.chmod(folder / "parvis.db", stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
    os.chmod(folder, 0o555)
    script = (
        "import asyncio, sys\n"
        "from parvis.data import open_engine\n"
        "from parvis.errors import DatabaseUnavailable\n"
        "async def main():\n"
        "    engine = open_engine(sys.argv[1])\n"
        "    try:\n"
        "        await engine.start()\n"
        "        await engine.fetch('INSERT INTO note (says) VALUES (1)', ())\n"
        "    except DatabaseUnavailable as error:\n"
        "        print(error); print(error.remedy)\n"
        "import os\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "asyncio.run(main())\n"
    )
    for path in [folder, *folder.parents]:
        if path.stat().st_uid == os.geteuid() and path != folder and str(path).startswith("/tmp/"):
            path.chmod(path.stat().st_mode | 0o055)
    import sys

    done = subprocess.run(
        [sys.executable, "-c", script, f"sqlite:///{folder / 'parvis.db'}"],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    os.chmod(folder, 0o755)
    assert "cannot be" in done.stdout, done.stderr
    assert str(folder) in done.stdout
    connection = sqlite3.connect(f"file:{folder / 'parvis.db'}?mode=ro", uri=True)
    assert connection.execute("SELECT count(*) FROM note").fetchone() == (0,)
    connection.close()


@pytest.mark.parametrize("url", ["mysql://localhost/x", "parvis.db", ""])
def test_an_unknown_scheme_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="unknown scheme"):
        open_engine(url)


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
