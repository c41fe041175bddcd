"""One SQLite connection, the thread that waits on it, and how values travel through it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, TypeVar

T = TypeVar("T")

# Piccolo registers converters that go through Decimal and a decoded string for every value of every row. SQLite hands
# out whole numbers as such, so those need none; these are the rest, made fast.


def _utc_text(value: datetime) -> str:
    """Write a moment in one fixed form, so that the order of the texts is the order of the moments."""
    value = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return value.isoformat(" ", "microseconds")


def _utc_moment(value: bytes) -> datetime:
    moment = datetime.fromisoformat(value.decode())
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


for _name in ("INTEGER", "BIGINT"):
    sqlite3.converters.pop(_name, None)
sqlite3.register_converter("TIMESTAMPTZ", _utc_moment)
sqlite3.register_converter("BOOLEAN", lambda value: value == b"1")
sqlite3.register_adapter(datetime, _utc_text)

PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "busy_timeout=5000",
    "foreign_keys=1",
    "mmap_size=33554432",
    "cache_size=-8000",
    "temp_store=MEMORY",
)
WAIT = "PRAGMA busy_timeout=5000"
"""Waits up to 5 s for a writer of another program."""


class SQLiteConnection:
    """One sqlite3 connection and the one thread that may wait on it."""

    def __init__(self, path: str, *, writer: bool, inline: bool = False) -> None:
        self.raw = sqlite3.connect(
            path,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=512,
            detect_types=sqlite3.PARSE_DECLTYPES,
            uri=False,
        )
        for pragma in PRAGMAS:
            if pragma.startswith("journal_mode") and not writer:
                continue
            self.raw.execute(f"PRAGMA {pragma}")
        if not writer:
            self.raw.execute("PRAGMA query_only=1")
        self.pool = None if inline else ThreadPoolExecutor(1, thread_name_prefix="sqlite")
        self.begun = False
        self._last: Future[Any] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether the thread has nothing to do, not even the rest of something whose caller went away."""
        return self._last is None or self._last.done()

    async def run(self, work: Callable[..., T], *args: Any) -> T:
        """Run blocking work in this connection's thread, after whatever it still does."""
        if self.pool is None:
            raise RuntimeError("this connection is used in the loop alone")
        self._last = job = self.pool.submit(work, *args)
        return await asyncio.wrap_future(job)

    def rows(self, sql: str, args: Sequence[Any]) -> list[dict[str, Any]]:
        """Run one statement here and now and return its rows."""
        cursor = self.raw.execute(sql, args)
        described = cursor.description
        if described is None:
            return []
        names = [column[0] for column in described]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def tuples(self, sql: str, args: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Run one statement here and now and return its rows as tuples."""
        return self.raw.execute(sql, args).fetchall()

    async def execute(self, sql: str, args: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Run one statement in this connection's thread and return its rows."""
        return await self.run(self.rows, sql, args)

    def close(self) -> None:
        """Close the connection; its thread has nothing to do any more."""
        if self.pool is not None:
            self.pool.shutdown(wait=True)
        self.raw.close()
