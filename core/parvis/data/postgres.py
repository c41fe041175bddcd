"""PostgreSQL behind Piccolo's tables: one asyncpg pool whose connections always come back clean."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import asyncpg
from piccolo.engine.postgres import PostgresEngine as PiccoloPostgresEngine
from piccolo.querystring import QueryString

from parvis.data.transactions import Transaction
from parvis.errors import DatabaseUnavailable


class _PostgresConnection(asyncpg.Connection):  # type: ignore[misc]
    """A pooled connection that sends nothing when it is given back.

    Nothing here leaves session state behind: no SET without LOCAL, no session-level advisory lock on the pool.
    """

    def get_reset_query(self) -> str:
        return ""


class PostgresEngine(PiccoloPostgresEngine):
    """PostgreSQL through one asyncpg pool."""

    dialect = "postgres"

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        super().__init__(config={"dsn": url})
        self.url = url
        self._size = pool_size
        self.started = False

    async def start(self) -> None:
        """Open the pool; DatabaseUnavailable says what to do when the server does not answer."""
        try:
            self.pool = await asyncpg.create_pool(
                dsn=self.url,
                min_size=1,
                max_size=self._size,
                connection_class=_PostgresConnection,
                statement_cache_size=512,
                command_timeout=60,
            )
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
            raise DatabaseUnavailable(
                f"PostgreSQL at {_without_password(self.url)} does not answer: {error}",
                remedy="Check that it runs and that database.url names host, user and database.",
            ) from error
        self.loop = asyncio.get_running_loop()
        self.started = True

    async def stop(self) -> None:
        """Close the pool."""
        if self.started and self.pool is not None:
            self.started = False
            await self.pool.close()
            self.pool = None

    def transaction(self, *args: Any, **kwargs: Any) -> Transaction:  # type: ignore[override]
        """Return a transaction of ours; Piccolo's own leaks its connection when COMMIT fails."""
        return Transaction(self)

    async def acquire(self) -> Any:
        """Take a connection of the pool."""
        if self.pool is None:
            raise DatabaseUnavailable("The database is closed.")
        return await self.pool.acquire()

    async def begin(self, connection: Any, *, keys: bool = True) -> None:
        """Begin on this connection; foreign keys are always enforced here."""
        await connection.execute("BEGIN")

    def begin_now(self, connection: Any) -> bool:
        """Always False: a server is always waited for."""
        return False

    def release_now(self, connection: Any) -> bool:
        """Always False: the pool takes connections back asynchronously."""
        return False

    async def commit(self, connection: Any) -> None:
        """Commit on this connection."""
        await connection.execute("COMMIT")

    async def release(self, connection: Any) -> None:
        """Roll back what is still open and give the connection back, whatever state it is in."""
        try:
            if not connection.is_closed() and connection.is_in_transaction():
                await connection.execute("ROLLBACK")
        finally:
            if self.pool is not None:
                await self.pool.release(connection)

    async def fetch(self, sql: str, args: Sequence[Any], *, short: bool = False) -> list[dict[str, Any]]:
        """Run one statement in the task's transaction, or on a connection of the pool."""
        current = Transaction.of_task(self)
        if current is not None:
            return [dict(row) for row in await current.connection.fetch(sql, *args)]
        if self.pool is None:
            raise DatabaseUnavailable("The database is closed.")
        return [dict(row) for row in await self.pool.fetch(sql, *args)]

    async def fetch_tuples(
        self, sql: str, args: Sequence[Any], *, short: bool = False
    ) -> list[tuple[Any, ...]]:
        """Run a read and return its rows as tuples."""
        current = Transaction.of_task(self)
        if current is not None:
            return [tuple(row) for row in await current.connection.fetch(sql, *args)]
        if self.pool is None:
            raise DatabaseUnavailable("The database is closed.")
        return [tuple(row) for row in await self.pool.fetch(sql, *args)]

    async def run_querystring(self, querystring: QueryString, in_pool: bool = True) -> Any:
        """Run a Piccolo query; outside a transaction always on the pool."""
        sql, args = querystring.compile_string(engine_type="postgres")
        return await self.fetch(sql, args)

    async def run_ddl(self, ddl: str, in_pool: bool = True) -> Any:
        """Run a statement that defines data."""
        return await self.fetch(ddl, ())


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname or 'localhost'}:{parts.port or 5432}{parts.path}"
