"""The lists people read: the feed of everything, of a space, of a person, walked by key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from parvis.content.access import ReadQuery
from parvis.content.tables import ContentKey, ContentRow

if TYPE_CHECKING:
    from parvis.people.actor import Actor

PAGE = 25
_LAST = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Before:
    """A place in a list: everything published before this moment, by id within it."""

    published: datetime
    id: int

    def __str__(self) -> str:
        return f"{self.published.timestamp() * 1_000_000:.0f}.{self.id}"

    @classmethod
    def parse(cls, text: str | None) -> Before | None:
        """Read a place from an address; an unusable one is the top of the list."""
        if not text:
            return None
        moment, _, content = text.partition(".")
        try:
            return cls(datetime.fromtimestamp(int(moment) / 1_000_000, tz=UTC), int(content))
        except (ValueError, OverflowError, OSError):
            return None


T = TypeVar("T", ContentRow, ContentKey)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One stretch of a list and where the next one starts, if anything is left."""

    rows: list[T]
    next: Before | None


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
_PINNED = ReadQuery(
    "SELECT {keys} FROM content WHERE content.pinned IS NOT NULL AND content.space = :space "
    "AND {visible} ORDER BY content.pinned DESC LIMIT :limit",
    short=True,
)
_PINNED_HOME = ReadQuery(
    "SELECT {keys} FROM content WHERE content.pinned IS NOT NULL AND content.space IS NULL "
    "AND {visible} ORDER BY content.pinned DESC LIMIT :limit",
    short=True,
)


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
    """Return the same as `feed`, only what finds the kept cards: the quicker way to show a list."""
    wanted = Stretch(**stretch)
    queries, bound = wanted.query(actor)
    return _page(await queries["{keys}"].keys(actor, **bound), wanted.limit)


def _page(rows: list[T], limit: int) -> Page[T]:
    shown = rows[:limit]
    rest = None
    if len(rows) > limit and shown[-1].published is not None:
        rest = Before(shown[-1].published, shown[-1].id)
    return Page(shown, rest)


async def pinned(actor: Actor, space: int | None, *, limit: int = 3) -> list[ContentKey]:
    """Return what is pinned at the top of a space, or of home for None."""
    if space is None:
        return await _PINNED_HOME.keys(actor, limit=limit)
    return await _PINNED.keys(actor, space=space, limit=limit)
