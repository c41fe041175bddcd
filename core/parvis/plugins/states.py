"""The states of a plugin's life, and which may follow which."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    """Where a plugin stands; kept in the table `plugin` and followed by every process."""

    INSTALLED = "installed"
    ENABLED = "enabled"
    DISABLED = "disabled"
    SUSPENDED = "suspended"
    QUARANTINED = "quarantined"
    REMOVED = "removed"


INSTALLED = State.INSTALLED
ENABLED = State.ENABLED
DISABLED = State.DISABLED
SUSPENDED = State.SUSPENDED
QUARANTINED = State.QUARANTINED
REMOVED = State.REMOVED

TRANSITIONS: Mapping[State, frozenset[State]] = {
    INSTALLED: frozenset({ENABLED, QUARANTINED, REMOVED}),
    ENABLED: frozenset({DISABLED, SUSPENDED, QUARANTINED}),
    DISABLED: frozenset({ENABLED, QUARANTINED, REMOVED}),
    # The core suspends by itself (errors, blocking); an administrator switches on again, or off for good.
    SUSPENDED: frozenset({ENABLED, DISABLED, QUARANTINED}),
    QUARANTINED: frozenset({ENABLED, DISABLED, REMOVED}),
    REMOVED: frozenset({INSTALLED, ENABLED, QUARANTINED}),
}

# Their code is imported when the site starts, so that switching on and off needs no restart.
LOADED = frozenset({ENABLED, DISABLED, SUSPENDED})


def may_follow(old: State, new: State) -> bool:
    """Whether a plugin may go from one state to another; staying where it is, is no transition."""
    return new in TRANSITIONS[old]
