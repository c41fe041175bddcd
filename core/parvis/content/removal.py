"""Taking a content away, and bringing it back within 30 days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from parvis.content.access import access_content, removed_content
from parvis.content.events import emit
from parvis.content.tables import ContentRow
from parvis.data import PreparedSQL, transaction
from parvis.declarations import Event
from parvis.errors import Forbidden, NotFound
from parvis.services.audit import record
from parvis.services.i18n import lazy_gettext as _l

if TYPE_CHECKING:
    from parvis.people.actor import Actor

UNDO = timedelta(days=30)
"""How long what was removed can be brought back."""

_REMOVE = PreparedSQL(
    "UPDATE content SET state = 'removed', removed_at = :at, removed_by = :by, pinned = NULL"
    " WHERE id = :id AND state <> 'removed' RETURNING id",
    short=True,
)
_RESTORE = PreparedSQL(
    "UPDATE content SET state = 'published', removed_at = NULL, removed_by = NULL, touched = touched + 1"
    " WHERE id = :id AND state = 'removed' AND removed_at > :since RETURNING id",
    short=True,
)


async def remove(actor: Actor, content: int) -> ContentRow:
    """Take a content out of every list and door; its author and the remover can bring it back for 30 days."""
    row = await access_content(actor, content, "content.remove")
    async with transaction():
        if await _REMOVE.one(id=content, at=datetime.now(UTC), by=actor.member) is None:
            raise NotFound()
        emit(Event(name="content.removed", content=content, space=row.space, actor=actor.member))
        await record_on_others(actor, "content.removed", row)
    return row


async def record_on_others(actor: Actor, action: str, row: ContentRow) -> None:
    """Leave a row of audit where somebody acts on what another one wrote."""
    if actor.member != row.author:
        await record(action, actor.member, f"content:{row.id}", {"author": row.author})


async def undo_remove(actor: Actor, content: int) -> ContentRow:
    """Bring back what was removed within 30 days; an author cannot undo what somebody else took away."""
    row, removed_by = await removed_content(actor, content)
    if actor.member != removed_by:
        raise Forbidden(
            _l("This was removed by somebody else."), remedy=_l("Ask a moderator to bring it back.")
        )
    async with transaction():
        if await _RESTORE.one(id=content, since=datetime.now(UTC) - UNDO) is None:
            raise NotFound()
        emit(Event(name="content.restored", content=content, space=row.space, actor=actor.member))
        await record_on_others(actor, "content.restored", row)
    return await access_content(actor, content)
