"""The tables of people: members, their sessions and links to sign in, and groups."""

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
    OnUpdate,
    Text,
    Timestamptz,
)

from parvis.data import PreparedSQL, Table


def _ref(table: Any, *, null: bool = False, column: str | None = None) -> Any:
    return ForeignKey(
        table,
        null=null,
        default=None,
        on_delete=OnDelete.restrict,
        on_update=OnUpdate.restrict,
        **({"db_column_name": column} if column else {}),
    )


class MemberRow(msgspec.Struct, frozen=True, kw_only=True):
    """A member as doors hand it out: everything a profile shows, nothing that opens a session."""

    id: int
    email: str
    handle: str
    name: str
    sort_name: str
    role: str
    state: str
    language: str | None
    time_zone: str | None
    theme: str
    shortcuts: bool
    job: str
    team: str
    site: str
    phone: str
    pronouns: str
    about: str
    skills: list[str]
    manager: int | None
    picture: int | None
    version: int
    created: datetime
    joined: datetime
    last_seen: datetime | None


MEMBER_COLUMNS = ", ".join(f'm."{name}"' for name in MemberRow.__struct_fields__)
"""The columns of MemberRow, for reads over `member m`."""
MEMBER_TYPES = {"skills": "json"}

VISIBLE_MEMBER = (
    "(:whole OR m.id = :reader OR EXISTS (SELECT 1 FROM space_member mine"
    " JOIN space_member theirs ON theirs.space = mine.space"
    " WHERE mine.member = :reader AND theirs.member = m.id))"
)
"""Whom a reader sees, over `member m`: members see all, guests the people of their spaces.

`:whole` and `:reader` come from `parvis.people.access.sees`. Directory, profile and mentions all use it.
"""

_BY_ID = PreparedSQL(
    f"SELECT {MEMBER_COLUMNS} FROM member m WHERE m.id = :id",  # noqa: S608 - our own column names
    short=True,
    types=MEMBER_TYPES,
)
_BY_EMAIL = PreparedSQL(
    f"SELECT {MEMBER_COLUMNS} FROM member m WHERE m.email = :email",  # noqa: S608
    short=True,
    types=MEMBER_TYPES,
)
_BY_HANDLE = PreparedSQL(
    f"SELECT {MEMBER_COLUMNS} FROM member m WHERE m.handle = :handle",  # noqa: S608
    short=True,
    types=MEMBER_TYPES,
)
_CREDENTIALS = PreparedSQL("SELECT id, state, password_hash FROM member WHERE email = :email", short=True)
_PASSWORD_OF = PreparedSQL("SELECT password_hash FROM member WHERE id = :id", short=True)
_OTHER_ADMINISTRATORS = PreparedSQL(
    "SELECT count(*) AS number FROM member WHERE role = 'administrator' AND state = 'active' AND id <> :id"
)


class Member(Table, tablename="member"):
    """A person of the community; never deleted but anonymised."""

    id = BigSerial(primary_key=True)
    email = Text(unique=True)
    handle = Text(unique=True)
    name = Text()
    sort_name = Text()
    role = Text(default="member")
    state = Text(default="active")
    password_hash = Text(null=True, default=None)
    language = Text(null=True, default=None)
    time_zone = Text(null=True, default=None)
    theme = Text(default="auto")
    shortcuts = Boolean(default=True)
    job = Text()
    team = Text()
    site = Text()
    phone = Text()
    pronouns = Text()
    about = Text()
    skills = JSON(default="[]")
    search = Text()
    manager: Any = ForeignKey(
        "self", null=True, default=None, on_delete=OnDelete.restrict, on_update=OnUpdate.restrict
    )
    picture = BigInt(null=True, default=None)
    version = Integer(default=1)
    created = Timestamptz()
    joined = Timestamptz()
    last_seen = Timestamptz(null=True, default=None)

    @classmethod
    async def with_id(cls, member: int) -> MemberRow | None:
        """Return one member by id, whoever asks."""
        return _row(await _BY_ID.one(id=member))

    @classmethod
    async def with_email(cls, email: str) -> MemberRow | None:
        """Return one member by normalised e-mail address, whoever asks."""
        return _row(await _BY_EMAIL.one(email=email))

    @classmethod
    async def with_handle(cls, handle: str) -> MemberRow | None:
        """Return one member by handle, whoever asks."""
        return _row(await _BY_HANDLE.one(handle=handle))

    @classmethod
    async def credentials(cls, email: str) -> dict[str, Any] | None:
        """Return id, state and password hash of an account, for sign-in alone."""
        return await _CREDENTIALS.one(email=email)

    @classmethod
    async def password_hash_of(cls, member: int) -> str | None:
        """Return the hash of a member's password, or None when the member has none."""
        row = await _PASSWORD_OF.one(id=member)
        found: str | None = row["password_hash"] if row else None
        return found

    @classmethod
    async def administrators_beside(cls, member: int) -> int:
        """Return how many other active administrators there are."""
        row = await _OTHER_ADMINISTRATORS.one(id=member)
        return int(row["number"]) if row else 0


def _row(row: dict[str, Any] | None) -> MemberRow | None:
    return MemberRow(**row) if row is not None else None


class Session(Table, tablename="session"):
    """A browser that is signed in; the token itself is kept nowhere, only its SHA-256."""

    id = BigSerial(primary_key=True)
    token_hash = Text(unique=True)
    member = _ref(Member)
    secret = Text()
    user_agent = Text()
    address = Text()
    created = Timestamptz()
    seen = Timestamptz()
    expires = Timestamptz()


class SignInLink(Table, tablename="sign_in_link"):
    """A link that signs a member in once; kept as a hash like a session."""

    id = BigSerial(primary_key=True)
    token_hash = Text(unique=True)
    member = _ref(Member)
    created = Timestamptz()
    expires = Timestamptz()
    used = Timestamptz(null=True, default=None)


class MemberGroup(Table, tablename="member_group"):
    """A named set of members, used in audiences and permissions."""

    id = BigSerial(primary_key=True)
    slug = Text(unique=True)
    name = Text()
    description = Text()
    created = Timestamptz()


class MemberGroupMember(Table, tablename="member_group_member"):
    """One member of one group."""

    id = BigSerial(primary_key=True)
    group = _ref(MemberGroup, column="group")
    member = _ref(Member)
