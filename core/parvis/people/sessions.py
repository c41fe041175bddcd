"""Sessions: a random token in the browser, its SHA-256 here, one short read for each request.

A session ends after 30 days without a visit, at sign-out, when its member is suspended, or from the list of
sessions in the preferences. The row also holds the secret behind the session's form tokens.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta

import msgspec

from parvis.data import PreparedSQL, spawn, transaction
from parvis.people.actor import Actor
from parvis.services.secrets import new_token, token_hash

log = logging.getLogger("parvis.people")

LIFETIME = timedelta(days=30)
SEEN_EVERY = timedelta(minutes=5)
"""How often a visit is written down: reading pages costs no write in between."""

_OPEN = PreparedSQL(
    "INSERT INTO session (token_hash, member, secret, user_agent, address, created, seen, expires)"
    " VALUES (:token_hash, :member, :secret, :user_agent, :address, :now, :now, :expires) RETURNING id",
    short=True,
)
_ACTOR = PreparedSQL(
    "SELECT s.id AS session, s.secret, s.seen, s.expires, m.id, m.name, m.handle, m.email, m.role, m.state,"
    " m.language, m.time_zone, m.theme, m.shortcuts, m.version,"
    " EXISTS (SELECT 1 FROM member_group_member g WHERE g.member = m.id) AS grouped,"
    " (SELECT value FROM site_counter WHERE name = 'standing') AS standing"
    " FROM session s JOIN member m ON m.id = s.member WHERE s.token_hash = :token_hash",
    short=True,
)
_GROUPS = PreparedSQL('SELECT "group" FROM member_group_member WHERE member = :member', short=True)
_SEEN = PreparedSQL(
    "UPDATE session SET seen = :now, expires = :expires WHERE id = :id AND seen < :before RETURNING member",
    short=True,
)
_LAST_SEEN = PreparedSQL("UPDATE member SET last_seen = :now WHERE id = :id", short=True)
_CLOSE = PreparedSQL("DELETE FROM session WHERE id = :id AND member = :member RETURNING id")
_CLOSE_TOKEN = PreparedSQL("DELETE FROM session WHERE token_hash = :token_hash RETURNING id")
_CLOSE_OTHERS = PreparedSQL("DELETE FROM session WHERE member = :member AND id <> :keep RETURNING id")
_LIST = PreparedSQL(
    "SELECT id, user_agent, address, created, seen FROM session WHERE member = :member AND expires > :now"
    " ORDER BY seen DESC, id DESC",
    short=True,
)
_DROP_EXPIRED = PreparedSQL("DELETE FROM session WHERE expires <= :now RETURNING id")

# Sessions whose visit is being written down, so that a page's parallel requests start one write.
_noting: dict[int, asyncio.Task[None]] = {}


class SessionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One signed-in browser, as its owner sees it."""

    id: int
    user_agent: str
    address: str
    created: datetime
    seen: datetime


async def open_session(member: int, user_agent: str = "", address: str = "") -> str:
    """Open a session and return its token, which is shown this once."""
    token, now = new_token(), datetime.now(UTC)
    async with transaction():
        await _OPEN(
            token_hash=token_hash(token),
            member=member,
            secret=new_token(),
            user_agent=user_agent[:300],
            address=address[:64],
            now=now,
            expires=now + LIFETIME,
        )
        await _LAST_SEEN(id=member, now=now)
    return token


async def actor_of(token: str) -> Actor | None:
    """Return who holds this token, or None when it is unknown, expired, or its member is not active."""
    if not token or len(token) > 100:
        return None
    row = await _ACTOR.one(token_hash=token_hash(token))
    if row is None or row["state"] != "active":
        return None
    now = datetime.now(UTC)
    if row["expires"] <= now:
        return None
    if now - row["seen"] > SEEN_EVERY:
        _note_visit(row["session"], now)
    groups: frozenset[int] = frozenset()
    if row["grouped"]:
        groups = frozenset([found["group"] for found in await _GROUPS(member=row["id"])])
    return Actor(
        member=row["id"],
        name=row["name"],
        handle=row["handle"],
        email=row["email"],
        role=row["role"],
        language=row["language"],
        time_zone=row["time_zone"],
        theme=row["theme"],
        shortcuts=row["shortcuts"],
        version=row["version"],
        standing=row["standing"],
        groups=groups,
        via="session",
        session=row["session"],
        secret=row["secret"],
    )


def _note_visit(session: int, now: datetime) -> None:
    if session not in _noting:
        task = spawn(_write_visit(session, now))
        _noting[session] = task
        task.add_done_callback(lambda _: _noting.pop(session, None))


async def _write_visit(session: int, now: datetime) -> None:
    """Write a visit down and let the session live on; another process may have done it already."""
    try:
        async with transaction():
            row = await _SEEN.one(id=session, now=now, before=now - SEEN_EVERY, expires=now + LIFETIME)
            if row is not None:
                await _LAST_SEEN(id=row["member"], now=now)
    except Exception:
        # The page was answered already; a full disk is told by the doors that write what people typed.
        log.warning("a visit could not be written down", exc_info=True)


async def settle() -> None:
    """Wait for visits being written down; used when the site closes and by tests."""
    for task in list(_noting.values()):
        await task


async def close_session(token: str) -> None:
    """End the session of a token: signing out. Unknown tokens are let pass."""
    await _CLOSE_TOKEN(token_hash=token_hash(token))


async def close_other_sessions(member: int, keep: int | None) -> int:
    """End a member's sessions but one, or all of them with None; returns how many."""
    return len(await _CLOSE_OTHERS(member=member, keep=keep or 0))


async def close_session_of(member: int, session: int) -> bool:
    """End one of a member's own sessions from the list; returns whether there was one."""
    return await _CLOSE.one(id=session, member=member) is not None


async def sessions_of(member: int) -> list[SessionRow]:
    """Return where a member is signed in, the latest visit first."""
    return [SessionRow(**row) for row in await _LIST(member=member, now=datetime.now(UTC))]


async def drop_expired_sessions(now: datetime) -> int:
    """Delete sessions past their time; returns how many."""
    return len(await _DROP_EXPIRED(now=now))
