"""The one running instance of this process: where its rooms find each other without importing upwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parvis.config import Config
    from parvis.data import Engine
    from parvis.plugins import PluginRegistry
    from parvis.services.i18n import Catalogs
    from parvis.services.markup import Markup
    from parvis.services.settings import SettingsStore
    from parvis.services.storage import Storage


@dataclass(eq=False)
class Site:
    """An open instance: configuration, database, plugins and services, all of one process."""

    config: Config
    engine: Engine
    plugins: PluginRegistry
    storage: Storage
    i18n: Catalogs
    markup: Markup
    settings: SettingsStore
    # Rooms above hang what they keep per instance here (rendering, caches), by their own module name.
    stash: dict[str, Any] = field(default_factory=dict)


_current: Site | None = None


def current() -> Site:
    """Return the open site; Piccolo's tables are bound to one database a process, so there is one at a time.

    Raises RuntimeError outside `parvis.app.open_site`.
    """
    if _current is None:
        raise RuntimeError("no instance is open in this process: use parvis.app.open_site()")
    return _current


def set_current(site: Site | None) -> None:
    """Make `site` the open one; called by `parvis.app.open_site` alone."""
    global _current
    if site is not None and _current is not None:
        raise RuntimeError("an instance is already open in this process")
    _current = site
