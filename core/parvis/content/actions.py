"""The writers of the spine: publish, edit, pin.

Review comes first, on the draft. Then one transaction checks version and permission again, saves, and writes what
follows. No hook of another plugin, no mail, file or HTTP wait happens inside it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from parvis.content.access import access_content
from parvis.content.events import emit
from parvis.content.files import attach_files
from parvis.content.removal import record_on_others
from parvis.content.review import review
from parvis.content.tables import ROW_COLUMNS, ContentRow
from parvis.data import PreparedSQL, transaction
from parvis.declarations import Draft, Event
from parvis.errors import Conflict, Forbidden, NotFound
from parvis.services.i18n import lazy_gettext as _l
from parvis.services.limits import limit
from parvis.spaces.decide import demand

if TYPE_CHECKING:
    from parvis.people.actor import Actor

_BY_KEY = PreparedSQL(
    f"SELECT {ROW_COLUMNS} FROM content WHERE author = :author AND key = :key",  # noqa: S608
    short=True,
)
_BY_ID = PreparedSQL(f"SELECT {ROW_COLUMNS} FROM content WHERE id = :id", short=True)  # noqa: S608
_INSERT = PreparedSQL(
    "INSERT INTO content (type, object, root, space, author, audience, title, state, listed, key, language,"
    " reason, created, published, last_activity, version, touched) VALUES (:type, :object, :root, :space,"
    " :author, :audience, :title, :state, :listed, :key, :language, :reason, :created, :published, :created,"
    " 1, 0) ON CONFLICT DO NOTHING RETURNING id",
    short=True,
)
_ADD_VERSION = PreparedSQL(
    "INSERT INTO content_version (content, version, title, source, editor, at)"
    " VALUES (:content, :version, :title, :source, :editor, :at)",
    short=True,
)
_EDIT = PreparedSQL(
    "UPDATE content SET version = version + 1, title = :title, edited = :at, state = :state, reason = :reason,"
    " language = :language WHERE id = :id AND version = :version AND state <> 'removed' RETURNING version",
    short=True,
)
_PIN = PreparedSQL(
    "UPDATE content SET pinned = :at, touched = touched + 1 WHERE id = :id RETURNING id", short=True
)
_LAST_SOURCE = PreparedSQL(
    "SELECT source, title, version FROM content_version WHERE content = :content ORDER BY version DESC LIMIT 1",
    short=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A text on its way into the spine, whatever plugin keeps its substance."""

    title: str
    text: str
    language: str = ""
    files: Sequence[int] = ()
    alts: Mapping[int, str] = field(default_factory=dict)
    """What is read in place of the pictures among the files."""


async def publish(
    actor: Actor,
    *,
    type: str,
    permission: str,
    audience: int,
    space: Any | None,
    written: Written,
    save: Callable[[], Awaitable[int]],
    key: str | None = None,
    root: int | None = None,
    listed: bool = True,
    moment: datetime | None = None,
) -> ContentRow:
    """Publish something new and return its row.

    `save` writes the plugin's substance inside the transaction and returns its id. The same `key` of the same author
    publishes once: the second call returns the first row. `moment` (UTC) backdates imports.
    Raises Forbidden, Invalid (refused by review, wrong files) and TooMany.
    """
    if actor.member is None:
        raise Forbidden(_l("Sign in to publish."))
    if key is not None and (row := await _BY_KEY.one(author=actor.member, key=key)) is not None:
        return ContentRow(**row)
    await demand(actor, permission, space)
    if actor.via != "system":
        await limit(f"member:{actor.member}", "publish")
    draft = Draft(
        type=type,
        title=written.title,
        text=written.text,
        author=actor.member,
        space=space.id if space is not None else None,
        audience=audience,
        language=written.language,
    )
    verdict = await review(draft, actor)
    now = moment or datetime.now(UTC)
    held = verdict.verdict == "hold"
    try:
        async with transaction():
            object_id = await save()
            row = await _INSERT.one(
                type=type,
                object=object_id,
                root=root,
                space=draft.space,
                author=actor.member,
                audience=audience,
                title=written.title,
                state="held" if held else "published",
                listed=listed,
                key=key,
                language=written.language,
                reason=str(verdict.reason) if held else "",
                created=now,
                published=now,
            )
            if row is None:
                raise _Twice
            content: int = row["id"]
            await _ADD_VERSION(
                content=content,
                version=1,
                title=written.title,
                source=written.text,
                editor=actor.member,
                at=now,
            )
            if written.files:
                await attach_files(actor, content, written.files, alts=written.alts)
            emit(
                Event(
                    name="content.held" if held else "content.published",
                    content=content,
                    space=draft.space,
                    actor=actor.member,
                    data={"type": type},
                )
            )
    except _Twice:
        row = await _BY_KEY.one(author=actor.member, key=key)
        if row is None:
            raise Conflict(_l("This could not be published; try again.")) from None
        return ContentRow(**row)
    return ContentRow(
        id=content,
        type=type,
        object=object_id,
        root=root,
        space=draft.space,
        author=actor.member,
        audience=audience,
        title=written.title,
        state="held" if held else "published",
        version=1,
        touched=0,
        language=written.language,
        reason=str(verdict.reason) if held else "",
        pinned=None,
        created=now,
        published=now,
        edited=None,
        last_activity=now,
    )


class _Twice(Exception):
    """The same author and key won the race in another request: this transaction is taken back."""


async def source_of(content: int) -> dict[str, Any]:
    """Return the newest kept source of a content: `source`, `title`, `version`."""
    row = await _LAST_SOURCE.one(content=content)
    if row is None:
        raise NotFound()
    return row


async def edit(
    actor: Actor,
    content: int,
    *,
    version: int,
    written: Written,
    save: Callable[[int], Awaitable[None]],
) -> ContentRow:
    """Save a new version and return the row; `save(object id)` writes the substance inside the transaction.

    `version` is the one the writer had before his eyes: Conflict when somebody saved since.
    """
    row = await access_content(actor, content, "content.edit")
    draft = Draft(
        type=row.type,
        title=written.title,
        text=written.text,
        author=row.author,
        space=row.space,
        audience=row.audience,
        language=written.language,
        content=content,
    )
    verdict = await review(draft, actor)
    state = "held" if verdict.verdict == "hold" else row.state
    now = datetime.now(UTC)
    async with transaction():
        saved = await _EDIT.one(
            id=content,
            version=version,
            title=written.title,
            at=now,
            state=state,
            reason=str(verdict.reason) if state == "held" else "",
            language=written.language,
        )
        if saved is None:
            raise Conflict(_l("Somebody else saved this in the meantime."))
        if row.object is not None:
            await save(row.object)
        await _ADD_VERSION(
            content=content,
            version=saved["version"],
            title=written.title,
            source=written.text,
            editor=actor.member,
            at=now,
        )
        await attach_files(actor, content, written.files, alts=written.alts, replace=True)
        emit(Event(name="content.edited", content=content, space=row.space, actor=actor.member))
    changed = await _BY_ID.one(id=content)
    if changed is None:
        raise NotFound()
    return ContentRow(**changed)


async def pin(actor: Actor, content: int, *, pinned: bool) -> ContentRow:
    """Keep a content at the top of its space (or of home), or let it go."""
    row = await access_content(actor, content, "content.pin")
    async with transaction():
        await _PIN.one(id=content, at=datetime.now(UTC) if pinned else None)
        emit(
            Event(
                name="content.pinned" if pinned else "content.unpinned",
                content=content,
                space=row.space,
                actor=actor.member,
            )
        )
        await record_on_others(actor, "content.pinned" if pinned else "content.unpinned", row)
    return await access_content(actor, content)
