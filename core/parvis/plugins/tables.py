"""The table of plugin states, and the counter by which every process notices a change."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from piccolo.columns import JSON, BigSerial, Text, Timestamptz

from parvis.data import PreparedSQL, Table, transaction
from parvis.plugins.reasons import Reason
from parvis.plugins.states import INSTALLED, State
from parvis.services.audit import record

_JSON = {"tables": "json", "guards": "json"}
_COLUMNS = "name, state, version, reason, tables, guards, changed"
_ALL = PreparedSQL(f"SELECT {_COLUMNS} FROM plugin ORDER BY name", types=_JSON)  # noqa: S608 - our own names
_WRITE = PreparedSQL(
    f"INSERT INTO plugin ({_COLUMNS}) VALUES (:name, :state, :version, :reason, :tables, :guards, :changed) "  # noqa: S608
    "ON CONFLICT (name) DO UPDATE SET state = excluded.state, version = excluded.version, "
    "reason = excluded.reason, tables = excluded.tables, guards = excluded.guards, changed = excluded.changed",
    types=_JSON,
)
_VERSION = PreparedSQL("SELECT value FROM site_counter WHERE name = 'plugins'", short=True)
_BUMP = PreparedSQL("UPDATE site_counter SET value = value + 1 WHERE name = 'plugins' RETURNING value")


@dataclass(frozen=True, slots=True)
class PluginRow:
    """A plugin as the database remembers it, with or without its package.

    `guards` are the content types that it hides now: none once it was switched off on purpose.
    """

    name: str
    state: State = INSTALLED
    version: str = ""
    reason: Reason | None = None
    tables: tuple[str, ...] = ()
    guards: tuple[str, ...] = ()


Change = Callable[[dict[str, PluginRow]], Iterable[PluginRow]]
"""From the rows as they are inside the transaction to those that are to be written."""


class Plugin(Table, tablename="plugin"):
    """One row a plugin that was ever seen here."""

    id = BigSerial(primary_key=True)
    name = Text(unique=True)
    state = Text(default="installed")
    version = Text(default="")
    reason = Text(default="")
    tables = JSON(default="[]")
    guards = JSON(default="[]")
    changed = Timestamptz()

    @classmethod
    async def known(cls) -> dict[str, PluginRow]:
        """Return every plugin ever seen, by name."""
        return {row["name"]: _row(row) for row in await _ALL()}

    @classmethod
    async def counter(cls) -> int:
        """Return the version of all states together; it moves whenever one changes."""
        row = await _VERSION.one()
        return int(row["value"]) if row else 0

    @classmethod
    async def change(cls, change: Change, actor: int | None = None) -> tuple[int, dict[str, PluginRow]]:
        """Write what `change` makes of the rows, the new version and the audit, in one transaction.

        `actor` is the member who did it, None the core itself. The counter is written first: two administrators
        who switch at once come one after the other. Joins the caller's transaction. Returns version and all rows.
        """
        async with transaction("the states of plugins"):
            bumped = await _BUMP()
            rows = await cls.known()
            for row in change(dict(rows)):
                await _WRITE(
                    name=row.name,
                    state=row.state.value,
                    version=row.version,
                    reason=row.reason.dump() if row.reason else "",
                    tables=list(row.tables),
                    guards=list(row.guards),
                    changed=datetime.now(UTC),
                )
                old = rows.get(row.name)
                rows[row.name] = row
                if old is None or old.state is not row.state:
                    details = {"reason": row.reason.code} if row.reason else None
                    await record(f"plugin.{row.state.value}", actor, f"plugin:{row.name}", details)
        return int(bumped[0]["value"]), rows


def _row(row: dict[str, Any]) -> PluginRow:
    return PluginRow(
        name=row["name"],
        state=State(row["state"]),
        version=row["version"],
        reason=Reason.load(row["reason"]),
        tables=tuple(row["tables"]),
        guards=tuple(row["guards"]),
    )


class Memory:
    """The same states without a database: for programs that only look at what is installed."""

    def __init__(self) -> None:
        self._rows: dict[str, PluginRow] = {}
        self._version = 1

    async def known(self) -> dict[str, PluginRow]:
        """Return every plugin seen so far, by name."""
        return dict(self._rows)

    async def counter(self) -> int:
        """Return the version of all states together."""
        return self._version

    async def change(self, change: Change, actor: int | None = None) -> tuple[int, dict[str, PluginRow]]:
        """Keep what `change` makes of the rows."""
        for row in change(dict(self._rows)):
            self._rows[row.name] = replace(row)
        self._version += 1
        return self._version, dict(self._rows)
