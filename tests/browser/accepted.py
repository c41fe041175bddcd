"""Minor findings of axe that stay, each with its reason. A test fails when one no longer occurs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Accepted:
    """A finding of impact `minor`: axe's rule, a part of the element it is found at, and why it stays."""

    rule: str
    part: str
    reason: str


ACCEPTED: tuple[Accepted, ...] = ()
