"""Rate limits: how often one may do what, by the generic cell rate algorithm (GCRA, ITU-T I.371).

One number per key is enough: the moment at which everything done so far would be spread out evenly. An instance
changes a limit under `[limits]` in parvis.toml; a count of 0 switches it off.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from piccolo.columns import BigSerial, DoublePrecision, Text

from parvis.data import PreparedSQL, Table
from parvis.errors import TooMany
from parvis.services.i18n import LazyText, format_duration
from parvis.services.i18n import lazy_gettext as _l
from parvis.site import current


class RateLimit(Table, tablename="rate_limit"):
    """One key with the moment, in seconds since 1970, until which its actions are spread out."""

    id = BigSerial(primary_key=True)
    key = Text(unique=True)
    arrival = DoublePrecision()


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` times in `seconds`, all at once if one likes.

    `shared` limits are kept in the database and hold across processes; the others in memory, each process counting
    for itself: for frequent actions, where one more write would cost more than it protects.
    """

    action: str
    count: int
    seconds: int
    shared: bool = True


LIMITS: dict[str, Limit] = {}
"""Every limit by action, as the program sets it."""


def register_limit(limit: Limit) -> Limit:
    """Make a limit known; plugins do so when they are imported. ValueError where the action has another one."""
    if LIMITS.setdefault(limit.action, limit) != limit:
        raise ValueError(f"the action {limit.action!r} has a limit already")
    return limit


for _limit in (
    # A company often has one address for everybody, who all sign in at nine: a wide limit by address, a narrow
    # one by account and address, and one by account alone against guessing from many places.
    Limit("sign-in-address", 300, 900),
    Limit("sign-in", 10, 900),
    Limit("sign-in-account", 100, 3600),
    Limit("sign-in-link", 10, 3600),
    Limit("change-password", 10, 3600),
    Limit("open-space", 30, 3600),
    Limit("publish", 60, 600, shared=False),
    Limit("upload", 300, 600, shared=False),
    Limit("preview", 120, 60, shared=False),
):
    register_limit(_limit)


_TAKE = PreparedSQL(
    "INSERT INTO rate_limit (key, arrival) VALUES (:key, :first)"
    " ON CONFLICT (key) DO UPDATE SET arrival ="
    " CASE WHEN rate_limit.arrival > :now THEN rate_limit.arrival ELSE :now END + :interval"
    " WHERE CASE WHEN rate_limit.arrival > :now THEN rate_limit.arrival ELSE :now END + :interval <= :latest"
    " RETURNING arrival",
    short=True,
)
_ARRIVAL = PreparedSQL("SELECT arrival FROM rate_limit WHERE key = :key", short=True)
_FORGET = PreparedSQL("DELETE FROM rate_limit WHERE key = :key")
_SWEEP = PreparedSQL("DELETE FROM rate_limit WHERE arrival < :now RETURNING id")

MOST_HERE = 20_000
"""Keys kept in memory before those whose time is over are dropped."""
_ROUNDING = 1e-6


def _here() -> dict[str, float]:
    found: dict[str, float] = current().stash.setdefault("limits", {})
    return found


async def limit(key: str, action: str) -> None:
    """Count one action of `key` (such as “member:12”); TooMany, with the seconds to wait, past its limit.

    To be called before a transaction: inside one, what is counted would be taken back with it. LookupError for an
    action without a limit.
    """
    count, seconds, shared = _effective(action)
    if count == 0:
        return
    interval = seconds / count
    now = time.time()
    name = f"{action}:{key}"
    latest = now + seconds + _ROUNDING
    if shared:
        row = await _TAKE.one(key=name, first=now + interval, now=now, interval=interval, latest=latest)
        if row is not None:
            return
        kept = await _ARRIVAL.one(key=name)
        arrival = kept["arrival"] if kept else now
    else:
        arrival = _here().get(name, 0.0)
        if (due := max(arrival, now) + interval) <= latest:
            _remember(name, due, now)
            return
    wait = max(1, math.ceil(arrival + interval - seconds - now))
    raise TooMany(
        _l(
            "That was too often in a short time. Try again in %(wait)s.",
            wait=LazyText(format_duration, (wait,), {}),
        ),
        retry_after=wait,
    )


async def forget_limit(key: str, action: str) -> None:
    """Let a key start anew, as after a success that proves who it is."""
    name = f"{action}:{key}"
    _here().pop(name, None)
    if _effective(action)[2]:
        await _FORGET(key=name)


async def sweep_limits() -> int:
    """Delete the rows whose time is over; returns how many. They no longer limit anything."""
    return len(await _SWEEP(now=time.time()))


def _effective(action: str) -> tuple[int, int, bool]:
    own = LIMITS[action]
    override = current().config.limits.get(action)
    if override is None:
        return own.count, own.seconds, own.shared
    return override.count, override.seconds, own.shared


def _remember(name: str, due: float, now: float) -> None:
    here = _here()
    if len(here) >= MOST_HERE:
        for old in [key for key, arrival in here.items() if arrival <= now]:
            del here[old]
        if len(here) >= MOST_HERE:
            # Somebody invents keys: the oldest go, which can only make their limits milder.
            for old in list(here)[: MOST_HERE // 4]:
                del here[old]
    here[name] = due
