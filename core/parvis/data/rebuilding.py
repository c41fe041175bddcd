"""What hangs on a table and has to survive when another one takes its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from parvis.data.keys import advance_sequence, next_key
from parvis.data.statements import quoted

if TYPE_CHECKING:
    from parvis.data.engines import Engine

_SQLITE_INDEXES = (
    "SELECT m.name, m.sql, i.name AS part FROM sqlite_master m, pragma_index_info(m.name) i "
    "WHERE m.type = 'index' AND m.tbl_name = ? AND m.sql IS NOT NULL"
)
# Without those that belong to a constraint: the new table brings its own.
_POSTGRES_INDEXES = (
    "SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS sql, a.attname AS part "
    "FROM pg_index i LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey) "
    "WHERE i.indrelid = $1::regclass "
    "AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.conrelid = i.indrelid)"
)
_SQLITE_TRIGGERS = "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ? ORDER BY name"
_POSTGRES_TRIGGERS = (
    "SELECT pg_get_triggerdef(oid) AS sql FROM pg_trigger "
    "WHERE tgrelid = $1::regclass AND NOT tgisinternal ORDER BY tgname"
)
_POSTGRES_REFERENCES = (
    "SELECT conrelid::regclass::text AS of, conname AS name, pg_get_constraintdef(oid) AS definition "
    "FROM pg_constraint WHERE contype = 'f' AND confrelid = $1::regclass AND conrelid <> confrelid"
)


@dataclass(frozen=True, slots=True)
class Former:
    """A table that is about to be replaced: how its indexes and triggers were made, and where its keys go on."""

    engine: Engine
    name: str
    made: tuple[str, ...]
    next_key: int

    @classmethod
    async def of(cls, engine: Engine, name: str, columns: set[str]) -> Former:
        """Note what hangs on the table, without indexes on columns other than these."""
        sqlite = engine.dialect == "sqlite"
        indexes: dict[str, str] = {}
        lost: set[str] = set()
        for row in await engine.fetch(_SQLITE_INDEXES if sqlite else _POSTGRES_INDEXES, [name]):
            indexes[row["name"]] = row["sql"]
            if row["part"] is not None and row["part"] not in columns:
                lost.add(row["name"])
        triggers = await engine.fetch(_SQLITE_TRIGGERS if sqlite else _POSTGRES_TRIGGERS, [name])
        made = [sql for index, sql in sorted(indexes.items()) if index not in lost]
        made += [row["sql"] for row in triggers]
        return cls(engine, name, tuple(made), await next_key(engine, name))

    async def replace_by(self, fresh: str) -> None:
        """Drop the table, give the fresh one its name, and make again what hung on it."""
        if self.engine.dialect == "sqlite":
            await self._run(f"DROP TABLE {quoted(self.name)}")
            # Legacy renaming leaves the references of other tables pointing at the name, which is what is wanted.
            await self._run("PRAGMA legacy_alter_table=ON")
            await self._run(f"ALTER TABLE {quoted(fresh)} RENAME TO {quoted(self.name)}")
            await self._run("PRAGMA legacy_alter_table=OFF")
        else:
            await self._replace_with_references(fresh)
        for sql in self.made:
            await self._run(sql)
        await advance_sequence(self.engine, self.name, least=self.next_key)

    async def _replace_with_references(self, fresh: str) -> None:
        # The fresh table refers to the former one where the table refers to itself.
        references = await self.engine.fetch(_POSTGRES_REFERENCES, [self.name])
        for row in references:
            await self._run(f'ALTER TABLE {row["of"]} DROP CONSTRAINT "{row["name"]}"')
        await self._run(f"DROP TABLE {quoted(self.name)}")
        await self._run(f"ALTER TABLE {quoted(fresh)} RENAME TO {quoted(self.name)}")
        for row in references:
            table = quoted(self.name) if row["of"] == fresh else row["of"]
            await self._run(f'ALTER TABLE {table} ADD CONSTRAINT "{row["name"]}" {row["definition"]}')

    async def _run(self, sql: str) -> None:
        await self.engine.fetch(sql, ())
