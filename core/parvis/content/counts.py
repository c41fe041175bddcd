"""What the cards of a content show that changes from elsewhere: its counters, and the mark that it changed."""

from __future__ import annotations

from collections.abc import Sequence

from parvis.data import PreparedSQL

_TOUCH = PreparedSQL("UPDATE content SET touched = touched + 1 WHERE id = any(:ids)")
_BUMP = PreparedSQL(
    "INSERT INTO content_counter (content, name, value) VALUES (:content, :name, :delta)"
    " ON CONFLICT (content, name) DO UPDATE SET value = content_counter.value + excluded.value",
    short=True,
)


async def touch(ids: Sequence[int]) -> None:
    """Say that what the cards of these contents show changed from elsewhere; editors are not disturbed."""
    if ids:
        await _TOUCH(ids=list(ids))


async def bump(content: int, name: str, delta: int) -> None:
    """Add `delta` to a counter in the caller's transaction."""
    await _BUMP(content=content, name=name, delta=delta)
