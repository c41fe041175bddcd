"""Who has stored how many bytes: quotas of members and modules, changed with the rows of their files."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from parvis.data import PreparedSQL
from parvis.errors import StorageFull, TooLarge
from parvis.services.i18n import lazy_gettext as _l
from parvis.services.storage import Blob
from parvis.site import current

_COUNT = PreparedSQL(
    "INSERT INTO quota (scope, subject, bytes) VALUES (:scope, :subject, :bytes)"
    " ON CONFLICT (scope, subject) DO UPDATE SET bytes = quota.bytes + excluded.bytes RETURNING bytes"
)
_USED = PreparedSQL("SELECT bytes FROM quota WHERE scope = 'member' AND subject = :subject", short=True)


async def store(member: int, stream: AsyncIterator[bytes]) -> Blob:
    """Store what is sent, as far as one file and the member's quota let; nothing stays of what is more."""
    files, storage = current().config.files, current().storage
    limit, room = files.max_upload_mb * 1_000_000, await _room(member)
    try:
        return await storage.put(stream, limit=limit if room is None else min(limit, room))
    except TooLarge:
        if room is not None and room < limit:
            raise _quota_reached() from None
        raise


async def _room(member: int) -> int | None:
    """Return how many bytes a member may still store, None without a quota."""
    quota = current().config.files.member_quota_mb * 1_000_000
    if not quota:
        return None
    row = await _USED.one(subject=str(member))
    return max(0, quota - (row["bytes"] if row else 0))


def _quota_reached() -> StorageFull:
    return StorageFull(
        _l("Your space for files is full."), remedy=_l("Remove files you no longer need, or ask your IT.")
    )


async def charge(member: int, plugin: str, size: int) -> None:
    """Count bytes in the caller's transaction; StorageFull past the member's quota."""
    row = await _COUNT.one(scope="member", subject=str(member), bytes=size)
    await _COUNT(scope="plugin", subject=plugin, bytes=size)
    quota = current().config.files.member_quota_mb * 1_000_000
    if row is not None and size > 0 and quota and row["bytes"] > quota:
        raise _quota_reached()


async def release(row: dict[str, Any]) -> None:
    """Give back the bytes of a file whose row was deleted in the caller's transaction."""
    await _COUNT(scope="member", subject=str(row["owner"]), bytes=-row["size"])
