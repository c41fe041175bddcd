"""Switching plugins on and off: each transition is one transaction with its audit entry and a new version."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from parvis.errors import Conflict, NotFound, PluginError
from parvis.plugins import migrating
from parvis.plugins.loading import Assembly
from parvis.plugins.reasons import Fault, Reason
from parvis.plugins.states import DISABLED, ENABLED, QUARANTINED, State, may_follow
from parvis.plugins.tables import PluginRow
from parvis.services.i18n import lazy_gettext as _l

if TYPE_CHECKING:
    from parvis.plugins.declared import Loaded
    from parvis.plugins.registry import PluginRegistry

log = logging.getLogger("parvis.plugins")


async def enable(registry: PluginRegistry, name: str, actor: int | None) -> bool:
    """Switch a plugin on: checked, its data brought up to date, then its state written."""
    async with registry.switching:
        await registry.refresh()
        row = _row(registry, name)
        if row.state is ENABLED and name in registry.enabled:
            return False
        if row.state is not ENABLED:
            _demand(row, ENABLED)
        if registry.safe_mode:
            raise Conflict(
                _l("In safe mode no module is started."),
                remedy=_l("Start the site again without PARVIS_SAFE_MODE."),
            )
        if name not in registry.found:
            raise Conflict(
                _l("The package of this module is not installed any more."), remedy=_l("Install it again.")
            )
        try:
            plugin = await _checked(registry, name)
            await migrating.migrate(registry.engine, plugin)
        except Fault as fault:
            reason = fault.reason
        except Exception as error:
            reason = migrating.reason_of(error)
            log.exception("plugin %s could not be enabled", name)
        else:
            registry.needs_update -= {name}
            registry.calls.forgive(name)
            await _write(registry, name, ENABLED, None, actor, plugin)
            return name not in registry.loaded
        await _write(registry, name, QUARANTINED, reason, actor)
        raise PluginError(name, reason, remedy=_l("The others go on. Its data was not changed."))


async def disable(registry: PluginRegistry, name: str, actor: int | None, confirm: bool) -> None:
    """Switch a plugin off after the questions that it asks."""
    async with registry.switching:
        await registry.refresh()
        loaded = registry.loaded.get(name)
        if loaded is not None and loaded.is_default:
            raise Conflict(_l("This belongs to the core and stays on."))
        row = _row(registry, name)
        if row.state is DISABLED:
            return
        _demand(row, DISABLED)
        ways = {declared.plugin for declared in registry.auth_providers}
        if ways == {name}:
            raise Conflict(
                _l("This is the last way to sign in; without it no administrator could come back."),
                remedy=_l("Switch on another way to sign in first."),
            )
        if row.guards and not confirm:
            raise Conflict(
                _l(
                    "This module hides content. Without it, everyone who may read that content otherwise will see it."
                ),
                remedy=_l("Confirm that it may become visible."),
            )
        await _write(registry, name, DISABLED, None, actor)


async def update(registry: PluginRegistry) -> dict[str, list[str]]:
    """Run pending migrations of plugins that are on; one that fails is quarantined, the others go on."""
    ran: dict[str, list[str]] = {}
    async with registry.switching:
        await registry.refresh()
        for name in sorted(registry.needs_update):
            if registry.rows[name].state is not ENABLED:
                continue
            plugin = registry.loaded[name]
            try:
                ran[name] = await migrating.migrate(registry.engine, plugin)
            except Exception as error:
                reason = migrating.reason_of(error)
                log.exception("plugin %s could not be brought up to date", name)
                await _write(registry, name, QUARANTINED, reason, None)
            else:
                registry.needs_update -= {name}
                await _write(registry, name, ENABLED, None, None, plugin)
    return ran


async def stop(registry: PluginRegistry, name: str, state: State, reason: Reason) -> None:
    """Suspend or quarantine a plugin that is on, by the core itself; nothing happens when it is off already."""
    async with registry.switching:
        await registry.refresh()
        row = registry.rows.get(name)
        if row is None or not may_follow(row.state, state):
            return
        log.error("plugin %s is %s: %s", name, state.value, reason)
        await _write(registry, name, state, reason, None)


async def _checked(registry: PluginRegistry, name: str) -> Loaded:
    """Return the plugin's loaded code, importing and checking it beside the others when it is not loaded yet."""
    loaded = registry.loaded.get(name)
    if loaded is not None:
        return loaded
    others = [plugin.found for plugin in registry.loaded.values() if plugin.found is not None]
    trial = await asyncio.to_thread(Assembly, registry.defaults, [*others, registry.found[name]])
    # A clash may be laid at the door of another one that comes later in the order: it was here first.
    for fault in (trial.faults.get(name), *trial.faults.values()):
        if fault is not None:
            raise Fault(fault.code, **fault.details)
    return trial.plugins[name]


def _row(registry: PluginRegistry, name: str) -> PluginRow:
    row = registry.rows.get(name)
    if row is None:
        raise NotFound(_l("There is no module of that name."))
    return row


def _demand(row: PluginRow, state: State) -> None:
    """Raise Conflict when the plugin's state does not allow the transition."""
    if not may_follow(row.state, state):
        raise Conflict(
            _l("The module is in a state that does not allow this."), remedy=_l("Load the page again.")
        )


async def _write(
    registry: PluginRegistry,
    name: str,
    state: State,
    reason: Reason | None,
    actor: int | None,
    plugin: Loaded | None = None,
) -> None:
    """Write one transition, checked again against the row as it is in the transaction."""

    def change(rows: dict[str, PluginRow]) -> Iterable[PluginRow]:
        row = rows[name]
        if row.state is not state:
            _demand(row, state)
        now = replace(row, state=state, reason=reason)
        if plugin is not None:
            version = plugin.found.version if plugin.found is not None else ""
            now = replace(now, version=version, tables=plugin.info.tables, guards=plugin.info.guards)
        if state is DISABLED:
            # It was asked whether what it hid may be seen: from here on it guards nothing.
            now = replace(now, guards=())
        yield now

    registry.apply(*await registry.store.change(change, actor))
