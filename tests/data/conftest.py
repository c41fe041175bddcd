"""A table of their own for the tests of data, and engines that fail when asked to."""

from __future__ import annotations

import pytest
from parvis.data import Engine, PreparedSQL
from parvis.data.migrations import Schema, bigint, pk, text

ADD = PreparedSQL("INSERT INTO note (says, number) VALUES (:says, :number)")
ADD_SHORT = PreparedSQL("INSERT INTO note (says, number) VALUES (:says, :number) RETURNING id", short=True)
SAYS = PreparedSQL("SELECT says FROM note ORDER BY id")


@pytest.fixture
async def notes(engine: Engine) -> Engine:
    """Return the bound engine with an empty table `note` (id, says, number)."""
    await Schema(engine).create_table("note", pk(), text("says"), bigint("number", default=0))
    return engine


async def said() -> list[str]:
    return [row["says"] for row in await SAYS()]
