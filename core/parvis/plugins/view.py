"""What plugins show at this moment: the collections that the rest of Parvis reads, filtered by what is on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parvis.plugins.declared import Declarations, Declared, Loaded, collect
from parvis.plugins.states import ENABLED, QUARANTINED, SUSPENDED
from parvis.plugins.tables import PluginRow

if TYPE_CHECKING:
    from parvis.declarations import (
        AuthProvider,
        ContentFilter,
        ContentType,
        Fragment,
        NavItem,
        Permission,
        PluginInfo,
        Setting,
    )


@dataclass(frozen=True)
class View:
    """What holds until the next change of states: replaced as a whole, never altered."""

    version: int = 0
    rows: Mapping[str, PluginRow] = field(default_factory=dict)
    enabled: frozenset[str] = frozenset()
    hidden_types: frozenset[str] = frozenset()
    declared: Declarations = field(default_factory=Declarations)


class Shown:
    """The reading side of the registry: one view, replaced as a whole when a state changes."""

    def __init__(self) -> None:
        self.needs_update: frozenset[str] = frozenset()
        self._loaded: Mapping[str, Loaded] = {}
        self._everything = Declarations()
        self._view = View()

    def _set_loaded(self, loaded: Mapping[str, Loaded]) -> None:
        self._loaded = loaded
        self._everything = collect(loaded.values())

    def apply(self, version: int, rows: Mapping[str, PluginRow]) -> None:
        """Make the states of the database hold in this process."""
        loaded = self._loaded
        enabled = frozenset(
            name
            for name, plugin in loaded.items()
            if plugin.is_default
            or (name in rows and rows[name].state is ENABLED and name not in self.needs_update)
        )
        hidden = {
            guarded
            for row in rows.values()
            if row.state in (ENABLED, SUSPENDED, QUARANTINED) and row.name not in enabled
            for guarded in row.guards
        }
        self._view = View(
            version=version,
            rows=rows,
            enabled=enabled,
            hidden_types=frozenset(hidden),
            declared=collect(plugin for name, plugin in loaded.items() if name in enabled),
        )

    @property
    def loaded(self) -> Mapping[str, Loaded]:
        """Every plugin whose code is loaded, on or off, by name in load order."""
        return self._loaded

    @property
    def folders(self) -> dict[str, Path]:
        """The package folders of loaded plugins, on or off: templates, static files, translations."""
        return {name: plugin.folder for name, plugin in self.loaded.items() if plugin.folder is not None}

    @property
    def everything(self) -> Declarations:
        """The declarations of all loaded plugins, on or off: for what is set up once, such as icons."""
        return self._everything

    @property
    def routes(self) -> tuple[Declared[Any], ...]:
        """The handlers of all loaded plugins: registered once, a plugin that is off is stopped before them."""
        return self._everything.routes

    @property
    def infos(self) -> Mapping[str, PluginInfo]:
        """The manifests of all loaded plugins by name."""
        return self._everything.infos

    @property
    def rows(self) -> Mapping[str, PluginRow]:
        """The states as this process knows them, by name."""
        return self._view.rows

    @property
    def version(self) -> int:
        """Moves whenever a plugin's state does; part of every key of what is kept."""
        return self._view.version

    @property
    def enabled(self) -> frozenset[str]:
        """The names of plugins that are on and running here, those of the core among them."""
        return self._view.enabled

    @property
    def hidden_types(self) -> frozenset[str]:
        """The content types that nobody is shown, since the plugin that guards them cannot run."""
        return self._view.hidden_types

    @property
    def content_types(self) -> Mapping[str, Declared[ContentType]]:
        """The content types of enabled plugins by name."""
        return self._view.declared.content_types

    @property
    def filters(self) -> tuple[Declared[ContentFilter], ...]:
        """The content filters of enabled plugins."""
        return self._view.declared.filters

    @property
    def permissions(self) -> Mapping[str, Declared[Permission]]:
        """The permissions of enabled plugins by name."""
        return self._view.declared.permissions

    @property
    def settings(self) -> Mapping[str, Declared[Setting]]:
        """The settings of enabled plugins by name."""
        return self._view.declared.settings

    @property
    def navigation(self) -> tuple[Declared[NavItem], ...]:
        """The menu entries of enabled plugins by weight."""
        return self._view.declared.navigation

    @property
    def fragments(self) -> Mapping[str, tuple[Declared[Fragment], ...]]:
        """The fragments of enabled plugins by slot, by weight within one."""
        return self._view.declared.fragments

    @property
    def auth_providers(self) -> tuple[Declared[AuthProvider], ...]:
        """The ways to sign in of enabled plugins by weight."""
        return self._view.declared.auth_providers
