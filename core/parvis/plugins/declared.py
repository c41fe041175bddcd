"""What plugins declared, with its plugin: typed collections, for all loaded plugins or for the enabled ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

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
from parvis.plugins.discovery import Found

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Declared(Generic[T]):
    """A declaration and the plugin that made it."""

    plugin: str
    value: T


@dataclass(frozen=True, slots=True)
class Route:
    """One address of a handler, as Litestar will register it."""

    path: str
    name: str | None
    methods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Impl:
    """A plugin's filling of a hook: called with those of the hook's arguments it takes, in order."""

    plugin: str
    hook: str
    function: Any
    takes: tuple[str, ...]


@dataclass(eq=False)
class Loaded:
    """A plugin whose code was imported and whose declarations were found good."""

    name: str
    module: object
    info: PluginInfo
    found: Found | None
    folder: Path | None = None
    impls: dict[str, Impl] = field(default_factory=dict)
    answers: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()

    @property
    def is_default(self) -> bool:
        """Whether it is behaviour of the core itself, which cannot be switched off."""
        return self.found is None

    @property
    def source(self) -> str | None:
        """The folder (ending in /) or file its code comes from: how the watchdog knows whose code runs."""
        if self.folder is not None:
            return f"{self.folder}/"
        return self.module.__file__ if isinstance(self.module, ModuleType) else None


@dataclass(frozen=True)
class Declarations:
    """The declarations of a set of plugins, in the order in which they are used."""

    routes: tuple[Declared[Any], ...] = ()
    content_types: Mapping[str, Declared[ContentType]] = field(default_factory=dict)
    filters: tuple[Declared[ContentFilter], ...] = ()
    permissions: Mapping[str, Declared[Permission]] = field(default_factory=dict)
    settings: Mapping[str, Declared[Setting]] = field(default_factory=dict)
    navigation: tuple[Declared[NavItem], ...] = ()
    fragments: Mapping[str, tuple[Declared[Fragment], ...]] = field(default_factory=dict)
    auth_providers: tuple[Declared[AuthProvider], ...] = ()
    infos: Mapping[str, PluginInfo] = field(default_factory=dict)
    impls: Mapping[str, tuple[Impl, ...]] = field(default_factory=dict)


def collect(plugins: Iterable[Loaded]) -> Declarations:
    """Put together what plugins declared; they come in load order, weights then sort what is shown."""
    loaded = list(plugins)
    navigation = _all(loaded, "register_navigation")
    fragments: dict[str, list[Declared[Fragment]]] = {}
    for declared in sorted(_all(loaded, "register_fragments"), key=lambda item: item.value.weight):
        fragments.setdefault(declared.value.slot, []).append(declared)
    impls: dict[str, list[Impl]] = {}
    for plugin in loaded:
        for hook, impl in plugin.impls.items():
            impls.setdefault(hook, []).append(impl)
    return Declarations(
        routes=tuple(_all(loaded, "register_routes")),
        content_types=_named(loaded, "register_content_types"),
        filters=tuple(_all(loaded, "register_content_filters")),
        permissions=_named(loaded, "register_permissions"),
        settings=_named(loaded, "register_settings"),
        navigation=tuple(sorted(navigation, key=lambda item: item.value.weight)),
        fragments={slot: tuple(found) for slot, found in fragments.items()},
        auth_providers=tuple(
            sorted(_all(loaded, "register_auth_providers"), key=lambda item: item.value.weight)
        ),
        infos={plugin.name: plugin.info for plugin in loaded},
        impls={hook: tuple(found) for hook, found in impls.items()},
    )


def _all(loaded: list[Loaded], hook: str) -> list[Declared[Any]]:
    return [Declared(plugin.name, value) for plugin in loaded for value in plugin.answers.get(hook, ())]


def _named(loaded: list[Loaded], hook: str) -> dict[str, Declared[Any]]:
    return {declared.value.name: declared for declared in _all(loaded, hook)}
