"""The lists people read: the feed of everything, of a space, of a person, walked by key."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from parvis.content.access import ReadQuery
from parvis.content.tables import ContentKey, ContentRow

if TYPE_CHECKING:
    from parvis.people.actor import Actor

PAGE = 25
_LAST = datetime(9999, 1, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Microseconds since then, to the year 5138, and an id that both databases can hold.
_PLACE = re.compile(r"([0-9]{1,17})\.([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Before:
    """A place in a list: everything published before this moment, by id within it."""

    published: datetime
    id: int

    def __str__(self) -> str:
        return f"{(self.published - _EPOCH) // timedelta(microseconds=1)}.{self.id}"

    @classmethod
    def parse(cls, text: str | None) -> Before | None:
        """Read a place from an address; an unusable one is the top of the list."""
        if not text:
            return None
        match = _PLACE.fullmatch(text)
        return cls(_EPOCH + timedelta(microseconds=int(match[1])), int(match[2])) if match else None


T = TypeVar("T", ContentRow, ContentKey)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One stretch of a list and where the next one starts, if anything is left."""

    rows: list[T]
    next: Before | None
    top: list[T] = field(default_factory=list)
    """What is pinned above the newest; it is not among `rows` again."""


def _feed(where: str) -> dict[str, ReadQuery]:
    # Row values are compared as one key, so that the index is walked from the key onwards.
    text = (
        "SELECT {wanted} FROM content WHERE content.root IS NULL AND content.listed "  # noqa: S608
        "AND content.state = 'published' "
        "AND (content.published, content.id) < (:published, :id) "
        f"AND {where} {{visible}} "
        "ORDER BY content.published DESC, content.id DESC LIMIT :limit"
    )
    return {
        wanted: ReadQuery(text.replace("{wanted}", wanted), short=True) for wanted in ("{columns}", "{keys}")
    }


_ALL = _feed("")
_SPACE = _feed("content.space = :space AND")
_AUTHOR = _feed("content.author = :author AND")
_TYPE = _feed("content.type = :type AND")
_SPACE_TYPE = _feed("content.space = :space AND content.type = :type AND")
_MINE = _feed("content.space IN (SELECT space FROM space_member WHERE member = :member) AND")
PINNED = 3
"""How many pinned contents stand above a feed at most."""


def _front(pinned_where: str, where: str) -> ReadQuery:
    # One query for both parts of a first page; their order is made afterwards, since UNION promises none.
    return ReadQuery(
        "SELECT * FROM (SELECT {keys}, 1 AS top FROM content WHERE content.pinned IS NOT NULL"  # noqa: S608
        f" AND {pinned_where} AND {{visible}} ORDER BY content.pinned DESC LIMIT :pinned) pinned"
        " UNION ALL "
        "SELECT * FROM (SELECT {keys}, 0 AS top FROM content WHERE content.root IS NULL AND content.listed"
        f" AND content.state = 'published' AND content.published < :before AND {where} {{visible}}"
        " ORDER BY content.published DESC, content.id DESC LIMIT :limit) newest",
        short=True,
    )


_FRONT_HOME = _front("content.space IS NULL", "")
_FRONT_SPACE = _front("content.space = :space", "content.space = :space AND")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Which stretch of which list: the newest published contents from `before` on.

    `mine` keeps those of the spaces the reader is in; `space`, `author` and `type` narrow the list.
    """

    space: int | None = None
    author: int | None = None
    type: str | None = None
    mine: bool = False
    before: Before | None = None
    limit: int = PAGE

    @property
    def is_front(self) -> bool:
        """Whether this is the top of home or of a space, with nothing left out."""
        return self.before is None and self.author is None and self.type is None and not self.mine

    def query(self, actor: Actor) -> tuple[dict[str, ReadQuery], dict[str, Any]]:
        """Return the query of this list, by what it selects, and what binds it."""
        bound: dict[str, Any] = {
            "published": self.before.published if self.before else _LAST,
            "id": self.before.id if self.before else 0,
            "limit": self.limit + 1,
        }
        if self.space is not None and self.type is not None:
            return _SPACE_TYPE, {**bound, "space": self.space, "type": self.type}
        if self.space is not None:
            return _SPACE, {**bound, "space": self.space}
        if self.author is not None:
            return _AUTHOR, {**bound, "author": self.author}
        if self.type is not None:
            return _TYPE, {**bound, "type": self.type}
        if self.mine:
            return _MINE, {**bound, "member": actor.member or 0}
        return _ALL, bound


async def feed(actor: Actor, **stretch: Any) -> Page[ContentRow]:
    """Return one stretch of a list (see Stretch) as the actor may read it, in one query."""
    wanted = Stretch(**stretch)
    queries, bound = wanted.query(actor)
    return _page(await queries["{columns}"].rows(actor, **bound), wanted.limit)


async def feed_keys(actor: Actor, **stretch: Any) -> Page[ContentKey]:
    """Return the same as `feed`, only what finds the kept cards: the quicker way to show a list.

    The first stretch of home and of a space comes with what is pinned there.
    """
    wanted = Stretch(**stretch)
    if wanted.is_front:
        return await _front_keys(actor, wanted)
    queries, bound = wanted.query(actor)
    return _page(await queries["{keys}"].keys(actor, **bound), wanted.limit)


async def _front_keys(actor: Actor, wanted: Stretch) -> Page[ContentKey]:
    # Up to `PINNED` of the newest may be pinned themselves and are left out below.
    bound: dict[str, Any] = {"pinned": PINNED, "limit": wanted.limit + 1 + PINNED, "before": _LAST}
    if wanted.space is None:
        rows = await _FRONT_HOME.tuples_again(actor, **bound)
    else:
        rows = await _FRONT_SPACE.tuples_again(actor, space=wanted.space, **bound)
    return _arranged(rows, wanted.limit)


@lru_cache(maxsize=256)
def _arranged(rows: tuple[tuple[Any, ...], ...], limit: int) -> Page[ContentKey]:
    """Put pinned and newest in order; many readers are given the same rows, again and again."""
    top: list[ContentKey] = []
    newest: list[ContentKey] = []
    for *columns, is_top in rows:
        (top if is_top else newest).append(ContentKey(*columns))
    above = {row.id for row in top}
    page = _page(sorted((row for row in newest if row.id not in above), key=_moment, reverse=True), limit)
    return replace(page, top=sorted(top, key=_moment, reverse=True))


def _moment(row: ContentKey) -> tuple[str, int]:
    # Both engines write moments in UTC, in a form whose order is that of time.
    return row.published_text, row.id


def _page(rows: list[T], limit: int) -> Page[T]:
    shown = rows[:limit]
    rest = None
    if len(rows) > limit and shown[-1].published is not None:
        rest = Before(shown[-1].published, shown[-1].id)
    return Page(shown, rest)
