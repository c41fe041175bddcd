"""SQLite behind Piccolo's tables: one writer in a thread of its own, readers, durable commits."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from piccolo.engine.sqlite import SQLiteEngine as PiccoloSQLiteEngine

from parvis.data.sqlite_connection import WAIT, SQLiteConnection
from parvis.data.sqlite_faults import is_fault, rolled_back, unavailable
from parvis.data.statements import reads
from parvis.data.transactions import Transaction

T = TypeVar("T")
_How = Callable[[SQLiteConnection, str, Sequence[Any]], list[T]]


class SQLiteEngine(PiccoloSQLiteEngine):
    """SQLite with one writer in a thread of its own, some readers, and one reader for short reads in the loop."""

    dialect = "sqlite"
    writes = 0
    """How often this process ended a transaction or wrote outside of one: what was read before may be old since."""

    def __init__(self, path: str, *, readers: int = 2) -> None:
        super().__init__(path=path)
        self._readers_wanted = readers
        self.started = False

    async def start(self) -> None:
        """Open the connections; DatabaseUnavailable says what to do when the file cannot be used."""
        path = self.path
        try:
            self.writer = await asyncio.to_thread(SQLiteConnection, path, writer=True)
            self.writer_lock = asyncio.Lock()
            self.inline = SQLiteConnection(path, writer=False, inline=True)
            self.readers: asyncio.LifoQueue[SQLiteConnection] = asyncio.LifoQueue()
            self._all_readers = [SQLiteConnection(path, writer=False) for _ in range(self._readers_wanted)]
            for reader in self._all_readers:
                self.readers.put_nowait(reader)
            # The file that writers of several processes queue on; SQLite's own waiting is a lottery.
            self._queue = os.open(f"{path}-queue", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except (sqlite3.Error, OSError) as error:
            raise unavailable(error, path) from error
        self.loop = asyncio.get_running_loop()
        self.started = True

    async def stop(self) -> None:
        """Close every connection once the last write is done."""
        if not self.started:
            return
        async with self.writer_lock:
            self.started = False
            for connection in (*self._all_readers, self.inline, self.writer):
                await asyncio.to_thread(connection.close)
            os.close(self._queue)

    # -- transactions ----------------------------------------------------------------------------------------

    def transaction(self, *args: Any, **kwargs: Any) -> Transaction:  # type: ignore[override]
        """Return a transaction of ours; Piccolo's own begins DEFERRED and leaks connections."""
        return Transaction(self)

    async def acquire(self) -> SQLiteConnection:
        """Wait for the writer of this process."""
        await self.writer_lock.acquire()
        return self.writer

    async def begin(self, connection: SQLiteConnection, *, keys: bool = True) -> None:
        """Queue with other processes' writers, then begin; blocking happens in the writer's thread.

        Without `keys` foreign keys are not enforced: the pragma does nothing inside a transaction, and with it on
        DROP TABLE deletes the rows of tables that refer to the dropped one.
        """
        await connection.run(self._begin, connection, keys)

    def begin_now(self, connection: SQLiteConnection) -> bool:
        """Begin here and now if nobody else writes; False when it would have to wait, which the thread does."""
        if not connection.is_idle:
            return False
        try:
            fcntl.flock(self._queue, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        raw = connection.raw
        try:
            raw.execute("PRAGMA busy_timeout=0")
            raw.execute("BEGIN IMMEDIATE")
        except sqlite3.Error:
            fcntl.flock(self._queue, fcntl.LOCK_UN)
            return False
        else:
            connection.begun = True
            return True
        finally:
            raw.execute(WAIT)

    def _begin(self, connection: SQLiteConnection, keys: bool) -> None:
        fcntl.flock(self._queue, fcntl.LOCK_EX)
        try:
            if not keys:
                connection.raw.execute("PRAGMA foreign_keys=0")
            connection.raw.execute("BEGIN IMMEDIATE")
            connection.begun = True
        except sqlite3.Error as error:
            connection.raw.execute("PRAGMA foreign_keys=1")
            fcntl.flock(self._queue, fcntl.LOCK_UN)
            raise unavailable(error, self.path) from error

    async def commit(self, connection: SQLiteConnection) -> None:
        """Commit, durably: synchronous=FULL waits for the disk."""
        try:
            await connection.run(self._commit, connection)
        except sqlite3.OperationalError as error:
            raise unavailable(error, self.path) from error

    def _commit(self, connection: SQLiteConnection) -> None:
        if not connection.raw.in_transaction:
            raise rolled_back(self.path)
        connection.raw.execute("COMMIT")
        self._end(connection)

    async def release(self, connection: SQLiteConnection) -> None:
        """Roll back what is still open and give the writer to the next."""
        try:
            await connection.run(self._end, connection)
        finally:
            self.writer_lock.release()

    def release_now(self, connection: SQLiteConnection) -> bool:
        """Give the writer to the next at once if nothing is left to roll back; else False."""
        if connection.begun or not connection.is_idle:
            return False
        self.writer_lock.release()
        return True

    def _end(self, connection: SQLiteConnection) -> None:
        if not connection.begun:
            return
        try:
            if connection.raw.in_transaction:
                connection.raw.execute("ROLLBACK")
            connection.raw.execute("PRAGMA foreign_keys=1")
        finally:
            connection.begun = False
            fcntl.flock(self._queue, fcntl.LOCK_UN)

    # -- queries ---------------------------------------------------------------------------------------------

    async def fetch(self, sql: str, args: Sequence[Any], *, short: bool = False) -> list[dict[str, Any]]:
        """Run one statement: in the task's transaction, inline, on a reader, or as a transaction of its own."""
        return await self._run(SQLiteConnection.rows, sql, args, short)

    async def fetch_tuples(
        self, sql: str, args: Sequence[Any], *, short: bool = False
    ) -> list[tuple[Any, ...]]:
        """Run a read and return its rows as tuples: for hot lists, where a dict a row is half the cost."""
        return await self._run(SQLiteConnection.tuples, sql, args, short)

    async def _run(self, how: _How[T], sql: str, args: Sequence[Any], short: bool) -> list[T]:
        try:
            current = Transaction.of_task(self)
            if current is not None:
                return await self._within(current.connection, how, sql, args, short)
            if reads(sql):
                return how(self.inline, sql, args) if short else await self._read(how, sql, args)
            async with Transaction(self) as current:
                return await self._within(current.connection, how, sql, args, short)
        except sqlite3.DatabaseError as error:
            if is_fault(error):
                raise unavailable(error, self.path) from error
            raise

    async def _read(self, how: _How[T], sql: str, args: Sequence[Any]) -> list[T]:
        reader = await self.readers.get()
        try:
            return await reader.run(how, reader, sql, args)
        finally:
            self.readers.put_nowait(reader)

    async def _within(
        self, connection: SQLiteConnection, how: _How[T], sql: str, args: Sequence[Any], short: bool
    ) -> list[T]:
        if not connection.raw.in_transaction:
            # SQLite itself takes a transaction back when its disk is full, for one. What came after would stay.
            raise rolled_back(self.path)
        # A keyed statement takes some 20 µs, a trip to the thread and back 100; only begin and commit ever wait.
        if short and connection.is_idle:
            return how(connection, sql, args)
        return await connection.run(how, connection, sql, args)

    async def _run_in_new_connection(
        self, query: str, args: list[Any] | None = None, query_type: str = "generic", table: Any = None
    ) -> Any:
        return await self.fetch(query, args or ())

    async def _run_in_existing_connection(
        self,
        connection: Any,
        query: str,
        args: list[Any] | None = None,
        query_type: str = "generic",
        table: Any = None,
    ) -> Any:
        return await self.fetch(query, args or ())

    async def batch(self, query: Any, batch_size: int = 100, node: str | None = None) -> Any:
        """Return the rows of a query in batches; Piccolo's own breaks with two arguments."""
        return _Batches(self, query, batch_size)


class _Batches:
    """Rows of one query on a connection of its own, some at a time."""

    def __init__(self, engine: SQLiteEngine, query: Any, size: int) -> None:
        self._engine, self._query, self._size = engine, query, size

    async def __aenter__(self) -> _Batches:
        self._connection = SQLiteConnection(self._engine.path, writer=False)
        sql, args = self._query.querystrings[0].compile_string(engine_type="sqlite")
        self._cursor = await self._connection.run(self._connection.raw.execute, sql, args)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await asyncio.to_thread(self._connection.close)

    def __aiter__(self) -> _Batches:
        return self

    async def __anext__(self) -> list[dict[str, Any]]:
        rows = await self._connection.run(self._cursor.fetchmany, self._size)
        if not rows:
            raise StopAsyncIteration
        names = [column[0] for column in self._cursor.description]
        return [dict(zip(names, row, strict=True)) for row in rows]
