"""Events: told to plugins after the transaction that caused them was committed."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from parvis.data import after_commit, spawn
from parvis.site import current

if TYPE_CHECKING:
    from parvis.declarations import Event

log = logging.getLogger("parvis.events")
_running: set[asyncio.Task[None]] = set()


def emit(event: Event) -> None:
    """Tell plugins of `event` once the caller's transaction is committed; nothing happens on rollback."""
    after_commit(lambda: _start(event))


def _start(event: Event) -> None:
    task = spawn(_deliver(event))
    _running.add(task)
    task.add_done_callback(_running.discard)


async def _deliver(event: Event) -> None:
    await current().plugins.tell("on_event", event=event)


async def settle() -> None:
    """Wait until every event told so far was heard; used when the site closes and by tests."""
    while _running:
        await asyncio.gather(*_running, return_exceptions=True)
