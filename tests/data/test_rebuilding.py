"""A rebuilt table is the same table with other columns: rows, keys, indexes, references and counted changes stay."""

from __future__ import annotations

from typing import Any

import pytest
from parvis.data import Engine, Transaction
from parvis.data.migrations import Schema, bigint, describe, pk, ref, text

ITEM = (pk(), text("name"), text("gone", default=""), ref("item", column="parent", null=True))
REBUILT = (pk(), text("title"), ref("item", column="parent", null=True), bigint("price", null=True))
COPY = {"id": "id", "title": "name || '!'", "parent": "parent"}


@pytest.fixture
async def items(engine: Engine) -> Engine:
    """Return the engine with items (one was deleted, one has a parent) and parts that refer to them."""
    schema = Schema(engine)
    await schema.create_table("item", *ITEM)
    await schema.create_table("part", pk(), ref("item"))
    await schema.create_index("item_parent", "item", ["parent", "id DESC"])
    await schema.create_index("item_root", "item", ["id"], unique=True, where="parent IS NULL")
    await schema.create_index("item_gone", "item", ["gone"])
    await schema.create_index("part_item", "part", ["item"])
    await schema.count_changes("item", "standing")
    await engine.fetch("INSERT INTO item (name) VALUES ('one'), ('two'), ('three'), ('four')", ())
    await engine.fetch("UPDATE item SET parent = 1 WHERE id = 2", ())
    await engine.fetch("DELETE FROM item WHERE id = 4", ())
    await engine.fetch("INSERT INTO part (item) VALUES (1), (3)", ())
    return engine


async def rebuild(engine: Engine, *columns: Any, **copy: str) -> None:
    async with Transaction(engine, keys=False):
        await Schema(engine).rebuild_table("item", *(columns or REBUILT), copy=copy or COPY)


async def counted(engine: Engine) -> int:
    rows = await engine.fetch("SELECT value FROM site_counter WHERE name = 'standing'", ())
    value: int = rows[0]["value"]
    return value


async def test_rows_and_references_stay(items: Engine) -> None:
    await rebuild(items)
    rows = await items.fetch("SELECT id, title, parent, price FROM item ORDER BY id", ())
    assert [tuple(row.values()) for row in rows] == [
        (1, "one!", None, None),
        (2, "two!", 1, None),
        (3, "three!", None, None),
    ]
    assert [row["item"] for row in await items.fetch("SELECT item FROM part ORDER BY id", ())] == [1, 3]
    for table, column in (("part", "item"), ("item", "parent")):
        described = await describe(items, table)
        assert described is not None
        assert described.columns[column].refers == "item"
        assert described.columns[column].on_delete == "RESTRICT"
    for wrong in (
        "INSERT INTO part (item) VALUES (99)",
        "INSERT INTO item (title, parent) VALUES ('x', 99)",
        "DELETE FROM item WHERE id = 1",
    ):
        with pytest.raises(Exception, match=r"(?i)foreign key"):
            await items.fetch(wrong, ())


async def test_indexes_stay_unless_their_columns_went(items: Engine) -> None:
    sql = (
        "SELECT sql FROM sqlite_master WHERE name = 'item_root'"
        if items.dialect == "sqlite"
        else "SELECT indexdef AS sql FROM pg_indexes WHERE indexname = 'item_root'"
    )
    before = await items.fetch(sql, ())
    await rebuild(items)
    described = await describe(items, "item")
    assert described is not None
    assert {"item_parent", "item_root"} <= set(described.indexes)
    assert "item_gone" not in described.indexes
    assert await items.fetch(sql, ()) == before != []
    part = await describe(items, "part")
    assert part is not None
    assert "part_item" in part.indexes


async def test_changes_are_still_counted(items: Engine) -> None:
    before = await counted(items)
    await rebuild(items)
    rebuilt = await counted(items)
    assert rebuilt == before  # nothing changed for anybody
    await items.fetch("INSERT INTO item (title) VALUES ('five')", ())
    assert await counted(items) == rebuilt + 1
    await items.fetch("DELETE FROM item WHERE title = 'five'", ())
    assert await counted(items) == rebuilt + 2


async def test_keys_of_rows_that_are_gone_are_not_given_again(items: Engine) -> None:
    await rebuild(items)
    rows = await items.fetch("INSERT INTO item (title) VALUES ('five') RETURNING id", ())
    assert rows[0]["id"] == 5


async def test_an_empty_table_remembers_its_keys_too(items: Engine) -> None:
    for sql in ("DELETE FROM part", "UPDATE item SET parent = NULL", "DELETE FROM item"):
        await items.fetch(sql, ())
    await rebuild(items)
    rows = await items.fetch("INSERT INTO item (title) VALUES ('five') RETURNING id", ())
    assert rows[0]["id"] == 5


async def test_a_table_can_be_rebuilt_again_and_again(items: Engine) -> None:
    await rebuild(items)
    for _ in range(2):
        await rebuild(items, *REBUILT, id="id", title="title || '!'", parent="parent")
    rows = await items.fetch("SELECT title FROM item ORDER BY id", ())
    assert [row["title"] for row in rows] == ["one!!!", "two!!!", "three!!!"]
    rows = await items.fetch("INSERT INTO item (title, parent) VALUES ('five', 2) RETURNING id", ())
    assert rows[0]["id"] == 5


async def test_a_rebuilding_that_fails_changes_nothing(items: Engine) -> None:
    before = await describe(items, "item")
    with pytest.raises(Exception, match="no_such_column"):
        await rebuild(items, *REBUILT, id="id", title="no_such_column")
    assert await describe(items, "item") == before
    assert await describe(items, "item_rebuilt") is None
    assert len(await items.fetch("SELECT * FROM item", ())) == 3
    rows = await items.fetch("INSERT INTO item (name) VALUES ('five') RETURNING id", ())
    assert rows[0]["id"] == 5
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        await items.fetch("INSERT INTO part (item) VALUES (99)", ())
