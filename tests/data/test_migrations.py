"""Migrations: all or nothing, once, whatever happens to the processes that run them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from parvis.data import Engine, bind, open_engine
from parvis.data.migrations import MigrationError, applied, describe, migrate, pending
from parvis.errors import NewerDatabase

FIRST = """
from parvis.data.migrations import bigint, pk, text

async def forwards(schema):
    await schema.create_table("shop_item", pk(), text("name"))
    await schema.execute("INSERT INTO shop_item (name) VALUES ('first')")
"""
SECOND = """
from parvis.data.migrations import bigint, pk, ref

async def forwards(schema):
    await schema.create_table("shop_part", pk(), ref("shop_item"), bigint("number", default=1))
    await schema.execute("INSERT INTO shop_part (shop_item) SELECT id FROM shop_item")
    await schema.create_index("shop_part_item", "shop_part", ["shop_item"])
"""
BROKEN = """
async def forwards(schema):
    await schema.execute("INSERT INTO shop_item (name) VALUES ('half')")
    await schema.execute("SELECT * FROM nothing_of_this_name")
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return a writer of packages of migrations, given by name of module."""
    monkeypatch.syspath_prepend(str(tmp_path))
    count = 0

    def write(**modules: str) -> str:
        nonlocal count
        count += 1
        name = f"shop{count}_{os.getpid()}_{tmp_path.name.replace('-', '_')}"
        folder = tmp_path / name
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        for module, source in modules.items():
            (folder / f"{module}.py").write_text(source)
        return name

    return write


@pytest.fixture
async def empty(empty_database_url: str) -> AsyncIterator[Engine]:
    opened = open_engine(empty_database_url)
    await opened.start()
    bind(opened)
    yield opened
    bind(None)
    await opened.stop()


async def names(engine: Engine) -> list[str]:
    return [row["name"] for row in await engine.fetch("SELECT name FROM shop_item ORDER BY id", ())]


async def test_all_pending_ones_run_in_order_and_once(empty: Engine, package: Any) -> None:
    shop = package(m0001=FIRST, m0002=SECOND)
    assert [migration.id for migration in await pending(empty, "shop", shop)] == ["m0001", "m0002"]
    assert await migrate(empty, "shop", shop) == ["m0001", "m0002"]
    assert await migrate(empty, "shop", shop) == []
    assert await names(empty) == ["first"]
    assert set(await applied(empty, "shop")) == {"m0001", "m0002"}
    part = await describe(empty, "shop_part")
    assert part is not None
    assert part.columns["shop_item"].refers == "shop_item"
    assert part.columns["shop_item"].on_delete == "RESTRICT"
    assert "shop_part_item" in part.indexes


async def test_a_failure_takes_back_those_before_it_and_their_ledger(empty: Engine, package: Any) -> None:
    with pytest.raises(Exception, match="nothing_of_this_name"):
        await migrate(empty, "shop", package(m0001=FIRST, m0002=BROKEN))
    assert await describe(empty, "shop_item") is None
    assert await applied(empty, "shop") == {}
    assert await migrate(empty, "shop", package(m0001=FIRST)) == ["m0001"]


async def test_a_failure_keeps_what_ran_before(empty: Engine, package: Any) -> None:
    await migrate(empty, "shop", package(m0001=FIRST))
    with pytest.raises(Exception, match="nothing_of_this_name"):
        await migrate(empty, "shop", package(m0001=FIRST, m0002=BROKEN))
    assert await names(empty) == ["first"]
    assert set(await applied(empty, "shop")) == {"m0001"}


async def test_a_trial_changes_nothing(empty: Engine, package: Any) -> None:
    shop = package(m0001=FIRST)
    assert await migrate(empty, "shop", shop, dry_run=True) == ["m0001"]
    assert await describe(empty, "shop_item") is None
    assert await migrate(empty, "shop", shop) == ["m0001"]


async def test_applications_with_the_same_file_names_do_not_meet(empty: Engine, package: Any) -> None:
    """Piccolo imports migration files as top-level modules: the second plugin ran the first one's."""
    await migrate(empty, "shop", package(m0001=FIRST))
    other = FIRST.replace("shop_item", "other_item")
    assert await migrate(empty, "other", package(m0001=other)) == ["m0001"]
    assert await describe(empty, "other_item") is not None


async def test_an_altered_migration_is_named(empty: Engine, package: Any) -> None:
    await migrate(empty, "shop", package(m0001=FIRST))
    with pytest.raises(MigrationError, match="shop m0001 was altered") as raised:
        await migrate(empty, "shop", package(m0001=FIRST + "\n# changed\n", m0002=SECOND))
    assert raised.value.remedy
    assert await describe(empty, "shop_part") is None


async def test_a_newer_database_is_refused_and_left_alone(empty: Engine, package: Any) -> None:
    await migrate(empty, "shop", package(m0001=FIRST, m0002=SECOND))
    with pytest.raises(NewerDatabase, match="m0002") as raised:
        await migrate(empty, "shop", package(m0001=FIRST))
    assert "newer program" in str(raised.value.remedy)
    assert set(await applied(empty, "shop")) == {"m0001", "m0002"}


async def test_references_to_rows_that_are_gone_stop_it(empty: Engine, package: Any) -> None:
    await migrate(empty, "shop", package(m0001=FIRST, m0002=SECOND))
    loses = 'async def forwards(schema):\n    await schema.execute("DELETE FROM shop_item")\n'
    with pytest.raises(Exception, match=r"(?i)references to rows that are gone|foreign key"):
        await migrate(empty, "shop", package(m0001=FIRST, m0002=SECOND, m0003=loses))
    assert await names(empty) == ["first"]


async def test_a_rebuilt_table_keeps_rows_keys_and_references(empty: Engine, package: Any) -> None:
    rebuilds = """
    from parvis.data.migrations import bigint, pk, text

    async def forwards(schema):
        await schema.rebuild_table(
            "shop_item", pk(), text("title", unique=True), bigint("price", null=True),
            copy={"id": "id", "title": "name || '!'"},
        )
    """
    await migrate(empty, "shop", package(m0001=FIRST, m0002=SECOND))
    await empty.fetch("INSERT INTO shop_item (name) VALUES ('second'), ('third')", ())
    await empty.fetch("DELETE FROM shop_item WHERE name = 'third'", ())
    await migrate(empty, "shop", package(m0001=FIRST, m0002=SECOND, m0003=textwrap.dedent(rebuilds)))
    rows = await empty.fetch("SELECT id, title FROM shop_item ORDER BY id", ())
    assert [(row["id"], row["title"]) for row in rows] == [(1, "first!"), (2, "second!")]
    assert len(await empty.fetch("SELECT * FROM shop_part", ())) == 1
    part = await describe(empty, "shop_part")
    assert part is not None
    assert part.columns["shop_item"].refers == "shop_item"
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        await empty.fetch("INSERT INTO shop_part (shop_item) VALUES (999)", ())
    with pytest.raises(Exception, match=r"(?i)unique"):
        await empty.fetch("INSERT INTO shop_item (title) VALUES ('first!')", ())


RUNNER = """
import asyncio, sys
from parvis.data import bind, open_engine
from parvis.data.migrations import migrate

async def main():
    sys.path.insert(0, sys.argv[2])
    engine = open_engine(sys.argv[1])
    await engine.start()
    bind(engine)
    print(",".join(await migrate(engine, "shop", sys.argv[3])) or "nothing")
    await engine.stop()

asyncio.run(main())
"""


async def run(url: str, folder: Path, package: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", RUNNER, url, str(folder), package, stdout=asyncio.subprocess.PIPE
    )


async def test_four_processes_at_once_run_each_once(
    empty_database_url: str, tmp_path: Path, package: Any
) -> None:
    shop = package(m0001=FIRST, m0002=SECOND)
    processes = [await run(empty_database_url, tmp_path, shop) for _ in range(4)]
    answers = [(await process.communicate())[0].decode().strip() for process in processes]
    assert sorted(answers) == ["m0001,m0002", "nothing", "nothing", "nothing"]
    assert [process.returncode for process in processes] == [0, 0, 0, 0]


@pytest.mark.parametrize("how", ["exit", "kill"])
async def test_a_process_that_dies_in_the_middle_leaves_nothing_half_done(
    empty_database_url: str, tmp_path: Path, package: Any, how: str
) -> None:
    dies = {
        "exit": "    import os; os._exit(9)\n",
        "kill": f"    import os; os.kill(os.getpid(), {int(signal.SIGKILL)})\n",
    }[how]
    process = await run(empty_database_url, tmp_path, package(m0001=FIRST, m0002=SECOND + dies))
    await process.communicate()
    assert process.returncode not in (0, 1)
    shop = package(m0001=FIRST, m0002=SECOND)
    processes = [await run(empty_database_url, tmp_path, shop) for _ in range(3)]
    answers = [(await process.communicate())[0].decode().strip() for process in processes]
    assert sorted(answers) == ["m0001,m0002", "nothing", "nothing"]
