"""What a starting process makes of the states it finds: new packages noted, old ones loaded, broken ones put aside."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from parvis.plugins import migrating
from parvis.plugins.declared import Loaded
from parvis.plugins.discovery import Found
from parvis.plugins.loading import Assembly
from parvis.plugins.reasons import Reason
from parvis.plugins.states import ENABLED, INSTALLED, LOADED, QUARANTINED, SUSPENDED
from parvis.plugins.tables import PluginRow

if TYPE_CHECKING:
    from parvis.plugins.registry import PluginRegistry

log = logging.getLogger("parvis.plugins")


def seen(
    found: Iterable[Found],
    rows: Mapping[str, PluginRow],
    first: bool | Collection[str],
    marks: Mapping[str, Reason],
) -> dict[str, PluginRow]:
    """Return rows for plugins seen for the first time, and for those that a mark stopped.

    In an instance that never saw one, those of the umbrella are on at once (or those that `first` names).
    """
    items = {item.name: item for item in found}
    fresh = not rows.keys() - {item.name for item in items.values() if item.given}

    def is_on(item: Found) -> bool:
        if item.given or not fresh:
            return item.given
        return first and item.first_party if isinstance(first, bool) else item.name in first

    changes = {
        name: PluginRow(name, ENABLED if is_on(item) else INSTALLED)
        for name, item in items.items()
        if name not in rows
    }
    for name, reason in marks.items():
        row = changes.get(name, rows.get(name))
        if row is not None and row.state is ENABLED:
            changes[name] = replace(row, state=SUSPENDED, reason=reason)
    return changes


async def assemble(
    registry: PluginRegistry, rows: Mapping[str, PluginRow], changes: dict[str, PluginRow]
) -> tuple[Assembly, frozenset[str]]:
    """Load what is or was on; note quarantines, and what altered code owns, in `changes`.

    Returns the loaded plugins, and the names of those whose data must be brought up to date first.
    """
    known = {**rows, **changes}
    assembly = Assembly(
        registry.defaults, [item for item in registry.found.values() if known[item.name].state in LOADED]
    )
    faults = dict(assembly.faults)
    waiting = set()
    for name, plugin in assembly.plugins.items():
        if plugin.is_default:
            continue
        try:
            if name not in rows and known[name].state is ENABLED:
                await migrating.migrate(registry.engine, plugin)
            elif await migrating.is_behind(registry.engine, plugin):
                waiting.add(name)
        except Exception as error:
            faults[name] = migrating.reason_of(error)
            log.exception("plugin %s is left out", name)
            continue
        now = owned(known[name], plugin)
        if now != rows.get(name):
            changes[name] = now
    for name, reason in faults.items():
        assembly.plugins.pop(name, None)
        changes[name] = replace(changes.get(name, known[name]), state=QUARANTINED, reason=reason)
    return assembly, frozenset(waiting)


def owned(row: PluginRow, plugin: Loaded) -> PluginRow:
    """Return a row with what the loaded code says of the plugin: its version and tables, and guards while on."""
    version = plugin.found.version if plugin.found is not None else ""
    guards = tuple(plugin.info.guards) if row.state is ENABLED else row.guards
    return replace(row, version=version, tables=tuple(plugin.info.tables), guards=guards)
