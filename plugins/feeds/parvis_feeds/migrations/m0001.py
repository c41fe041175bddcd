"""The first schema of the feed: one table of posts."""

from __future__ import annotations

from parvis.data.migrations import Schema, pk, text


async def forwards(schema: Schema) -> None:
    """Create the table of posts."""
    await schema.create_table(
        "feeds_post",
        pk(),
        text("source"),
        text("html"),
        text("rules", default=""),
        text("excerpt", default=""),
    )
