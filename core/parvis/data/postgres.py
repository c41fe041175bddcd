"""PostgreSQL behind Piccolo's tables: one asyncpg pool, lent from hand to hand."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import asyncpg
from piccolo.engine.postgres import PostgresEngine as PiccoloPostgresEngine
from piccolo.querystring import QueryString

from parvis.config import Phrase as _l  # noqa: N813
from parvis.data.lending import Lending, forsake, is_lost
from parvis.data.statements import reads
from parvis.data.transactions import Transaction
from parvis.errors import DatabaseUnavailable

# What asyncpg raises when the server is gone or does not let us in yet.
_LOST = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
)
_SESSION = {
    # How long one statement may take; migrations take as long as they need. A timer of ours for each statement
    # would cost more than most of them.
    "statement_timeout": "60s",
    # Left alone, PostgreSQL plans a query with a list of audiences anew each time, which takes longer than the query.
    "plan_cache_mode": "force_generic_plan",
    "TimeZone": "UTC",
}


log = logging.getLogger("parvis.data")


class PostgresEngine(PiccoloPostgresEngine):
    """PostgreSQL through one asyncpg pool."""

    dialect = "postgres"
    writes = 0
    """How often this process ended a transaction or wrote outside of one: what was read before may be old since."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        super().__init__(config={"dsn": url})
        self.url = url
        self._size = pool_size
        self.started = False

    async def check_version(self) -> None:
        """Ask nothing: Piccolo would open a connection of its own for this wherever an engine is made."""

    async def start(self) -> None:
        """Open the pool; DatabaseUnavailable says what to do when the server does not answer."""
        try:
            self.pool = await asyncpg.create_pool(
                dsn=self.url,
                min_size=1,
                max_size=self._size,
                statement_cache_size=512,
                server_settings=_SESSION,
            )
        except (*_LOST, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise self._unavailable(error) from error
        self._lending = Lending(self.pool, self._size)
        self.loop = asyncio.get_running_loop()
        self.started = True

    async def stop(self) -> None:
        """Close the pool."""
        if self.started and self.pool is not None:
            self.started = False
            await self._lending.close()
            await self.pool.close()
            self.pool = None

    def transaction(self, *args: Any, **kwargs: Any) -> Transaction:  # type: ignore[override]
        """Return a transaction of ours; Piccolo's own leaks its connection when COMMIT fails."""
        return Transaction(self)

    def _unavailable(self, error: BaseException) -> DatabaseUnavailable:
        return DatabaseUnavailable(
            _l(
                "PostgreSQL at {server} does not answer: {detail}.",
                server=_without_password(self.url),
                detail=str(error).rstrip("."),
            ),
            remedy=_l("Check that it runs and that database.url names host, user and database."),
        )

    def _full(self, error: BaseException) -> DatabaseUnavailable:
        return DatabaseUnavailable(
            _l(
                "PostgreSQL at {server} has no room left: {detail}.",
                server=_without_password(self.url),
                detail=error,
            ),
            remedy=_l("Make room on its disk; nothing that was saved is lost."),
        )

    def _read_only(self, error: BaseException) -> DatabaseUnavailable:
        return DatabaseUnavailable(
            _l(
                "PostgreSQL at {server} cannot be written: {detail}.",
                server=_without_password(self.url),
                detail=error,
            ),
            remedy=_l("Point database.url at a server that takes writes."),
        )

    async def acquire(self) -> Any:
        """Take a connection; DatabaseUnavailable when the server is gone."""
        if self.pool is None:
            raise DatabaseUnavailable("The database is closed.")
        try:
            return await self._lending.acquire()
        except (*_LOST, asyncpg.InterfaceError) as error:
            raise self._unavailable(error) from error

    async def begin(self, connection: Any, *, keys: bool = True) -> None:
        """Begin on this connection; without `keys`, as migrations do, statements may take as long as they need."""
        await self._run(connection, "BEGIN", ())
        if not keys:
            await connection.execute("SET LOCAL statement_timeout = 0")

    def begin_now(self, connection: Any) -> bool:
        """Always False: a server is always waited for."""
        return False

    def release_now(self, connection: Any) -> bool:
        """Always False: the pool takes connections back asynchronously."""
        return False

    async def commit(self, connection: Any) -> None:
        """Commit on this connection."""
        await self._run(connection, "COMMIT", ())

    async def release(self, connection: Any) -> None:
        """Roll back what is still open and give the connection back, whatever state it is in."""
        try:
            if not is_lost(connection) and connection.is_in_transaction():
                await connection.execute("ROLLBACK")
        except Exception:
            log.warning("a connection to PostgreSQL was lost; its transaction is rolled back by the server")
            forsake(connection)
        finally:
            await self._lending.release(connection)

    async def _run(self, connection: Any, sql: str, args: Sequence[Any]) -> Any:
        try:
            return await connection.fetch(sql, *args)
        except (*_LOST, asyncpg.InternalClientError) as error:
            forsake(connection)
            raise self._unavailable(error) from error
        except asyncpg.InsufficientResourcesError as error:
            raise self._full(error) from error
        except asyncpg.ReadOnlySQLTransactionError as error:
            raise self._read_only(error) from error
        except asyncpg.InterfaceError as error:
            # Also raised for arguments of the wrong kind, which are no matter of the server.
            if is_lost(connection):
                raise self._unavailable(error) from error
            raise

    async def _records(self, sql: str, args: Sequence[Any]) -> Sequence[Any]:
        current = Transaction.of_task(self)
        if current is not None:
            found: Sequence[Any] = await self._run(current.connection, sql, args)
            return found
        if writing := not reads(sql):
            Transaction.refuse_inherited(self)
        connection = await self.acquire()
        try:
            found = await self._run(connection, sql, args)
        finally:
            self.writes += writing
            await self._lending.release(connection)
        return found

    async def fetch(self, sql: str, args: Sequence[Any], *, short: bool = False) -> list[dict[str, Any]]:
        """Run one statement in the task's transaction, or on a connection of its own."""
        return [dict(row) for row in await self._records(sql, args)]

    async def fetch_tuples(
        self, sql: str, args: Sequence[Any], *, short: bool = False
    ) -> list[tuple[Any, ...]]:
        """Run a read and return its rows as tuples."""
        return [tuple(row) for row in await self._records(sql, args)]

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
