"""The rules that declarations keep: names under the plugin's own, nothing twice, nothing that does not exist."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any

from litestar import Router
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.utils import join_paths

from parvis.data import known_tables
from parvis.declarations import (
    AuthProvider,
    ContentFilter,
    ContentType,
    Fragment,
    NavItem,
    Permission,
    Setting,
)
from parvis.plugins.declared import Loaded, Route
from parvis.plugins.discovery import RESERVED
from parvis.plugins.reasons import Fault

WANTED: dict[str, type | None] = {
    "register_routes": None,
    "register_content_types": ContentType,
    "register_content_filters": ContentFilter,
    "register_permissions": Permission,
    "register_settings": Setting,
    "register_navigation": NavItem,
    "register_fragments": Fragment,
    "register_auth_providers": AuthProvider,
}
# What has a name of its own that begins with the plugin's, and how a message calls it.
_NAMED = {
    "register_content_types": "the content type",
    "register_content_filters": "the content filter",
    "register_permissions": "the permission",
    "register_settings": "the setting",
    "register_auth_providers": "the sign-in provider",
}


class Checker:
    """Looks at one plugin after another in load order and remembers what is taken; Fault tells what is wrong."""

    def __init__(self) -> None:
        self._taken: dict[tuple[str, str], str] = {}

    def check(self, plugin: Loaded) -> None:
        """Raise Fault when the plugin's declarations break a rule; else take their names."""
        taken = dict(self._taken)
        try:
            for hook, answer in plugin.answers.items():
                self._check_named(plugin, hook, answer)
            self._check_info(plugin)
            self._check_routes(plugin)
            if not plugin.is_default:
                check_tables(plugin)
                check_templates(plugin)
                check_guards(plugin)
            check_settings(plugin)
        except Fault:
            self._taken = taken
            raise

    def _take(self, plugin: str, what: str, name: str) -> None:
        other = self._taken.setdefault((what, name), plugin)
        if other != plugin:
            raise Fault("taken", what=what, name=name, other=other)

    def _take_once(self, plugin: str, what: str, name: str) -> None:
        if (what, name) in self._taken:
            raise Fault("taken", what=what, name=name, other=self._taken[what, name])
        self._taken[what, name] = plugin

    def _check_named(self, plugin: Loaded, hook: str, answer: Sequence[Any]) -> None:
        what = _NAMED.get(hook)
        for value in answer:
            if what is not None:
                if not plugin.is_default:
                    begins(what, value.name, f"{plugin.name}.")
                self._take_once(plugin.name, what, value.name)
            elif hook == "register_navigation":
                self._take_once(plugin.name, "the menu entry", f"{value.menu}/{value.key}")

    def _check_info(self, plugin: Loaded) -> None:
        info = plugin.info
        for what, names, prefix in (
            ("the slot", info.slots, f"{plugin.name}."),
            ("the event", info.events, f"{plugin.name}."),
            ("the table", info.tables, f"{plugin.name}_"),
        ):
            for name in names:
                if not plugin.is_default:
                    begins(what, name, prefix)
                self._take_once(plugin.name, what, name)
        for mount in info.mounts:
            first = mount.strip("/").split("/", 1)[0]
            if not mount.startswith("/") or not first or first.replace("-", "_") in RESERVED:
                raise Fault("mount", path=mount)
            self._take(plugin.name, "the address", f"/{first}")

    def _check_routes(self, plugin: Loaded) -> None:
        plugin.routes = routes_of(plugin.answers.get("register_routes", ()))
        self._take(plugin.name, "the address", f"/{plugin.name}")
        for route in plugin.routes:
            if not plugin.is_default:
                if not is_own_address(plugin, route.path):
                    raise Fault("root", path=route.path, wanted=", ".join(own_roots(plugin)))
                if route.name is not None:
                    begins("the route", route.name, f"{plugin.name}.")
            if route.name is not None:
                self._take(plugin.name, "the route", route.name)
            shape = "/".join("{}" if part.startswith("{") else part for part in route.path.split("/"))
            for method in route.methods:
                self._take_once(plugin.name, "the address", f"{method} {shape}")


def begins(what: str, name: str, prefix: str) -> None:
    """Raise Fault unless a declared name stands under the plugin's own."""
    if not name.startswith(prefix) or name == prefix:
        raise Fault("prefix", what=what, name=name, wanted=prefix)


def check_slots(plugins: Iterable[Loaded]) -> dict[str, Fault]:
    """Return the plugins that fill a slot which its owner does not offer.

    A slot of a plugin that is not there is no fault: it stays empty until that plugin comes.
    """
    loaded = list(plugins)
    offered = {slot for plugin in loaded for slot in plugin.info.slots}
    optional = {plugin.name for plugin in loaded if not plugin.is_default}
    faults: dict[str, Fault] = {}
    for plugin in loaded:
        for fragment in plugin.answers.get("register_fragments", ()):
            owner = fragment.slot.split(".", 1)[0]
            known = owner in optional or owner in CORE_OWNERS
            if fragment.slot not in offered and fragment.slot not in CORE_SLOTS and known:
                faults.setdefault(plugin.name, Fault("slot", slot=fragment.slot, owner=owner))
    return faults


# The places that core pages and cards offer, each with what stands there; docs/plugin-api.md lists them.
CORE_SLOTS: dict[str, str] = {
    "home.top": "above everything on the home page",
    "home.main": "the main column of the home page",
    "home.rail": "the side column of the home page",
    "space.main": "the main column of a space",
    "space.rail": "the side column of a space",
    "profile.main": "the main column of a member's profile",
    "profile.rail": "the side column of a member's profile",
    "content.after": "below a content on its own page",
}
CORE_OWNERS = frozenset(slot.split(".", 1)[0] for slot in CORE_SLOTS) | RESERVED


def routes_of(handlers: Sequence[Any]) -> tuple[Route, ...]:
    """Return the addresses of Litestar handlers, controllers and routers."""
    found: list[Route] = []
    for handler in handlers:
        if isinstance(handler, BaseRouteHandler):
            found.extend(_route(join_paths([path]), handler) for path in sorted(handler.paths))
            continue
        # Controllers and routers know their addresses once they are registered, of which Litestar makes a copy.
        for route in Router(path="/", route_handlers=[handler]).routes:
            inner = route.route_handlers if isinstance(route, HTTPRoute) else (route.route_handler,)
            found.extend(_route(route.path, item) for item in inner)
    return tuple(route for route in found if route.methods != ("OPTIONS",))


def _route(path: str, handler: BaseRouteHandler) -> Route:
    methods = handler.http_methods if isinstance(handler, HTTPRouteHandler) else {type(handler).__name__}
    return Route(path, handler.name, tuple(sorted(str(method) for method in methods)))


def own_roots(plugin: Loaded) -> list[str]:
    """Return the beginnings of addresses that belong to a plugin."""
    name = plugin.name
    roots = [f"/{name}", f"/spaces/{{slug}}/{name}", f"/admin/{name}", f"/api/v1/{name}"]
    return [*roots, *(f"/{mount.strip('/')}" for mount in plugin.info.mounts)]


def is_own_address(plugin: Loaded, path: str) -> bool:
    """Whether an address stands under one of the plugin's roots."""
    parts = path.strip("/").split("/")
    if parts[0] == "spaces" and len(parts) > 1 and parts[1].startswith("{"):
        parts[1] = "{slug}"
    shape = "/" + "/".join(parts)
    return any(shape == root or shape.startswith(f"{root}/") for root in own_roots(plugin))


def check_tables(plugin: Loaded) -> None:
    """Raise Fault when the plugin's code has a table that its manifest does not name."""
    if not isinstance(plugin.module, ModuleType):
        return
    package = plugin.module.__package__ or plugin.module.__name__
    for table in known_tables():
        within = table.__module__ == plugin.module.__name__ or table.__module__.startswith(f"{package}.")
        # A table of an earlier import of the same module is no table any more.
        alive = getattr(sys.modules.get(table.__module__), table.__name__, None) is table
        if within and alive and table._meta.tablename not in plugin.info.tables:
            begins("the table", table._meta.tablename, f"{plugin.name}_")
            raise Fault("table", table=table._meta.tablename)


def check_templates(plugin: Loaded) -> None:
    """Raise Fault for a template of another owner, or one that is not there."""
    named = [
        *(value.card_template for value in plugin.answers.get("register_content_types", ())),
        *(value.template for value in plugin.answers.get("register_fragments", ())),
        *(value.template for value in plugin.answers.get("register_auth_providers", ())),
    ]
    for template in named:
        if not template.startswith(f"{plugin.name}/"):
            raise Fault("template", template=template, name=plugin.name)
        if plugin.folder is not None and not (plugin.folder / "templates" / template).is_file():
            raise Fault("no-template", template=template)


def check_guards(plugin: Loaded) -> None:
    """Raise Fault when a filter narrows types that the manifest does not say it guards.

    What a plugin guards is kept in the database, so that it stays hidden when the plugin cannot even be imported.
    """
    for content_filter in plugin.answers.get("register_content_filters", ()):
        missing = sorted(set(content_filter.types) - set(plugin.info.guards))
        if missing:
            raise Fault("guards", filter=content_filter.name, types=", ".join(missing))


def check_settings(plugin: Loaded) -> None:
    """Raise Fault when a setting's default is not of its own type."""
    for setting in plugin.answers.get("register_settings", ()):
        if isinstance(setting.type, tuple):
            fits = setting.default in setting.type
        elif setting.type is int:
            fits = type(setting.default) is int
        else:
            fits = isinstance(setting.default, setting.type)
        if not fits:
            raise Fault("default", name=setting.name)
