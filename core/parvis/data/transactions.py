"""Transactions that survive cancellation: whatever happens, the connection is given back clean."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from parvis.data.tables import bound_engine
from parvis.errors import Unavailable

if TYPE_CHECKING:
    from types import TracebackType

    from parvis.data.engines import Engine

log = logging.getLogger("parvis.data")
T = TypeVar("T")

SLOW = 1.0
"""Seconds after which an open transaction is logged with its owner."""
LONGEST = 5.0
"""Seconds after which an open transaction is rolled back."""


async def uninterrupted(work: Awaitable[T]) -> T:
    """Await `work` to its end even when this task is cancelled meanwhile; the cancellation is raised afterwards."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.cancelled():
                raise
            cancelled = error
        except BaseException:
            break
    if cancelled is not None:
        if not task.cancelled() and (failure := task.exception()) is not None:
            log.debug("work that was waited out after a cancellation failed: %s", failure)
        raise cancelled
    return task.result()


def _current(engine: Engine) -> contextvars.ContextVar[Transaction | None]:
    # Piccolo types the variable for its own transactions; only ours are ever put there.
    found: Any = engine.current_transaction
    variable: contextvars.ContextVar[Transaction | None] = found
    return variable


class Transaction:
    """One transaction of one task; entered again inside itself it joins the outer one."""

    def __init__(
        self, engine: Engine, owner: str = "", *, longest: float | None = None, keys: bool = True
    ) -> None:
        self.engine = engine
        self.owner = owner
        self.connection: Any = None
        self.callbacks: list[Callable[[], Any]] = []
        self.savepoints = 0
        self._keys = keys
        self._committed = False
        self._longest = LONGEST if longest is None else longest
        self._parent: Transaction | None = None
        self._task: asyncio.Task[Any] | None = None
        self._token: contextvars.Token[Any] | None = None

    @classmethod
    def of_task(cls, engine: Engine) -> Transaction | None:
        """Return the transaction that this very task opened; a task never inherits the one it was started in."""
        found = _current(engine).get()
        if found is None or found.connection is None:
            return None
        return found if found._task is asyncio.current_task() else None

    @staticmethod
    def refuse_inherited(engine: Engine) -> None:
        """Raise RuntimeError in a task that was started inside a transaction which is still open.

        What it writes would not be part of that transaction; and on SQLite it would wait for its end, for ever if
        the transaction waits for the task.
        """
        inherited = _current(engine).get()
        if inherited is None or inherited.connection is None or inherited._task is asyncio.current_task():
            return
        raise RuntimeError(
            f"a task started inside the transaction of {inherited.owner} writes while it is open: "
            "start it with parvis.data.spawn() after the commit"
        )

    async def __aenter__(self) -> Transaction:
        """Join this task's transaction, or take a connection and begin."""
        parent = self.of_task(self.engine)
        if parent is not None:
            self._parent = parent
            return parent
        self.refuse_inherited(self.engine)
        self.owner = self.owner or _caller()
        connection = await self.engine.acquire()
        try:
            if not (self._keys and self.engine.begin_now(connection)):
                await uninterrupted(self.engine.begin(connection, keys=self._keys))
        except BaseException:
            await self._give_back(connection)
            raise
        self.connection = connection
        self._task = asyncio.current_task()
        self._token = _current(self.engine).set(self)
        self._watch = asyncio.get_running_loop().call_later(SLOW, self._slow)
        self._limit = asyncio.timeout(self._longest)
        await self._limit.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Commit, or roll back when the block raised; then give the connection back and run the callbacks."""
        if self._parent is not None:
            return
        self._watch.cancel()
        try:
            await self._leave_limit(kind, error, trace)
            if error is None:
                await uninterrupted(self._commit())
        finally:
            # Also after an error: whether a commit that failed halfway stands is not known.
            self.engine.writes += 1
            connection, self.connection = self.connection, None
            if self._token is not None:
                _current(self.engine).reset(self._token)
            try:
                await self._give_back(connection)
            finally:
                # Also when the caller was cancelled while it committed: the write stands, and has to be told.
                if self._committed:
                    self._tell()

    async def _commit(self) -> None:
        await self.engine.commit(self.connection)
        self._committed = True

    def _tell(self) -> None:
        for callback in self.callbacks:
            try:
                callback()
            except Exception:
                # Raised from here it would tell the writer that nothing was saved.
                log.exception("what follows a transaction of %s failed; the transaction stands", self.owner)

    async def _leave_limit(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._limit.__aexit__(kind, error, trace)
        except TimeoutError as late:
            raise Unavailable(
                f"A transaction of {self.owner} was open for more than {self._longest:g} s and was rolled back."
            ) from late

    async def _give_back(self, connection: Any) -> None:
        if self.engine.release_now(connection):
            return
        try:
            await uninterrupted(self.engine.release(connection))
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("a connection was given back with an error")

    def _slow(self) -> None:
        log.warning("a transaction of %s has been open for more than %g s", self.owner, SLOW)


def _caller() -> str:
    """Return the module and function outside this room that opened the transaction."""
    frame = sys._getframe(2)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if not name.startswith(("parvis.data", "contextlib", "asyncio")):
            return f"{name}.{frame.f_code.co_name}"
        if frame.f_back is None:
            break
        frame = frame.f_back
    return "unknown"


def transaction(owner: str = "") -> Transaction:
    """Return a transaction on the bound database, for `async with`; one inside another joins it."""
    return Transaction(bound_engine(), owner)


@asynccontextmanager
async def savepoint() -> AsyncIterator[None]:
    """Take back what the block wrote, and only that, when it raises; needs an open transaction."""
    current = Transaction.of_task(bound_engine())
    if current is None:
        raise RuntimeError("savepoint() needs an open transaction")
    current.savepoints += 1
    name = f"parvis_{current.savepoints}"
    kept = len(current.callbacks)
    await uninterrupted(current.connection.execute(f"SAVEPOINT {name}"))
    try:
        yield
    except BaseException:
        del current.callbacks[kept:]
        await uninterrupted(current.connection.execute(f"ROLLBACK TO SAVEPOINT {name}"))
        await uninterrupted(current.connection.execute(f"RELEASE SAVEPOINT {name}"))
        raise
    await uninterrupted(current.connection.execute(f"RELEASE SAVEPOINT {name}"))


def in_transaction() -> bool:
    """Whether this very task has a transaction open."""
    return Transaction.of_task(bound_engine()) is not None


def after_commit(callback: Callable[[], Any]) -> None:
    """Run `callback` once the task's transaction is committed, never after a rollback; at once outside of one.

    It runs too when the task is cancelled while it commits. An error it raises there is logged.
    """
    current = Transaction.of_task(bound_engine())
    if current is None:
        callback()
    else:
        current.callbacks.append(callback)


def spawn(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Start a task that keeps the locale and other context of the caller but not its transaction."""
    context = contextvars.copy_context()
    context.run(_current(bound_engine()).set, None)
    return asyncio.get_running_loop().create_task(work, context=context)
