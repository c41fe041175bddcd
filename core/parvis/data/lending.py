"""Lends the connections of an asyncpg pool and keeps them warm.

The pool's own way of giving a connection back takes as long as a keyed query: it resets and wraps it each time.
Connections lent here leave no session state behind (no SET without LOCAL, no session lock), so they go from hand to
hand as they are; the pool makes them, and buries those that broke.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import asyncpg


def is_lost(connection: Any) -> bool:
    """Whether a pooled connection is of no use: closed, or taken back by the pool because the server ended it."""
    try:
        closed: bool = connection.is_closed()
    except asyncpg.InterfaceError:
        return True
    return closed


def forsake(connection: Any) -> None:
    """Close a connection that failed, so that nobody is lent it again."""
    if not is_lost(connection):
        connection.terminate()


class Lending:
    """Up to `size` connections of a pool; whoever finds none free waits for the next one given back."""

    def __init__(self, pool: Any, size: int) -> None:
        self._pool = pool
        self._size = size
        self._held = 0
        self._free: list[Any] = []
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._making: set[asyncio.Future[Any]] = set()

    async def acquire(self) -> Any:
        """Return a connection: the one used last, else a new one, else the next given back."""
        while True:
            while self._free:
                connection = self._free.pop()
                if not is_lost(connection):
                    return connection
                await self._bury(connection)
            if self._held < self._size:
                return await self._made()
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._wake()  # the turn that came too late for this task is another's
                raise

    async def _made(self) -> Any:
        """Return a new connection; it is made to the end even if whoever asked is cancelled, for the next.

        Making one takes long on a busy server: if those who give up took it along, nobody would ever get one.
        """
        self._held += 1
        making = asyncio.ensure_future(self._pool.acquire())
        self._making.add(making)
        making.add_done_callback(self._finish)
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            making.add_done_callback(self._keep)
            raise

    def _finish(self, making: asyncio.Future[Any]) -> None:
        self._making.discard(making)
        if making.cancelled() or making.exception() is not None:
            self._held -= 1
            self._wake()

    def _keep(self, making: asyncio.Future[Any]) -> None:
        if not making.cancelled() and making.exception() is None:
            self._free.append(making.result())
            self._wake()

    async def release(self, connection: Any) -> None:
        """Take a connection back; a broken one makes room for a new one."""
        if is_lost(connection):
            await self._bury(connection)
        else:
            self._free.append(connection)
            self._wake()

    async def _bury(self, connection: Any) -> None:
        self._held -= 1
        self._wake()
        await self._pool.release(connection)

    def _wake(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    async def close(self) -> None:
        """Give everything back to the pool, once the connections that are being made are there."""
        if self._making:
            await asyncio.wait(self._making)
            await asyncio.sleep(0)  # those that nobody waits for are kept by a callback
        while self._free:
            await self._pool.release(self._free.pop())
