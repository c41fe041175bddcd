"""The migration runner: by package path, all pending ones of an application in one transaction with their ledger."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import importlib
import os
import pkgutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import asyncpg

from parvis.config import Phrase as _l  # noqa: N813
from parvis.data.postgres import PostgresEngine
from parvis.data.schema import Schema
from parvis.data.transactions import Transaction
from parvis.errors import NewerDatabase, ParvisError

if TYPE_CHECKING:
    from parvis.data.engines import Engine

LEDGER = "parvis_migration"
_LOCK = 0x7061727669
LONGEST = 3600.0
"""Seconds that a migration may take; much more than an ordinary transaction."""


class MigrationError(ParvisError):
    """A migration cannot run; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of a schema: its id, what it was when it ran, and its module."""

    id: str
    checksum: str
    module: ModuleType


def migrations_of(package: str) -> list[Migration]:
    """Return the migrations of a package (`<plugin package>.migrations`) in order of their names."""
    folder = importlib.import_module(package)
    found = []
    for item in sorted(pkgutil.iter_modules(folder.__path__), key=lambda item: item.name):
        if item.name.startswith("m") and item.name[1:5].isdigit():
            module = importlib.import_module(f"{package}.{item.name}")
            source = Path(str(module.__file__)).read_bytes()
            found.append(Migration(item.name, hashlib.sha256(source).hexdigest()[:16], module))
    return found


async def applied(engine: Engine, app: str) -> dict[str, str]:
    """Return the checksums of the migrations of an application that ran, by id."""
    if not await _has_ledger(engine):
        return {}
    mark = "?" if engine.dialect == "sqlite" else "$1"
    rows = await engine.fetch(f"SELECT id, checksum FROM {LEDGER} WHERE app = {mark}", [app])  # noqa: S608
    return {row["id"]: row["checksum"] for row in rows}


async def _has_ledger(engine: Engine) -> bool:
    sql = (
        "SELECT count(*) AS n FROM sqlite_master WHERE name = 'parvis_migration'"
        if engine.dialect == "sqlite"
        else "SELECT count(*) AS n FROM pg_tables WHERE schemaname = current_schema() "
        "AND tablename = 'parvis_migration'"
    )
    return bool((await engine.fetch(sql, []))[0]["n"])


async def pending(engine: Engine, app: str, package: str) -> list[Migration]:
    """Return the migrations that have not run yet.

    NewerDatabase when the ledger knows one that this program does not; MigrationError when one that ran was altered.
    """
    known = migrations_of(package)
    ran = await applied(engine, app)
    unknown = set(ran) - {migration.id for migration in known}
    if unknown:
        raise NewerDatabase(
            _l(
                "The database has the migration {app} {id}, which this program does not know.",
                app=app,
                id=max(unknown),
            ),
            remedy=_l("Start the newer program that wrote it, or restore a backup made before the upgrade."),
        )
    for migration in known:
        if migration.id in ran and ran[migration.id] != migration.checksum:
            raise MigrationError(
                _l("The migration {app} {id} was altered after it ran.", app=app, id=migration.id),
                remedy=_l(
                    "Install the released program again; changes to the schema go into a new migration."
                ),
            )
    return [migration for migration in known if migration.id not in ran]


async def migrate(engine: Engine, app: str, package: str, *, dry_run: bool = False) -> list[str]:
    """Run all pending migrations of an application in one transaction and return their ids.

    `dry_run` does the same and rolls back. A failure changes nothing. Waits for other processes that migrate.
    """
    async with _alone(engine):
        await _make_ledger(engine)
        todo = await pending(engine, app, package)
        if not todo:
            return []
        try:
            async with Transaction(engine, f"migrations of {app}", longest=LONGEST, keys=False):
                schema = Schema(engine)
                for migration in todo:
                    await migration.module.forwards(schema)
                    await _write_ledger(engine, app, migration)
                await _check_keys(engine, app)
                if dry_run:
                    raise _DryRun
        except _DryRun:
            pass
        return [migration.id for migration in todo]


class _DryRun(Exception):
    """Takes back the transaction of a trial."""


async def _make_ledger(engine: Engine) -> None:
    if not await _has_ledger(engine):
        await engine.fetch(
            f"CREATE TABLE IF NOT EXISTS {LEDGER} (app TEXT NOT NULL, id TEXT NOT NULL, checksum TEXT NOT NULL, "
            "ran_at TIMESTAMPTZ NOT NULL, PRIMARY KEY (app, id))",
            [],
        )


async def _write_ledger(engine: Engine, app: str, migration: Migration) -> None:
    marks = "?, ?, ?, ?" if engine.dialect == "sqlite" else "$1, $2, $3, $4"
    await engine.fetch(
        f"INSERT INTO {LEDGER} (app, id, checksum, ran_at) VALUES ({marks})",  # noqa: S608
        [app, migration.id, migration.checksum, datetime.now(UTC)],
    )


async def _check_keys(engine: Engine, app: str) -> None:
    if engine.dialect == "sqlite":
        broken = await engine.fetch("PRAGMA foreign_key_check", [])
        if broken:
            raise MigrationError(
                f"The migrations of {app} left {len(broken)} references to rows that are gone, "
                f"first in {broken[0]['table']}."
            )


@asynccontextmanager
async def _alone(engine: Engine) -> AsyncIterator[None]:
    """Keep other processes from migrating at the same time."""
    if isinstance(engine, PostgresEngine):
        connection = await asyncpg.connect(dsn=engine.url)
        try:
            await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
            yield
        finally:
            await connection.close()
    else:
        handle = os.open(f"{engine.path}-migrate", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            await asyncio.to_thread(fcntl.flock, handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)
