"""Who may read: the one rule, compiled into every query over the spine.

Reading is decided by SQL alone: the row's audience is one of the reader's, its state lets it be seen, what it
answers is itself there, and every content filter of an enabled plugin holds. Lists, doors, counts and files all
ask through `ReadQuery`, so that none can show what another hides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from parvis.content.audiences import audiences_of
from parvis.content.tables import KEY_COLUMNS, ROW_COLUMNS, ContentKey, ContentRow
from parvis.data import Param, PreparedSQL
from parvis.errors import NotFound
from parvis.site import current
from parvis.spaces.decide import allowed, demand

if TYPE_CHECKING:
    from parvis.declarations import ContentFilter, ContentType
    from parvis.people.actor import Actor

_ALIAS = re.compile(r'"?\bcontent\b"?\.')
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_][a-z0-9_]*)")


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reader brings to every query of a request."""

    audiences: list[int]
    values: Mapping[str, Any]
    hidden: frozenset[str]
    everything: bool


async def reading_of(actor: Actor) -> Reading:
    """Compute once a request what binds the access rule to this reader.

    A filter whose values fail hides the types it guards: a broken plugin never opens what it hid.
    """
    found: Reading | None = actor.memo.get("reading")
    if found is None:
        values, hidden = await _filter_values(actor)
        found = Reading(await audiences_of(actor), values, hidden, actor.role == "system")
        actor.memo["reading"] = found
    return found


async def _filter_values(actor: Actor) -> tuple[dict[str, Any], frozenset[str]]:
    registry = current().plugins
    values: dict[str, Any] = {}
    hidden: set[str] = set(registry.hidden_types)
    for declared in registry.filters:
        content_filter = declared.value
        if content_filter.values is None:
            continue
        answer = await registry.call(
            declared.plugin, f"content filter {content_filter.name}", content_filter.values, actor, limit=1.0
        )
        if answer.failed:
            hidden.update(content_filter.types)
            continue
        prefix = _prefix(content_filter)
        values.update({prefix + name: value for name, value in answer.value.items()})
    return values, frozenset(hidden)


def _prefix(content_filter: ContentFilter) -> str:
    return re.sub(r"\W", "_", content_filter.name) + "__"


def _literals(names: frozenset[str] | tuple[str, ...]) -> str:
    return ", ".join("'" + name.replace("'", "''") + "'" for name in sorted(names))


def _where_text(content_filter: ContentFilter) -> str:
    """Return the filter's clause as SQL text with `:parameters` under the filter's own prefix."""
    prefix = _prefix(content_filter)
    if isinstance(content_filter.where, str):
        return _PARAMETER.sub(lambda match: f":{prefix}{match[1]}", content_filter.where)
    sql, arguments = content_filter.where.querystring.compile_string("sqlite")
    parts = sql.split("?")
    text = parts[0]
    for argument, part in zip(arguments, parts[1:], strict=True):
        if not isinstance(argument, Param):
            raise TypeError(f"filter {content_filter.name}: use Param() for each value of its clause")
        text += f":{prefix}{argument.name}{part}"
    return str(text)


def _narrowed(alias: str, hidden: frozenset[str]) -> str:
    """Return the filters' part of the rule about one alias of `content`."""
    clauses = []
    if hidden:
        clauses.append(f"content.type NOT IN ({_literals(hidden)})")
    for declared in current().plugins.filters:
        if hidden.issuperset(declared.value.types):
            continue
        clauses.append(
            f"(content.type NOT IN ({_literals(declared.value.types)}) OR ({_where_text(declared.value)}))"
        )
    text = " AND ".join(clauses)
    return _ALIAS.sub(f"{alias}.", text) if text else ""


def _rule(reading_hidden: frozenset[str], *, everything: bool, doors: bool) -> str:
    """Return the whole rule as SQL over the alias `content`.

    `doors` also lets authors reach what they wrote and is not shown yet: drafts, scheduled and held texts.
    """
    if everything:
        return "content.state <> 'removed'"
    shown = "content.state = 'published'"
    if doors:
        shown = f"({shown} OR (content.author = :reader AND content.state IN ('draft', 'scheduled', 'held')))"
    narrowed = _narrowed("content", reading_hidden)
    above = _narrowed("answered", reading_hidden)
    answered = (
        "(content.root IS NULL OR EXISTS (SELECT 1 FROM content answered WHERE answered.id = content.root"  # noqa: S608
        " AND answered.state = 'published'" + (f" AND {above}" if above else "") + "))"
    )
    parts = ["content.audience = any(:audiences)", shown, answered]
    if narrowed:
        parts.append(narrowed)
    return " AND ".join(parts)


class ReadQuery:
    """A read over the spine with the access rule inside.

    In the text `{visible}` stands for the rule of lists (published rows) and `{readable}` for the rule of doors
    (and the author's own waiting rows), both about the alias `content`; `{columns}` for ContentRow's columns and
    `{keys}` for ContentKey's.
    Compiled once for each version of the enabled plugins.
    """

    def __init__(self, sql: str, *, short: bool = False, types: Mapping[str, str] | None = None) -> None:
        self._sql = sql
        self._short = short
        self._types = types
        self._compiled: dict[tuple[Any, ...], tuple[PreparedSQL, frozenset[str]]] = {}

    async def __call__(self, actor: Actor, **params: Any) -> list[dict[str, Any]]:
        """Run the query as this reader sees the spine."""
        query = await self._bound(actor, params)
        return await query(**params)

    async def one(self, actor: Actor, **params: Any) -> dict[str, Any] | None:
        """Run the query and return its first row, or None."""
        rows = await self(actor, **params)
        return rows[0] if rows else None

    async def rows(self, actor: Actor, **params: Any) -> list[ContentRow]:
        """Run a query that selects exactly `{columns}` and return ContentRows."""
        query = await self._bound(actor, params)
        return [ContentRow(*row) for row in await query.tuples(**params)]

    async def tuples(self, actor: Actor, **params: Any) -> list[tuple[Any, ...]]:
        """Run the query and return plain tuples, as the database gives them."""
        query = await self._bound(actor, params)
        return await query.tuples(**params)

    async def tuples_again(self, actor: Actor, **params: Any) -> tuple[tuple[Any, ...], ...]:
        """Return the same as `tuples`, kept for all readers whom the rule binds alike (PreparedSQL.tuples_again).

        Where several processes serve, members go from one to the next: there nothing is kept.
        """
        query = await self._bound(actor, params)
        if current().config.server.workers > 1:
            return tuple(await query.tuples(**params))
        return await query.tuples_again(**params)

    async def keys(self, actor: Actor, **params: Any) -> list[ContentKey]:
        """Run a query that selects exactly `{keys}` and return ContentKeys."""
        query = await self._bound(actor, params)
        return [ContentKey(*row) for row in await query.tuples(**params)]

    async def _bound(self, actor: Actor, params: dict[str, Any]) -> PreparedSQL:
        """Add to `params` what the rule needs of this reader, and return the query with the rule in it."""
        reading = await reading_of(actor)
        query, names = self._for(reading)
        for name in names:
            if name == "audiences":
                params[name] = reading.audiences
            elif name == "reader":
                params[name] = actor.member or 0
            else:
                params[name] = reading.values[name]
        return query

    def _for(self, reading: Reading) -> tuple[PreparedSQL, frozenset[str]]:
        registry = current().plugins
        key = (id(registry), registry.version, reading.hidden, reading.everything)
        found = self._compiled.get(key)
        if found is None:
            visible = _rule(reading.hidden, everything=reading.everything, doors=False)
            readable = _rule(reading.hidden, everything=reading.everything, doors=True)
            own = frozenset(_PARAMETER.findall(self._sql))
            sql = (
                self._sql.replace("{visible}", visible)
                .replace("{readable}", readable)
                .replace("{columns}", ROW_COLUMNS)
                .replace("{keys}", KEY_COLUMNS)
            )
            names = frozenset(_PARAMETER.findall(sql)) - own
            found = PreparedSQL(sql, short=self._short, types=self._types), names
            # A new version of the enabled set makes the former texts useless.
            self._compiled = {k: v for k, v in self._compiled.items() if k[:2] == key[:2]}
            self._compiled[key] = found
        return found


_ONE = ReadQuery("SELECT {columns} FROM content WHERE content.id = :id AND {readable}", short=True)
_MANY = ReadQuery("SELECT {columns} FROM content WHERE content.id = any(:ids) AND {readable}", short=True)
_REMOVED = PreparedSQL(
    f"SELECT {ROW_COLUMNS}, content.removed_at, content.removed_by FROM content "  # noqa: S608 - our own column names
    "WHERE content.id = :id AND content.state = 'removed' AND content.audience = any(:audiences)",
    short=True,
)


def listed_types() -> list[ContentType]:
    """Return the types of content that lists may be narrowed to, as the enabled plugins declare them."""
    return [declared.value for declared in current().plugins.content_types.values() if declared.value.feed]


async def access_content(actor: Actor, content: int, permission: str | None = None) -> ContentRow:
    """Return one content this actor may read, and do `permission` with, or raise.

    Missing and unreadable look alike: NotFound. Readable but not allowed: Forbidden.
    """
    rows = await _ONE.rows(actor, id=content)
    if not rows:
        raise NotFound()
    if permission is not None:
        await demand(actor, permission, rows[0])
    return rows[0]


async def readable_contents(actor: Actor, ids: list[int]) -> dict[int, ContentRow]:
    """Return those of the contents that the actor may read, by id, in one query."""
    return {row.id: row for row in await _MANY.rows(actor, ids=ids)}


async def removed_content(actor: Actor, content: int) -> tuple[ContentRow, int | None]:
    """Return a removed content and who removed it, for the two who may bring it back; else NotFound.

    Those are the one who removed it and its author; the caller asks which of them the actor is.
    """
    reading = await reading_of(actor)
    row = await _REMOVED.one(id=content, audiences=reading.audiences)
    if row is None:
        raise NotFound()
    removed_by = row.pop("removed_by")
    row.pop("removed_at")
    found = ContentRow(**row)
    if actor.member is None or actor.member not in (found.author, removed_by):
        raise NotFound()
    return found, removed_by


async def may(actor: Actor, row: ContentRow) -> dict[str, bool]:
    """Answer what the menu of one content offers this actor: edit, remove, pin."""
    return {
        "edit": await allowed(actor, "content.edit", row),
        "remove": await allowed(actor, "content.remove", row),
        "pin": await allowed(actor, "content.pin", row),
    }
