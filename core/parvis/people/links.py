"""Links that sign a member in once: for a lost password, for the command line.

Opening the address only shows a button; pressing it uses the link. So a mail scanner that follows every
address burns none.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from parvis.data import PreparedSQL, transaction
from parvis.people.actor import Actor
from parvis.services.audit import record
from parvis.services.secrets import new_token, token_hash

LINK_LIFETIME = timedelta(hours=24)

_ADD = PreparedSQL(
    "INSERT INTO sign_in_link (token_hash, member, created, expires)"
    " VALUES (:token_hash, :member, :now, :expires) RETURNING id"
)
_OPEN = PreparedSQL(
    "SELECT l.id FROM sign_in_link l JOIN member m ON m.id = l.member"
    " WHERE l.token_hash = :token_hash AND l.used IS NULL AND l.expires > :now AND m.state = 'active'",
    short=True,
)
_USE = PreparedSQL(
    "UPDATE sign_in_link SET used = :now WHERE token_hash = :token_hash AND used IS NULL AND expires > :now"
    " AND EXISTS (SELECT 1 FROM member m WHERE m.id = sign_in_link.member AND m.state = 'active')"
    " RETURNING member"
)
_CANCEL = PreparedSQL("UPDATE sign_in_link SET used = :now WHERE member = :member AND used IS NULL")
_DROP_OLD = PreparedSQL("DELETE FROM sign_in_link WHERE expires <= :now RETURNING id")


async def make_sign_in_link(actor: Actor, member: int) -> str:
    """Return the token of a new link for a member, good for one use within 24 hours; former ones end.

    The caller is at a door that may do this: the command line, or an administrator's page.
    """
    token, now = new_token(), datetime.now(UTC)
    async with transaction():
        await _CANCEL(member=member, now=now)
        await _ADD(token_hash=token_hash(token), member=member, now=now, expires=now + LINK_LIFETIME)
        await record("member.sign_in_link_made", actor.member, f"member:{member}", {})
    return token


async def cancel_links(member: int) -> None:
    """End a member's links that nobody used: a new password is to be the only way in."""
    await _CANCEL(member=member, now=datetime.now(UTC))


async def is_link_open(token: str) -> bool:
    """Return whether the link would still sign somebody in; looking uses nothing."""
    return await _OPEN.one(token_hash=token_hash(token), now=datetime.now(UTC)) is not None


async def use_sign_in_link(token: str, address: str = "") -> int | None:
    """Use the link and return whom it signs in, or None when it is unknown, used or too old."""
    async with transaction():
        row = await _USE.one(token_hash=token_hash(token), now=datetime.now(UTC))
        if row is None:
            return None
        member: int = row["member"]
        await record("member.signed_in_by_link", member, f"member:{member}", {"address": address})
    return member


async def drop_old_links(now: datetime) -> int:
    """Delete links past their time; returns how many."""
    return len(await _DROP_OLD(now=now))
