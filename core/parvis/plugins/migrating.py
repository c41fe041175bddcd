"""A plugin's own tables: found beside its code, brought up to date before it is switched on."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

from parvis.data.migrations import MigrationError, pending
from parvis.data.migrations import migrate as run
from parvis.errors import DatabaseUnavailable, NewerDatabase, StorageFull
from parvis.plugins.reasons import Reason, told

if TYPE_CHECKING:
    from parvis.data import Engine
    from parvis.plugins.declared import Loaded


def package_of(plugin: Loaded) -> str | None:
    """Return the package of a plugin's migrations: the manifest's, or `migrations` beside its code; None without."""
    if plugin.info.migrations is not None:
        return plugin.info.migrations
    if plugin.folder is None or not isinstance(plugin.module, ModuleType):
        return None
    return f"{plugin.module.__package__}.migrations" if (plugin.folder / "migrations").is_dir() else None


async def migrate(engine: Engine | None, plugin: Loaded) -> list[str]:
    """Run a plugin's pending migrations, all in one transaction; return their ids."""
    package = package_of(plugin)
    if engine is None or package is None:
        return []
    return await run(engine, plugin.name, package)


async def is_behind(engine: Engine | None, plugin: Loaded) -> bool:
    """Whether the plugin's data waits for migrations; NewerDatabase or MigrationError as `pending` says."""
    package = package_of(plugin)
    if engine is None or package is None:
        return False
    return bool(await pending(engine, plugin.name, package))


def reason_of(error: Exception) -> Reason:
    """Return why a plugin cannot run with its data; errors of the database itself are raised again."""
    if isinstance(error, DatabaseUnavailable | StorageFull):
        raise error
    if isinstance(error, NewerDatabase):
        return Reason("newer-data", {"error": str(error)})
    message = str(error) if isinstance(error, MigrationError) else told(error)
    return Reason("migration", {"error": message})
