"""The base of every table, and the one database that the tables of a process are bound to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import piccolo.table

if TYPE_CHECKING:
    from parvis.data.engines import Engine

_tables: list[type[Table]] = []
_engine: Engine | None = None


class _Unbound:
    """Stands where a table's engine will be: without it Piccolo goes looking for a `piccolo_conf` module."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise RuntimeError(_NOT_OPEN)


_NOT_OPEN = "no database is open: call parvis.data.bind(engine) first"
_UNBOUND: Any = _Unbound()


class Table(piccolo.table.Table):
    """A Piccolo table with an explicit name, bound by `bind()` and never by Piccolo's own finder."""

    def __init_subclass__(cls, tablename: str | None = None, **kwargs: Any) -> None:
        """Demand a table name and remember the table for `bind()`."""
        if tablename is None:
            raise TypeError(f"{cls.__module__}.{cls.__qualname__} needs an explicit tablename")
        super().__init_subclass__(tablename=tablename, **kwargs)
        _tables.append(cls)
        cls._meta._db = _engine or _UNBOUND


# Piccolo gave this class a key of its own, which tables with another key than `id` would inherit.
delattr(Table, "id")


def bind(engine: Engine | None) -> None:
    """Make every table use this engine; tables defined later follow."""
    global _engine
    _engine = engine
    for table in _tables:
        table._meta._db = engine or _UNBOUND


def bound_engine() -> Engine:
    """Return the engine the tables are bound to; RuntimeError before `bind()`."""
    if _engine is None:
        raise RuntimeError(_NOT_OPEN)
    return _engine


def known_tables() -> tuple[type[Table], ...]:
    """Return every table defined so far, in order of definition."""
    return tuple(_tables)
