"""The audit trail: who did what when, each row chained to the one before, so that a change made later shows.

Details lie in a table of their own, which erasure may empty: the row keeps only their HMAC, and the chain still
verifies. Digests and hashes are keyed, so that who can write the database but not read the instance's secret can
neither make a row nor guess what was erased. Rows cut off at the end show only against a noted `head()`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from piccolo.columns import JSON, BigInt, BigSerial, Text, Timestamptz

from parvis.data import PreparedSQL, Table, bound_engine, transaction
from parvis.services.secrets import keyed_digest


class Audit(Table, tablename="audit"):
    """One thing that was done; `subject` is like “member:12”, `actor` a member's id or null for nobody."""

    seq = BigSerial(primary_key=True)
    at = Timestamptz()
    action = Text()
    actor = BigInt(null=True, default=None)
    subject = Text(default="")
    digest = Text()
    hash = Text()


class AuditDetail(Table, tablename="audit_detail"):
    """What was noted of one row, until erasure empties it."""

    id = BigSerial(primary_key=True)
    seq = BigInt(unique=True)
    details = JSON(null=True, default=None)


# A number nothing else locks; held until the caller's transaction ends, so rows are written one after the other.
_LOCK = PreparedSQL("SELECT pg_advisory_xact_lock(7265730001)")
_LAST = PreparedSQL("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")
_INSERT = PreparedSQL(
    "INSERT INTO audit (seq, at, action, actor, subject, digest, hash)"
    " VALUES (:seq, :at, :action, :actor, :subject, :digest, :hash)",
    short=True,
)
_INSERT_DETAIL = PreparedSQL(
    "INSERT INTO audit_detail (seq, details) VALUES (:seq, :details)", types={"details": "json"}, short=True
)
_PAGE = PreparedSQL(
    "SELECT a.seq, a.at, a.action, a.actor, a.subject, a.digest, a.hash, d.details"
    " FROM audit a LEFT JOIN audit_detail d ON d.seq = a.seq WHERE a.seq > :after ORDER BY a.seq LIMIT 500",
    types={"details": "json", "at": "timestamptz"},
)
_EMPTY = PreparedSQL(
    "UPDATE audit_detail SET details = NULL WHERE details IS NOT NULL"
    " AND seq IN (SELECT seq FROM audit WHERE subject = :subject OR actor = :actor) RETURNING seq"
)
_START = ""


async def record(
    action: str, actor: int | None, subject: str = "", details: Mapping[str, Any] | None = None
) -> int:
    """Write one row in the caller's transaction, or in one of its own, and return its number.

    Best called last in a transaction: until that ends, other processes' records wait (PostgreSQL). Details are
    JSON values; passwords and tokens never belong there.
    """
    text = _canonical(details or {})
    async with transaction("audit"):
        if bound_engine().dialect == "postgres":
            await _LOCK()
        last = await _LAST.one()
        seq: int = last["seq"] + 1 if last else 1
        row = {
            "seq": seq,
            "at": datetime.now(UTC),
            "action": action,
            "actor": actor,
            "subject": subject,
            "digest": keyed_digest(text.encode(), "audit details"),
        }
        await _INSERT(**row, hash=_chained(last["hash"] if last else _START, row))
        if details:
            await _INSERT_DETAIL(seq=seq, details=text)
    return seq


async def verify() -> int | None:
    """Return the number of the first row that was changed, added or taken away, or None when all is as written."""
    previous, expected = _START, 1
    while rows := await _PAGE(after=expected - 1):
        for row in rows:
            if row["seq"] != expected or row["hash"] != _chained(previous, row):
                return expected
            if row["details"] is not None and row["digest"] != _digest(row["details"]):
                return expected
            previous, expected = row["hash"], expected + 1
    return None


async def head() -> tuple[int, str]:
    """Return number and hash of the last row: noted elsewhere, they show when rows at the end were cut off."""
    last = await _LAST.one()
    return (last["seq"], last["hash"]) if last else (0, _START)


async def empty_details(member: int) -> int:
    """Forget the details of what a member did and of what was done to them, for erasure; returns how many."""
    return len(await _EMPTY(subject=f"member:{member}", actor=member))


def _canonical(details: Any) -> str:
    return json.dumps(details, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)


def _digest(details: Any) -> str:
    return keyed_digest(_canonical(details).encode(), "audit details")


def _chained(previous: str, row: Mapping[str, Any]) -> str:
    at = row["at"].astimezone(UTC).isoformat(timespec="microseconds")
    fields = [previous, row["seq"], at, row["action"], row["actor"], row["subject"], row["digest"]]
    return keyed_digest(_canonical(fields).encode(), "audit chain")
