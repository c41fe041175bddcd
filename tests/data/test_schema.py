"""The tables that code knows are the tables that migrations make, on both engines."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import pytest
from parvis.data import Engine, known_tables
from parvis.data.migrations import Schema, describe, migrations_of, pk, text
from parvis.data.schema import advance_sequence, quoted
from piccolo.columns import (
    BigInt,
    BigSerial,
    Boolean,
    Bytea,
    DoublePrecision,
    ForeignKey,
    Integer,
    Text,
    Timestamptz,
)

CORE = ("member", "space", "content", "file")
KINDS: dict[type[Any], set[str]] = {
    BigSerial: {"pk"},
    ForeignKey: {"integer", "bigint"},
    BigInt: {"integer", "bigint"},
    Integer: {"integer", "bigint"},
    Boolean: {"boolean"},
    Timestamptz: {"timestamptz", "timestamp with time zone"},
    DoublePrecision: {"double precision"},
    Bytea: {"blob", "bytea"},
    Text: {"text"},
}


async def schema_of(engine: Engine) -> dict[str, Any]:
    sql = (
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        if engine.dialect == "sqlite"
        else "SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema()"
    )
    names = [row["name"] for row in await engine.fetch(sql, ())]
    return {name: await describe(engine, name) for name in names}


async def test_tables_of_the_code_agree_with_the_database(instance: Any) -> None:
    described = await schema_of(instance.engine)
    checked = 0
    for table in known_tables():
        name = table._meta.tablename
        if not table.__module__.startswith(("parvis.", "parvis_feeds")) or table.__module__.startswith(
            "parvis.testing"
        ):
            continue
        assert name in described, f"{table.__module__} knows {name}, which no migration makes"
        columns = described[name].columns
        for column in table._meta.columns:
            there = columns.get(column._meta.db_column_name)
            assert there is not None, f"{name}.{column._meta.db_column_name} is in no migration"
            kinds = next((kinds for kind, kinds in KINDS.items() if type(column) is kind), None)
            assert kinds is None or there.kind in kinds, (
                f"{name}.{there.name}: {type(column).__name__}, {there.kind}"
            )
            if isinstance(column, ForeignKey):
                assert there.refers == column._foreign_key_meta.resolved_references._meta.tablename
            checked += 1
    assert checked > 80


async def test_nothing_of_the_core_is_deleted_along_with_something_else(instance: Any) -> None:
    """Piccolo's default is CASCADE: deleting a member would delete what he wrote."""
    found = 0
    for name, described in (await schema_of(instance.engine)).items():
        for column in described.columns.values():
            if column.refers in CORE:
                found += 1
                assert column.on_delete == "RESTRICT", (
                    f"{name}.{column.name} refers to {column.refers}: {column.on_delete}"
                )
            elif column.refers and column.on_delete == "CASCADE":
                assert column.refers.split("_")[0] == name.split("_")[0] != "", f"{name}.{column.name}"
    assert found > 15


async def test_keys_are_64_bits_wide_and_never_given_twice(notes: Engine) -> None:
    mark = "?" if notes.dialect == "sqlite" else "$1"
    for _ in range(3):
        await notes.fetch("INSERT INTO note (says) VALUES ('x')", ())
    await notes.fetch("DELETE FROM note", ())
    rows = await notes.fetch("INSERT INTO note (says) VALUES ('y') RETURNING id", ())
    assert rows[0]["id"] == 4
    await notes.fetch(f"INSERT INTO note (id, says) VALUES ({mark}, 'large')", [2**62])
    await advance_sequence(notes, "note")
    rows = await notes.fetch("INSERT INTO note (says) VALUES ('next') RETURNING id", ())
    assert rows[0]["id"] == 2**62 + 1


async def test_each_primary_key_of_an_instance_is_of_that_kind(instance: Any) -> None:
    for name, described in (await schema_of(instance.engine)).items():
        if name == "parvis_migration" or "id" not in described.columns:
            continue
        assert described.columns["id"].kind == "pk", name
        if instance.engine.dialect == "sqlite":
            sql = await instance.engine.fetch("SELECT sql FROM sqlite_master WHERE name = ?", [name])
            assert "AUTOINCREMENT" in sql[0]["sql"], name


def test_migrations_are_named_in_order() -> None:
    packages = ["parvis.data.migrations"]
    packages += [
        f"{entry.value.rpartition('.')[0]}.migrations"
        for entry in metadata.entry_points(group="parvis.plugins")
    ]
    for package in packages:
        try:
            found = [migration.id for migration in migrations_of(package)]
        except ModuleNotFoundError:
            continue
        assert found == [f"m{number:04d}" for number in range(1, len(found) + 1)], package


@pytest.mark.parametrize("name", ["Robert'); DROP TABLE x", "UPPER", "a-b", "", "1st", 'a"b'])
async def test_names_are_checked_before_they_are_quoted(engine: Engine, name: str) -> None:
    with pytest.raises(ValueError, match="is no name"):
        quoted(name)
    with pytest.raises(ValueError, match="is no name"):
        await Schema(engine).create_table("ok", pk(), text(name))


async def test_a_new_column_needs_a_default_or_null(notes: Engine) -> None:
    schema = Schema(notes)
    with pytest.raises(ValueError, match="default"):
        await schema.add_column("note", text("more"))
    with pytest.raises(ValueError, match="create_index"):
        await schema.add_column("note", text("more", default="", unique=True))
    await notes.fetch("INSERT INTO note (says) VALUES ('x')", ())
    await schema.add_column("note", text("more", default="it's"))
    assert (await notes.fetch("SELECT more FROM note", ()))[0]["more"] == "it's"
