"""The sections of parvis.toml with their keys, types and defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import unquote

from parvis.config.names import masked

CONFIG_FILE = "parvis.toml"
SECRETS_FILE = "secrets.toml"
LANGUAGES = ("fr", "en")
LOG_LEVELS = ("debug", "info", "warning", "error")
LOG_FORMATS = ("text", "json")
LOOPBACK = ("127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class SiteSection:
    """What the community is called and how it speaks; `url` is its public address, no slash at the end."""

    name: str = "Parvis"
    tagline: str = ""
    url: str = "http://localhost:8000"
    language: str = "fr"
    time_zone: str = "Europe/Paris"
    theme: str = "default"


@dataclass(frozen=True, slots=True)
class ServerSection:
    """Where the web server listens, and whom it believes and answers."""

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    # Addresses or networks whose X-Forwarded-* headers are believed.
    trusted_proxies: tuple[str, ...] = LOOPBACK
    # Host names that are answered; empty in the file: the name in site.url and this machine's own.
    allowed_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DatabaseSection:
    """Which database; a relative SQLite path starts at the instance folder. The URL may hold a password."""

    url: str = field(default="sqlite:///data/parvis.db", repr=False)
    # Connections a process keeps open to PostgreSQL at most.
    pool_size: int = 10
    absolute_url: str = field(default="", repr=False)

    @property
    def is_sqlite(self) -> bool:
        """Whether the embedded engine is used."""
        return self.url.startswith("sqlite:")

    @property
    def path(self) -> Path | None:
        """The database file of SQLite; None on PostgreSQL."""
        return Path(unquote(self.absolute_url.removeprefix("sqlite://"))) if self.is_sqlite else None

    @property
    def shown_url(self) -> str:
        """The URL with its password masked, for people and logs."""
        return masked(self.absolute_url or self.url)


@dataclass(frozen=True, slots=True)
class FilesSection:
    """Where uploads are kept and how large they may be; MB of 1,000,000 bytes, a quota of 0 is none."""

    folder: str = "data/files"
    max_upload_mb: int = 50
    member_quota_mb: int = 0
    absolute_folder: Path = Path()


@dataclass(frozen=True, slots=True)
class PluginsSection:
    """How plugins start; safe mode starts the core alone."""

    safe_mode: bool = False


@dataclass(frozen=True, slots=True)
class LogSection:
    """How much is logged, and whether for people (text) or machines (json)."""

    level: str = "info"
    format: str = "text"


@dataclass(frozen=True, slots=True)
class LimitOverride:
    """A rate limit set by the instance: `count` actions in `seconds`; a count of 0 switches the limit off."""

    count: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Config:
    """Everything an instance is told from outside, checked; made by `load_config`."""

    directory: Path
    site: SiteSection = SiteSection()
    server: ServerSection = ServerSection()
    database: DatabaseSection = DatabaseSection()
    files: FilesSection = FilesSection()
    plugins: PluginsSection = PluginsSection()
    log: LogSection = LogSection()
    # Action name -> limit, where the instance differs from the program's defaults.
    limits: Mapping[str, LimitOverride] = field(default_factory=dict)
    # Signs cookies and tokens; 32 bytes or more, from secrets.toml.
    secret_key: bytes = field(default=b"", repr=False)


SECTIONS: dict[str, type] = {
    "site": SiteSection,
    "server": ServerSection,
    "database": DatabaseSection,
    "files": FilesSection,
    "plugins": PluginsSection,
    "log": LogSection,
}
# Worked out from others, so nobody sets them.
DERIVED = frozenset({"absolute_url", "absolute_folder"})


def keys_of(section: str) -> dict[str, Any]:
    """Return the keys that may be set in a section with their types."""
    hints = get_type_hints(SECTIONS[section])
    return {item.name: hints[item.name] for item in fields(SECTIONS[section]) if item.name not in DERIVED}
