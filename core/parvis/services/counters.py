"""Numbers that tell every process that something shown everywhere changed, and the number of members."""

from __future__ import annotations

import time

from piccolo.columns import BigInt, BigSerial, Text

from parvis.data import PreparedSQL, Table, after_commit
from parvis.site import current


class SiteCounter(Table, tablename="site_counter"):
    """A number that only grows: `plugins`, `settings`, `cards`, `standing`; who keeps something compares it."""

    id = BigSerial(primary_key=True)
    name = Text(unique=True)
    value = BigInt(default=1)


_BUMP = PreparedSQL(
    "INSERT INTO site_counter (name, value) VALUES (:name, 2)"
    " ON CONFLICT (name) DO UPDATE SET value = site_counter.value + 1 RETURNING value"
)
_ALL = PreparedSQL("SELECT name, value FROM site_counter", short=True)
_MEMBERS = PreparedSQL("SELECT count(*) AS number FROM member WHERE state = 'active'")

MEMBERS_KEPT = 60.0
"""Seconds for which the number of members is kept: it stands on every page and need not be exact."""


async def bump_counter(name: str) -> int:
    """Raise a counter in the caller's transaction and return it; every process notices within a second."""
    row = await _BUMP.one(name=name)
    if row is None:
        raise RuntimeError(f"site_counter {name} could not be raised")
    value: int = row["value"]
    # This process knows at once, so that who changed something sees it changed.
    after_commit(lambda: current().settings.learn_counter(name, value))
    return value


async def site_counters() -> dict[str, int]:
    """Return every counter by name; one short read, fit for asking each second."""
    return {row["name"]: row["value"] for row in await _ALL()}


async def members_count() -> int:
    """Return how many people are in the directory; up to a minute old."""
    stash = current().stash
    kept: tuple[float, int] | None = stash.get("members_count")
    now = time.monotonic()
    if kept is not None and now - kept[0] < MEMBERS_KEPT:
        return kept[1]
    row = await _MEMBERS.one()
    number: int = row["number"] if row else 0
    stash["members_count"] = (now, number)
    return number
