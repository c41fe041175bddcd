"""Files: received, attached to what they belong to, and read through the access of that thing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from parvis.content.access import access_content
from parvis.content.quotas import charge, release, store
from parvis.data import PreparedSQL, transaction
from parvis.errors import Invalid, NotFound, StorageFull
from parvis.people.access import access_member
from parvis.services.file_types import clean_name, looks_like_picture, safe_type
from parvis.services.i18n import lazy_gettext as _l
from parvis.services.limits import limit
from parvis.services.pictures import Shape, prepare_picture
from parvis.site import current
from parvis.spaces.access import access_space_id

if TYPE_CHECKING:
    from parvis.people.actor import Actor

UNATTACHED = timedelta(days=1)
"""How long a file waits to be attached before it is deleted."""
MOST_FILES = 20
"""How many files one content holds."""

_COLUMNS = (
    "id, name, type, kind, size, hash, plugin, width, height, alt, variants,"
    " owner, content, space, member, position"
)
_TYPES = {"variants": "json"}
_ONE = PreparedSQL(f"SELECT {_COLUMNS} FROM file WHERE id = :id", short=True, types=_TYPES)  # noqa: S608
_OF_CONTENTS = PreparedSQL(
    f"SELECT {_COLUMNS} FROM file WHERE content = any(:contents) ORDER BY content, position, id",  # noqa: S608
    short=True,
    types=_TYPES,
)
_INSERT = PreparedSQL(
    "INSERT INTO file (name, type, kind, size, hash, plugin, width, height, alt, variants, owner, created, position)"
    " VALUES (:name, :type, :kind, :size, :hash, :plugin, :width, :height, :alt, :variants, :owner, :created, 0)"
    " RETURNING id",
    types=_TYPES,
)
_ATTACH = PreparedSQL(
    "UPDATE file SET content = :content, position = :position WHERE id = :id AND owner = :owner"
    " AND (content = :content OR (content IS NULL AND space IS NULL AND member IS NULL)) RETURNING id",
    short=True,
)
_KEEP = PreparedSQL(
    "UPDATE file SET position = :position WHERE id = :id AND content = :content RETURNING id", short=True
)
_DETACH = PreparedSQL(
    "UPDATE file SET content = NULL, created = :now WHERE content = :content AND NOT (id = any(:keep))"
)
_ATTACH_SPACE = PreparedSQL(
    "UPDATE file SET space = :space WHERE id = :id AND owner = :owner AND content IS NULL AND member IS NULL"
    " RETURNING id"
)
_ATTACH_MEMBER = PreparedSQL(
    "UPDATE file SET member = :member WHERE id = :id AND owner = :owner AND content IS NULL AND space IS NULL"
    " RETURNING id"
)
_ALT = PreparedSQL(
    "UPDATE file SET alt = :alt WHERE id = :id AND content = :content AND alt <> :alt", short=True
)
_DROP = PreparedSQL(
    "DELETE FROM file WHERE id = :id AND owner = :owner AND content IS NULL AND space IS NULL AND member IS NULL"
    " RETURNING id, size, hash, variants, owner",
    types=_TYPES,
)
_STALE = PreparedSQL(
    "DELETE FROM file WHERE content IS NULL AND space IS NULL AND member IS NULL AND created < :before"
    " RETURNING id, size, hash, variants, owner",
    types=_TYPES,
)
_HASHES = PreparedSQL("SELECT hash, variants FROM file", types=_TYPES)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file as pages show it; its bytes are at `/f/<id>`."""

    id: int
    name: str
    type: str
    kind: str
    size: int
    hash: str
    plugin: str
    width: int | None
    height: int | None
    alt: str
    variants: dict[str, Any]
    owner: int
    content: int | None
    space: int | None
    member: int | None
    position: int

    @property
    def url(self) -> str:
        """The address of the file, the same for every reader who may see it."""
        return f"/f/{self.id}"

    @property
    def is_picture(self) -> bool:
        """Pictures were re-encoded here and are shown in the page; everything else is downloaded."""
        return self.kind == "picture"


async def receive_file(
    actor: Actor,
    name: str,
    stream: AsyncIterator[bytes],
    *,
    alt: str = "",
    plugin: str = "core",
    shape: Shape = "free",
) -> StoredFile:
    """Store what was sent, unattached and its owner's alone; a picture is made harmless before anybody sees it.

    Raises Invalid for a picture that cannot be read, TooLarge past the limit, StorageFull past quota or disk.
    """
    if actor.member is None:
        raise NotFound()
    if actor.via != "system":
        await limit(f"member:{actor.member}", "upload")
    site = current()
    name = clean_name(name)
    blob = await store(actor.member, stream)
    if blob.size == 0:
        raise Invalid({"file": _l("This file is empty.")})
    head = await site.storage.head(blob.hash)
    width = height = None
    variants: dict[str, Any] = {}
    kind, media_type, size = "file", safe_type(name, head), blob.size
    if looks_like_picture(name, head):
        # The original with its metadata is not kept: its place is taken by the largest re-encoded size.
        picture = await prepare_picture(site.storage, blob, shape)
        kind, media_type = "picture", picture.type
        width, height, variants = picture.width, picture.height, picture.variants
        size = sum(variant["size"] for variant in variants.values())
        blob = picture.blob
    async with transaction():
        await charge(actor.member, plugin, size)
        row = await _INSERT.one(
            name=name,
            type=media_type,
            kind=kind,
            size=size,
            hash=blob.hash,
            plugin=plugin,
            width=width,
            height=height,
            alt=alt,
            variants=variants,
            owner=actor.member,
            created=datetime.now(UTC),
        )
    if row is None:
        raise StorageFull(_l("The file could not be stored."))
    return await _file(row["id"])


async def _file(file: int) -> StoredFile:
    row = await _ONE.one(id=file)
    if row is None:
        raise NotFound()
    return StoredFile(**row)


async def access_file(actor: Actor, file: int) -> StoredFile:
    """Return a file this actor may read: as its content, space or member may be, or his own unattached one."""
    found = await _file(file)
    if actor.role == "system":
        return found
    if actor.member is None:
        raise NotFound()
    if found.content is not None:
        await access_content(actor, found.content)
    elif found.space is not None:
        await access_space_id(actor, found.space)
    elif found.member is not None:
        await access_member(actor, found.member)
    elif found.owner != actor.member:
        raise NotFound()
    return found


async def files_of(contents: Sequence[int]) -> dict[int, list[StoredFile]]:
    """Return the files of contents that were read through the access rule already, in order, in one query."""
    found: dict[int, list[StoredFile]] = {content: [] for content in contents}
    if contents:
        for row in await _OF_CONTENTS(contents=list(contents)):
            found[row["content"]].append(StoredFile(**row))
    return found


async def own_files(actor: Actor, ids: Sequence[int]) -> list[StoredFile]:
    """Return those of the actor's own files, to show a form again with what was already sent."""
    found = []
    for file in ids:
        try:
            stored = await _file(file)
        except NotFound:
            continue
        if stored.owner == actor.member:
            found.append(stored)
    return found


async def attach_files(
    actor: Actor,
    content: int,
    files: Sequence[int],
    *,
    alts: Mapping[int, str] | None = None,
    replace: bool = False,
) -> None:
    """Attach files to a content in the caller's transaction, in this order; others are let go with `replace`.

    `alts` says, by file, what is read in place of pictures. Only one's own unattached files can be attached: Invalid
    otherwise.
    """
    if len(files) > MOST_FILES:
        raise Invalid({"files": _l("A publication holds 20 files at most.")})
    for position, file in enumerate(files):
        row = await _KEEP.one(id=file, content=content, position=position) if replace else None
        row = row or await _ATTACH.one(id=file, content=content, owner=actor.member, position=position)
        if row is None:
            raise Invalid({"files": _l("One of the files is no longer there; send it again.")})
    for file, alt in (alts or {}).items():
        await _ALT(id=file, content=content, alt=alt)
    if replace:
        await _DETACH(content=content, keep=list(files), now=datetime.now(UTC))


async def attach_to_space(actor: Actor, space: int, file: int) -> None:
    """Make one's own unattached file a file of a space, such as its cover."""
    if await _ATTACH_SPACE.one(id=file, owner=actor.member, space=space) is None:
        raise NotFound()


async def attach_to_member(actor: Actor, member: int, file: int) -> None:
    """Make one's own unattached file a file of a member, such as a picture."""
    if await _ATTACH_MEMBER.one(id=file, owner=actor.member, member=member) is None:
        raise NotFound()


async def drop_file(actor: Actor, file: int) -> None:
    """Delete one's own file that is attached to nothing yet."""
    async with transaction():
        row = await _DROP.one(id=file, owner=actor.member)
        if row is None:
            raise NotFound()
        await release(row)


async def drop_stale_files(now: datetime) -> int:
    """Delete files that waited a day without being attached; returns how many."""
    async with transaction():
        rows = await _STALE(before=now - UNATTACHED)
        for row in rows:
            await release(row)
    return len(rows)


async def sweep_blobs() -> int:
    """Delete stored blobs that no file row names, such as what a picture was made from; returns how many.

    Blobs younger than an hour are left: their row may be on its way.
    """
    named: set[str] = set()
    for row in await _HASHES():
        named.add(row["hash"])
        named.update(variant["hash"] for variant in row["variants"].values())
    return await current().storage.sweep(named, older_than=timedelta(hours=1))
