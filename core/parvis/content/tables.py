"""The tables of the spine: who may read what, what was written, and what hangs on it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from piccolo.columns import (
    JSON,
    BigInt,
    BigSerial,
    Boolean,
    ForeignKey,
    Integer,
    OnDelete,
    Text,
    Timestamptz,
)

from parvis.data import Table
from parvis.people.tables import Member
from parvis.spaces.tables import Space


def _ref(table: Any, *, null: bool = False) -> Any:
    # Piccolo has an overload for each kind of reference, and none for "any of them".
    return ForeignKey(  # type: ignore[call-overload]
        table,
        null=null,
        default=None,
        on_delete=OnDelete.restrict,
        on_update=OnDelete.restrict,
    )


class Audience(Table, tablename="audience"):
    """Who may read: everyone, the people of one space, or a set of spaces, groups and members."""

    id = BigSerial(primary_key=True)
    kind = Text()
    key = Text(unique=True)
    space = _ref(Space, null=True)


class AudiencePart(Table, tablename="audience_part"):
    """One space, group or member of an audience that is a set."""

    id = BigSerial(primary_key=True)
    audience = _ref(Audience)
    kind = Text()
    subject = BigInt()


class Content(Table, tablename="content"):
    """One row for each thing people wrote, whatever plugin keeps its substance."""

    id = BigSerial(primary_key=True)
    type = Text()
    object = BigInt(null=True, default=None)
    root = _ref("self", null=True)
    space = _ref(Space, null=True)
    author = _ref(Member)
    audience = _ref(Audience)
    title = Text()
    state = Text(default="published")
    listed = Boolean(default=True)
    version = Integer(default=1)
    touched = Integer(default=0)
    key = Text(null=True, default=None)
    language = Text()
    reason = Text()
    pinned = Timestamptz(null=True, default=None)
    created = Timestamptz()
    published = Timestamptz(null=True, default=None)
    edited = Timestamptz(null=True, default=None)
    last_activity = Timestamptz()
    removed_at = Timestamptz(null=True, default=None)
    removed_by = _ref(Member, null=True)


class ContentVersion(Table, tablename="content_version"):
    """The source of a content as it was at each of its versions."""

    id = BigSerial(primary_key=True)
    content = _ref(Content)
    version = Integer()
    title = Text()
    source = Text()
    editor = _ref(Member, null=True)
    at = Timestamptz()


class ContentCounter(Table, tablename="content_counter"):
    """A number shown beside a content, kept by the plugin that counts it."""

    id = BigSerial(primary_key=True)
    content = _ref(Content)
    name = Text()
    value = BigInt()


class File(Table, tablename="file"):
    """A stored file and what it is attached to; unattached ones are their owner's alone, for a day."""

    id = BigSerial(primary_key=True)
    name = Text()
    type = Text()
    kind = Text(default="file")
    size = BigInt()
    hash = Text()
    plugin = Text(default="core")
    width = Integer(null=True, default=None)
    height = Integer(null=True, default=None)
    alt = Text()
    variants = JSON(default="{}")
    owner = _ref(Member)
    content = _ref(Content, null=True)
    space = _ref(Space, null=True)
    member = _ref(Member, null=True)
    position = Integer(default=0)
    created = Timestamptz()


class ContentRow(msgspec.Struct, frozen=True):
    """A content as lists and doors hand it out: the spine's facts, never the substance."""

    id: int
    type: str
    object: int | None
    root: int | None
    space: int | None
    author: int
    audience: int
    title: str
    state: str
    version: int
    touched: int
    language: str
    reason: str
    pinned: datetime | None
    created: datetime
    published: datetime | None
    edited: datetime | None
    last_activity: datetime

    @property
    def is_pinned(self) -> bool:
        """Whether it stands at the top of its space or of home."""
        return self.pinned is not None


class ContentKey(msgspec.Struct, frozen=True):
    """What a list needs of a content whose card is kept: which one it is, and in which version."""

    id: int
    version: int
    touched: int
    is_pinned: bool
    published_text: str

    state = "published"

    @property
    def published(self) -> datetime:
        """When it was published; read from text, since a list needs it of its last row alone."""
        return datetime.fromisoformat(self.published_text)


KEY_COLUMNS = ", ".join(
    (
        "content.id",
        "content.version",
        "content.touched",
        "content.pinned IS NOT NULL",
        "CAST(content.published AS text)",
    )
)
"""The columns of ContentKey."""

# The columns of ContentRow, for hand-written reads over the table or an alias of it.
ROW_COLUMNS = ", ".join(f'content."{name}"' for name in ContentRow.__struct_fields__)
