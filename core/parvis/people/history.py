"""Former addresses of people and spaces: an old link leads to today's page and nobody else takes the name."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from piccolo.columns import BigInt, BigSerial, Text, Timestamptz

from parvis.data import PreparedSQL, Table
from parvis.errors import NotFound

Kind = Literal["member", "space"]

_KEEP = PreparedSQL(
    "INSERT INTO slug_history (kind, slug, subject, since) VALUES (:kind, :slug, :subject, :now)"
    " ON CONFLICT (kind, slug) DO UPDATE SET subject = excluded.subject, since = excluded.since"
)
_FREE = PreparedSQL("DELETE FROM slug_history WHERE kind = :kind AND slug = :slug")
_OWNER = PreparedSQL("SELECT subject FROM slug_history WHERE kind = :kind AND slug = :slug", short=True)
_FORMER = PreparedSQL(
    "SELECT slug FROM slug_history WHERE kind = :kind AND (slug = :slug OR slug LIKE :like)"
)


class Moved(NotFound):
    """What the reader asks for had this address before; a page leads on, everything else takes it for NotFound."""

    def __init__(self, former: str, now: str) -> None:
        super().__init__()
        self.former = former
        self.now = now

    def path(self, asked: str) -> str:
        """Return the asked path with today's address in it."""
        parts = asked.split("/")
        parts[parts.index(self.former)] = self.now
        return "/".join(parts)


class SlugHistory(Table, tablename="slug_history"):
    """An address that something had before, by kind."""

    id = BigSerial(primary_key=True)
    kind = Text()
    slug = Text()
    subject = BigInt()
    since = Timestamptz()


async def keep_slug(kind: Kind, slug: str, subject: int, *, now_called: str) -> None:
    """Keep the address that `subject` had until now; the one it takes is a former one no more."""
    await _FREE(kind=kind, slug=now_called)
    await _KEEP(kind=kind, slug=slug, subject=subject, now=datetime.now(UTC))


async def owner_of(kind: Kind, slug: str) -> int | None:
    """Return what had this address before, or None."""
    row = await _OWNER.one(kind=kind, slug=slug)
    found: int | None = row["subject"] if row else None
    return found


async def former_slugs(kind: Kind, stem: str) -> set[str]:
    """Return the former addresses that are `stem` or begin with it and a hyphen; `stem` is a slug itself."""
    return {row["slug"] for row in await _FORMER(kind=kind, slug=stem, like=stem + "-%")}
