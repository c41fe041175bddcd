"""What a statement does, told from its text."""

from __future__ import annotations

import re

_READS = re.compile(r"\s*(SELECT|PRAGMA|EXPLAIN|SHOW|WITH)\b", re.IGNORECASE)
_WRITES = re.compile(r"\b(INSERT|UPDATE|DELETE)\b", re.IGNORECASE)


def reads(sql: str) -> bool:
    """Whether a statement only reads; one of which that is not sure counts as writing."""
    found = _READS.match(sql)
    if found is None:
        return False
    return found[1].upper() != "WITH" or _WRITES.search(sql) is None
