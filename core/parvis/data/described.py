"""Tables as the database has them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from parvis.data.schema import Column

if TYPE_CHECKING:
    from parvis.data.engines import Engine


@dataclass(frozen=True, slots=True)
class Described:
    """A table as the database has it."""

    columns: dict[str, Column]
    indexes: tuple[str, ...]


async def describe(engine: Engine, table: str) -> Described | None:
    """Return the columns, references and indexes of a table as they are, or None when there is no such table."""
    columns = await (_sqlite_columns if engine.dialect == "sqlite" else _postgres_columns)(engine, table)
    if not columns:
        return None
    sql = (
        "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ? ORDER BY name"
        if engine.dialect == "sqlite"
        else "SELECT indexname AS name FROM pg_indexes WHERE tablename = $1 ORDER BY 1"
    )
    indexes = tuple(row["name"] for row in await engine.fetch(sql, [table]))
    return Described(columns, indexes)


async def _sqlite_columns(engine: Engine, table: str) -> dict[str, Column]:
    found = {}
    for row in await engine.fetch("SELECT * FROM pragma_table_info(?)", [table]):
        kind = "pk" if row["pk"] else row["type"].lower()
        found[row["name"]] = Column(row["name"], kind, null=not row["notnull"], default=row["dflt_value"])
    for row in await engine.fetch("SELECT * FROM pragma_foreign_key_list(?)", [table]):
        found[row["from"]] = replace(found[row["from"]], refers=row["table"], on_delete=row["on_delete"])
    return found


async def _postgres_columns(engine: Engine, table: str) -> dict[str, Column]:
    found = {}
    for row in await engine.fetch(
        "SELECT column_name, data_type, is_nullable, column_default, is_identity FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position",
        [table],
    ):
        kind = "pk" if row["is_identity"] == "YES" else row["data_type"].lower()
        found[row["column_name"]] = Column(
            row["column_name"], kind, null=row["is_nullable"] == "YES", default=row["column_default"]
        )
    for row in await engine.fetch(
        "SELECT a.attname AS col, c.confrelid::regclass::text AS target, c.confdeltype::text AS del "
        "FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] "
        "WHERE c.contype = 'f' AND c.conrelid = to_regclass($1)",
        [f'"{table}"'],
    ):
        rule = {"r": "RESTRICT", "c": "CASCADE", "a": "NO ACTION", "n": "SET NULL", "d": "SET DEFAULT"}[
            row["del"]
        ]
        found[row["col"]] = replace(found[row["col"]], refers=row["target"].strip('"'), on_delete=rule)
    return found
