"""The two engines: Piccolo's, with persistent connections and transactions that always give them back."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from parvis.data.postgres import PostgresEngine
from parvis.data.sqlite import SQLiteEngine
from parvis.errors import ConfigError

Engine = SQLiteEngine | PostgresEngine


def open_engine(url: str, *, readers: int = 2, pool_size: int = 10) -> Engine:
    """Return the engine for `sqlite:///absolute/path.db` or `postgresql://user:password@host:port/name`.

    Nothing is opened before `start()`. ConfigError for any other scheme.
    """
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return SQLiteEngine(unquote("/" + url.removeprefix("sqlite://").lstrip("/")), readers=readers)
    if parts.scheme in ("postgresql", "postgres"):
        return PostgresEngine(url, pool_size=pool_size)
    raise ConfigError(
        f"database.url has the unknown scheme {parts.scheme!r}.",
        remedy="Use sqlite:///path/to/file.db or postgresql://user:password@host/name.",
    )
