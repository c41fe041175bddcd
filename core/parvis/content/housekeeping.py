"""What the spine tidies once an hour: texts removed 30 days ago and files nobody attached."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from parvis.content.files import drop_stale_files, sweep_blobs
from parvis.content.removal import UNDO
from parvis.data import PreparedSQL, transaction
from parvis.people.links import drop_old_links
from parvis.people.sessions import drop_expired_sessions
from parvis.services.limits import sweep_limits
from parvis.site import current

log = logging.getLogger("parvis.content")

_EXPIRED = PreparedSQL(
    "SELECT id, type, object FROM content WHERE state = 'removed' AND removed_at < :before"
    " AND NOT EXISTS (SELECT 1 FROM content answer WHERE answer.root = content.id) LIMIT 200"
)
_ERASE = (
    PreparedSQL("DELETE FROM content_version WHERE content = any(:ids)"),
    PreparedSQL("DELETE FROM content_counter WHERE content = any(:ids)"),
    PreparedSQL("UPDATE file SET content = NULL WHERE content = any(:ids)"),
    PreparedSQL("DELETE FROM content WHERE id = any(:ids)"),
)


async def erase_removed(now: datetime | None = None) -> int:
    """Erase through its plugin what was removed over 30 days ago; returns how many rows went.

    Rows whose plugin is not enabled wait: only that plugin can erase their substance.
    """
    rows = await _EXPIRED(before=(now or datetime.now(UTC)) - UNDO)
    by_type: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_type.setdefault(row["type"], []).append(row)
    erased = 0
    for name, group in by_type.items():
        declared = current().plugins.content_types.get(name)
        if declared is None or declared.value.erase is None:
            continue
        async with transaction():
            for statement in _ERASE:
                await statement(ids=[row["id"] for row in group])
            await declared.value.erase([row["object"] for row in group if row["object"] is not None])
        erased += len(group)
    return erased


async def tidy() -> None:
    """Run every tidying once; a failure is logged and the next one still runs."""
    now = datetime.now(UTC)
    tasks: tuple[tuple[str, Callable[[], Awaitable[int]]], ...] = (
        ("removed contents", erase_removed),
        ("stale files", lambda: drop_stale_files(now)),
        ("stored blobs", sweep_blobs),
        ("expired sessions", lambda: drop_expired_sessions(now)),
        ("old sign-in links", lambda: drop_old_links(now)),
        ("rate limits", sweep_limits),
    )
    for name, task in tasks:
        try:
            count = await task()
        except Exception:
            log.exception("Tidying %s failed; it is tried again in an hour.", name)
        else:
            if count:
                log.info("Tidied %s: %d", name, count)
