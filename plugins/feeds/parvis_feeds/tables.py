"""The substance of posts: what was typed, and the safe HTML made of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from parvis.data import PreparedSQL, Table
from piccolo.columns import BigSerial, Text

_BY_IDS = PreparedSQL("SELECT id, html, excerpt FROM feeds_post WHERE id = any(:ids)", short=True)
_SOURCE = PreparedSQL("SELECT source FROM feeds_post WHERE id = :id", short=True)
_ADD = PreparedSQL(
    "INSERT INTO feeds_post (source, html, rules, excerpt) VALUES (:source, :html, :rules, :excerpt) RETURNING id",
    short=True,
)
_SAVE = PreparedSQL(
    "UPDATE feeds_post SET source = :source, html = :html, rules = :rules, excerpt = :excerpt WHERE id = :id",
    short=True,
)
_ERASE = PreparedSQL("DELETE FROM feeds_post WHERE id = any(:ids)")
_OUTDATED = PreparedSQL(
    "SELECT id, source FROM feeds_post WHERE rules <> :rules ORDER BY id DESC LIMIT :limit"
)


class Post(Table, tablename="feeds_post"):
    """A post; `html` was made from `source` under the Markdown rules whose hash is `rules`."""

    id = BigSerial(primary_key=True)
    source = Text()
    html = Text()
    rules = Text()
    excerpt = Text()

    @classmethod
    async def by_ids(cls, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
        """Return what cards show, by id, in one query."""
        return {row["id"]: row for row in await _BY_IDS(ids=list(ids))}

    @classmethod
    async def source_of(cls, post: int) -> str:
        """Return what was typed; LookupError when the post is gone."""
        row = await _SOURCE.one(id=post)
        if row is None:
            raise LookupError(f"post {post} is gone")
        found: str = row["source"]
        return found

    @classmethod
    async def add(cls, rendered: dict[str, str]) -> int:
        """Add a post in the caller's transaction and return its id."""
        row = await _ADD.one(**rendered)
        if row is None:
            raise LookupError("the post was not stored")
        found: int = row["id"]
        return found

    @classmethod
    async def replace(cls, post: int, rendered: dict[str, str]) -> None:
        """Replace what a post says in the caller's transaction."""
        await _SAVE(id=post, **rendered)

    @classmethod
    async def erase(cls, ids: Sequence[int]) -> None:
        """Delete posts for good in the caller's transaction."""
        await _ERASE(ids=list(ids))

    @classmethod
    async def outdated(cls, rules: str, limit: int = 200) -> list[dict[str, Any]]:
        """Return posts rendered under other Markdown rules than today's, the newest first."""
        return await _OUTDATED(rules=rules, limit=limit)
