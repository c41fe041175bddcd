"""What a statement does, told from its text, and how names stand in it."""

from __future__ import annotations

import re

_NAME = re.compile(r"[a-z][a-z0-9_]*$")
_READS = re.compile(r"\s*(SELECT|PRAGMA|EXPLAIN|SHOW|WITH)\b", re.IGNORECASE)
_WRITES = re.compile(r"\b(INSERT|UPDATE|DELETE)\b", re.IGNORECASE)


def reads(sql: str) -> bool:
    """Whether a statement only reads; one of which that is not sure counts as writing."""
    found = _READS.match(sql)
    if found is None:
        return False
    return found[1].upper() != "WITH" or _WRITES.search(sql) is None


def quoted(name: str) -> str:
    """Return a name of our own safely quoted; ValueError for one that no migration should use."""
    if not _NAME.match(name):
        raise ValueError(f"{name!r} is no name for a table or column: use lower case, digits and _")
    return f'"{name}"'
