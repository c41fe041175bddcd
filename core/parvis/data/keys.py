"""Where the keys of a table go on: one that was given once is never given again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parvis.data.statements import quoted

if TYPE_CHECKING:
    from parvis.data.engines import Engine


async def next_key(engine: Engine, table: str) -> int:
    """Return the key that the next row of a table gets at least; 1 for a table without keys of its own."""
    if engine.dialect == "sqlite":
        rows = await engine.fetch("SELECT seq + 1 AS next FROM sqlite_sequence WHERE name = ?", [table])
        return int(rows[0]["next"]) if rows else 1
    for _, sequence in await _sequences(engine, table):
        rows = await engine.fetch(
            f"SELECT last_value + CASE WHEN is_called THEN 1 ELSE 0 END AS next FROM {sequence}",  # noqa: S608
            [],
        )
        return int(rows[0]["next"])
    return 1


async def advance_sequence(engine: Engine, table: str, *, least: int = 1) -> None:
    """Let the key of a table go on after its largest row, as after a restore, and not before `least`."""
    if engine.dialect == "sqlite":
        # SQLite itself goes on after the largest row; what it cannot know is a larger one that is gone.
        if least > await next_key(engine, table):
            await engine.fetch("DELETE FROM sqlite_sequence WHERE name = ?", [table])
            await engine.fetch("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", [table, least - 1])
        return
    for key, sequence in await _sequences(engine, table):
        await engine.fetch(
            f"SELECT setval('{sequence}', greatest($1::bigint, "  # noqa: S608 - names that the database gave
            f'(SELECT coalesce(max("{key}"), 0) + 1 FROM {quoted(table)})), false)',
            [least],
        )


async def _sequences(engine: Engine, table: str) -> list[tuple[str, str]]:
    rows = await engine.fetch(
        "SELECT column_name AS key, pg_get_serial_sequence(quote_ident($1), column_name) AS sequence "
        "FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND table_name = $1 AND is_identity = 'YES'",
        [table],
    )
    return [(row["key"], row["sequence"]) for row in rows]
