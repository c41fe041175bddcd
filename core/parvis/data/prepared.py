"""Prepared queries: written once, compiled once an engine, bound by name.

Building a Piccolo query costs more than running it, so hot reads and writes are kept compiled.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any

from parvis.data.tables import bound_engine
from parvis.data.transactions import Transaction

if TYPE_CHECKING:
    from parvis.data.engines import Engine

AGAIN = 1.0
"""Seconds after which a kept answer is asked for again, for what other processes wrote."""
KEPT_ANSWERS = 512
"""How many answers of one statement are kept at most."""
_TOKEN = re.compile(
    r"""
      (?P<quoted>'(?:[^']|'')*'|"(?:[^"]|"")*")
    | (?P<cast>::)
    | =\s*any\(\s*:(?P<many>[a-z_][a-z0-9_]*)\s*\)
    | :(?P<one>[a-z_][a-z0-9_]*)
    """,
    re.VERBOSE | re.IGNORECASE,
)


class Param:
    """A named place for a value in a Piccolo query; it travels through Piccolo untouched as an argument."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class PreparedSQL:
    """A statement with `:name` places, for both engines; `x = any(:list)` takes a list of any length.

    `short` says that a statement is keyed and limited, so that SQLite may run it inside the event loop: a read at
    once, a write within a transaction, whose commit still waits in a thread. `types` gives the
    type of result columns that are expressions, and of places that hold JSON: "timestamptz", "boolean", "json".
    """

    def __init__(self, sql: str, *, short: bool = False, types: Mapping[str, str] | None = None) -> None:
        self.text = sql
        self.short = short
        self.types = dict(types or {})
        self._compiled: dict[str, tuple[str, list[tuple[str, bool]]]] = {}
        self._converters = {name: _CONVERTERS[kind] for name, kind in self.types.items()}
        self._again: dict[Any, tuple[Any, tuple[tuple[Any, ...], ...]]] = {}
        self._json = frozenset(name for name, kind in self.types.items() if kind == "json")

    def compiled(self, dialect: str) -> tuple[str, list[tuple[str, bool]]]:
        """Return the engine's own text and the names of its places, each with whether it holds a list."""
        found = self._compiled.get(dialect)
        if found is None:
            found = self._compiled[dialect] = _compile(self.text, dialect)
        return found

    async def __call__(self, **params: Any) -> list[dict[str, Any]]:
        """Run the statement and return its rows, inside the task's transaction if there is one."""
        engine: Engine = bound_engine()
        sql, places = self.compiled(engine.dialect)
        args = [self._argument(name, many, params[name], engine.dialect) for name, many in places]
        rows = await engine.fetch(sql, args, short=self.short)
        if self._converters:
            for row in rows:
                for name, convert in self._converters.items():
                    value = row.get(name)
                    if value is not None:
                        row[name] = convert(value)
        return rows

    async def tuples(self, **params: Any) -> list[tuple[Any, ...]]:
        """Run a read and return its rows as tuples, as the database gives them: `types` do not apply."""
        engine: Engine = bound_engine()
        sql, places = self.compiled(engine.dialect)
        args = [self._argument(name, many, params[name], engine.dialect) for name, many in places]
        return await engine.fetch_tuples(sql, args, short=self.short)

    async def tuples_again(self, **params: Any) -> tuple[tuple[Any, ...], ...]:
        """Return what `tuples` returned for the same values, while nobody in this process wrote since.

        What other processes wrote shows within `AGAIN`. Inside a transaction the database is asked each time.
        """
        engine: Engine = bound_engine()
        if Transaction.of_task(engine) is not None:
            return tuple(await self.tuples(**params))
        mark = (engine, engine.writes, int(monotonic() / AGAIN))
        key = tuple([tuple(value) if isinstance(value, list) else value for value in params.values()])
        found = self._again.get(key)
        if found is None or found[0] != mark:
            if len(self._again) >= KEPT_ANSWERS:
                self._again.clear()
            self._again[key] = found = mark, tuple(await self.tuples(**params))
        return found[1]

    async def one(self, **params: Any) -> dict[str, Any] | None:
        """Run the statement and return its first row, or None."""
        rows = await self(**params)
        return rows[0] if rows else None

    def _argument(self, name: str, many: bool, value: Any, dialect: str) -> Any:
        if many:
            return json.dumps(list(value)) if dialect == "sqlite" else list(value)
        if name in self._json and value is not None and not isinstance(value, str):
            return json.dumps(value, ensure_ascii=False)
        return value


def _compile(text: str, dialect: str) -> tuple[str, list[tuple[str, bool]]]:
    places: list[tuple[str, bool]] = []

    def place(match: re.Match[str]) -> str:
        name, many = (match["many"], True) if match["many"] else (match["one"], False)
        if name is None:
            return match[0]
        if dialect == "sqlite":
            places.append((name, many))
            return "IN (SELECT value FROM json_each(?))" if many else "?"
        if (name, many) not in places:
            places.append((name, many))
        number = places.index((name, many)) + 1
        return f"= ANY(${number})" if many else f"${number}"

    return _TOKEN.sub(place, text), places


def _timestamptz(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    return datetime.fromisoformat(value).replace(tzinfo=UTC)


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "timestamptz": _timestamptz,
    "boolean": bool,
    "json": lambda value: json.loads(value) if isinstance(value, str) else value,
}


class Prepared:
    """A Piccolo query compiled once an engine: `Prepared(Post.select(...).where(Post.id < Param("after")))`."""

    def __init__(self, query: Any, *, short: bool = False) -> None:
        self.query = query
        self.short = short
        self._compiled: dict[str, tuple[str, Sequence[Any]]] = {}

    async def __call__(self, **params: Any) -> list[dict[str, Any]]:
        """Run the query with its places bound by name and return its rows."""
        engine = bound_engine()
        found = self._compiled.get(engine.dialect)
        if found is None:
            sql, args = self.query.querystrings[0].compile_string(engine_type=engine.engine_type)
            found = self._compiled[engine.dialect] = (sql, args)
        sql, args = found
        values = [params[arg.name] if isinstance(arg, Param) else arg for arg in args]
        return await engine.fetch(sql, values, short=self.short)

    async def one(self, **params: Any) -> dict[str, Any] | None:
        """Run the query and return its first row, or None."""
        rows = await self(**params)
        return rows[0] if rows else None
