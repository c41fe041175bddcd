"""The tables of spaces: the places, and who belongs to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from piccolo.columns import BigInt, BigSerial, ForeignKey, Integer, OnDelete, OnUpdate, Text, Timestamptz

from parvis.data import PreparedSQL, Table
from parvis.people.tables import Member


def _ref(table: type[Table], *, null: bool = False) -> Any:
    return ForeignKey(
        table, null=null, default=None, on_delete=OnDelete.restrict, on_update=OnUpdate.restrict
    )


class SpaceRow(msgspec.Struct, frozen=True, kw_only=True):
    """A space as doors hand it out to one reader; `role` is the reader's own in it, None without one."""

    id: int
    slug: str
    name: str
    description: str
    kind: str
    icon: str
    hue: str
    cover: int | None
    created_by: int | None
    members_count: int
    version: int
    created: datetime
    role: str | None = None

    @property
    def is_secret(self) -> bool:
        """Whether only its members know of it."""
        return self.kind == "secret"


class MySpace(msgspec.Struct, frozen=True, kw_only=True):
    """One of the actor's own spaces, as menus and choices need it on each page."""

    id: int
    slug: str
    name: str
    kind: str
    icon: str
    hue: str
    role: str


class SpaceMemberRow(msgspec.Struct, frozen=True, kw_only=True):
    """A member of a space, for its members page."""

    member: int
    name: str
    sort_name: str
    role: str
    site_role: str
    joined: datetime


SPACE_COLUMNS = ", ".join(f's."{name}"' for name in SpaceRow.__struct_fields__ if name != "role")
"""The columns of SpaceRow, for reads over `space s`."""

VISIBLE_SPACE = "(own.role IS NOT NULL OR (:whole AND s.kind <> 'secret'))"
"""Which spaces a reader knows of, over `space s LEFT JOIN space_member own` (the reader's own row).

Members know all but secret spaces, guests those they were added to; of a secret one only its members know.
"""

_BY_ID = PreparedSQL(f"SELECT {SPACE_COLUMNS} FROM space s WHERE s.id = :id", short=True)  # noqa: S608
_BY_SLUG = PreparedSQL(f"SELECT {SPACE_COLUMNS} FROM space s WHERE s.slug = :slug", short=True)  # noqa: S608
_ROLE = PreparedSQL("SELECT role FROM space_member WHERE space = :space AND member = :member", short=True)
_OTHER_OWNERS = PreparedSQL(
    "SELECT count(*) AS number FROM space_member o JOIN member m ON m.id = o.member"
    " WHERE o.space = :space AND o.role = 'owner' AND o.member <> :member AND m.state = 'active'",
    short=True,
)


class Space(Table, tablename="space"):
    """A place where some people meet: open, closed (listed, read by members) or secret."""

    id = BigSerial(primary_key=True)
    slug = Text(unique=True)
    name = Text()
    description = Text()
    kind = Text(default="open")
    icon = Text(default="users")
    hue = Text(default="pine")
    cover = BigInt(null=True, default=None)
    created_by = _ref(Member, null=True)
    members_count = Integer(default=0)
    version = Integer(default=1)
    created = Timestamptz()

    @classmethod
    async def with_id(cls, space: int) -> SpaceRow | None:
        """Return one space by id, whoever asks."""
        row = await _BY_ID.one(id=space)
        return SpaceRow(**row) if row is not None else None

    @classmethod
    async def with_slug(cls, slug: str) -> SpaceRow | None:
        """Return one space by slug, whoever asks."""
        row = await _BY_SLUG.one(slug=slug)
        return SpaceRow(**row) if row is not None else None


class SpaceMember(Table, tablename="space_member"):
    """One member of one space, with a role there."""

    id = BigSerial(primary_key=True)
    space = _ref(Space)
    member = _ref(Member)
    role = Text(default="member")
    joined = Timestamptz()

    @classmethod
    async def role_of(cls, space: int, member: int) -> str | None:
        """Return a member's role in a space, or None."""
        row = await _ROLE.one(space=space, member=member)
        found: str | None = row["role"] if row else None
        return found

    @classmethod
    async def owners_beside(cls, space: int, member: int) -> int:
        """Return how many other active owners a space has."""
        row = await _OTHER_OWNERS.one(space=space, member=member)
        return int(row["number"]) if row else 0
