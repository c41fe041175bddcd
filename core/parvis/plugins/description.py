"""Everything an administrator may want to know of each plugin, for the modules page and the command line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from parvis.data import PreparedSQL
from parvis.data.migrations import describe as described_table
from parvis.data.schema import quoted
from parvis.plugins.calls import Counter
from parvis.plugins.reasons import Reason
from parvis.plugins.states import ENABLED, LOADED

if TYPE_CHECKING:
    from parvis.data import Engine
    from parvis.plugins.declared import Loaded
    from parvis.plugins.registry import PluginRegistry
    from parvis.plugins.tables import PluginRow


@dataclass(frozen=True, kw_only=True)
class PluginState:
    """One plugin as it stands: what it is, its state and why, what it owns and declares.

    `tables` counts rows by table, None for one that does not exist. `label`, `summary` and `reason` may be lazily
    translated. What it declares is known of loaded code only. `calls` are counted since this process started.
    """

    name: str
    label: Any
    summary: Any = ""
    version: str = ""
    state: str
    reason: Any = ""
    weight: int = 100
    scope: str = "site"
    core_range: str = ""
    distribution: str = ""
    is_installed: bool = True
    needs_update: bool = False
    needs_reload: bool = False
    tables: dict[str, int | None] = field(default_factory=dict)
    guards: tuple[str, ...] = ()
    content_types: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    slots: tuple[str, ...] = ()
    fills: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    calls: dict[str, Counter] = field(default_factory=dict)


async def describe(registry: PluginRegistry) -> list[PluginState]:
    """Return every plugin ever seen here, by name; the core's own parts are not among them."""
    return [await _one(registry, row) for _, row in sorted(registry.rows.items())]


async def _one(registry: PluginRegistry, row: PluginRow) -> PluginState:
    found = registry.found.get(row.name)
    loaded = registry.loaded.get(row.name)
    info = loaded.info if loaded is not None else None
    needs_update = row.state is ENABLED and row.name in registry.needs_update
    needs_reload = row.state is ENABLED and loaded is None and found is not None and not registry.safe_mode
    return PluginState(
        name=row.name,
        label=info.label if info is not None else row.name,
        summary=(info.summary if info is not None else "") or (found.summary if found is not None else ""),
        version=found.version if found is not None else row.version,
        state=row.state.value,
        reason=_reason(registry, row, needs_update, needs_reload) or "",
        weight=info.weight if info is not None else 100,
        scope=info.scope if info is not None else "site",
        core_range=(found.core_range or "") if found is not None else "",
        distribution=found.distribution if found is not None else "",
        is_installed=found is not None,
        needs_update=needs_update,
        needs_reload=needs_reload,
        tables={table: await _rows(registry.engine, table) for table in row.tables},
        guards=row.guards,
        calls=registry.calls.of(row.name),
        **(_declared(loaded) if loaded is not None else {}),
    )


def _reason(
    registry: PluginRegistry, row: PluginRow, needs_update: bool, needs_reload: bool
) -> Reason | None:
    """Return why a plugin is not running although it might be."""
    if row.name not in registry.found and row.state in LOADED:
        return Reason("missing")
    if registry.safe_mode and row.state is ENABLED:
        return Reason("safe-mode")
    if needs_update:
        return Reason("update")
    if needs_reload:
        return Reason("reload")
    return row.reason


def _declared(loaded: Loaded) -> dict[str, tuple[str, ...]]:
    answers, info = loaded.answers, loaded.info

    def names(hook: str) -> tuple[str, ...]:
        return tuple(value.name for value in answers.get(hook, ()))

    return {
        "content_types": names("register_content_types"),
        "filters": names("register_content_filters"),
        "permissions": names("register_permissions"),
        "settings": names("register_settings"),
        "slots": info.slots,
        "fills": tuple(sorted({fragment.slot for fragment in answers.get("register_fragments", ())})),
        "events": info.events,
        "mounts": info.mounts,
        "hooks": tuple(sorted(loaded.impls)),
        "routes": tuple(sorted({route.path for route in loaded.routes})),
    }


async def _rows(engine: Engine | None, table: str) -> int | None:
    """Return how many rows a table has, None when it does not exist."""
    if engine is None or await described_table(engine, table) is None:
        return None
    row = await PreparedSQL(f"SELECT count(*) AS rows FROM {quoted(table)}").one()  # noqa: S608 - quoted by us
    return int(row["rows"]) if row is not None else None
