"""The database before anything is served: made when it is new, refused while changes of its schema wait."""

from __future__ import annotations

from parvis.config import Config
from parvis.config import Phrase as _l  # noqa: N813
from parvis.errors import ParvisError

CORE = "core"
CORE_MIGRATIONS = "parvis.data.migrations"


class MigrationsPending(ParvisError):
    """The database is older than the program and is not changed without being asked."""


async def prepare_database(config: Config, *, migrate: bool) -> list[str]:
    """Make the folders and, in a fresh database, the tables; return the migrations that ran.

    A database with pending migrations is changed only with `migrate`, else MigrationsPending is raised.
    Raises NewerDatabase and DatabaseUnavailable as the engine finds them.
    """
    from parvis.data import open_engine
    from parvis.data.migrations import applied, pending
    from parvis.data.migrations import migrate as run

    make_folders(config)
    engine = open_engine(config.database.absolute_url, pool_size=1)
    await engine.start()
    try:
        waiting = await pending(engine, CORE, CORE_MIGRATIONS)
        if not waiting:
            return []
        if await applied(engine, CORE) and not migrate:
            raise MigrationsPending(
                _l(
                    "The database is older than this program; changes of its schema that wait: {count}.",
                    count=len(waiting),
                ),
                remedy=_l("Make a backup, then run: parvis migrate --dir {folder}", folder=config.directory),
            )
        return await run(engine, CORE, CORE_MIGRATIONS)
    finally:
        await engine.stop()


def make_folders(config: Config) -> None:
    """Make the folders of the database file and the uploads where they are missing, closed to other users."""
    if config.database.path is not None:
        config.database.path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    config.files.absolute_folder.mkdir(mode=0o750, parents=True, exist_ok=True)


async def migrate_all(config: Config) -> dict[str, list[str]]:
    """Run what is pending in the core, then in each plugin that is on; return the ids by application."""
    ran = {CORE: await prepare_database(config, migrate=True)}
    from parvis.app import open_site

    async with open_site(config) as site:
        ran.update(await site.plugins.migrate())
    return {app: steps for app, steps in ran.items() if steps}


async def pending_everywhere(config: Config) -> dict[str, list[str]]:
    """Return the ids of what is pending in the core, and the names of plugins whose data waits, by application.

    Plugins are looked at when the core is up to date: they stand on its tables.
    """
    from parvis.data import open_engine
    from parvis.data.migrations import pending

    make_folders(config)
    engine = open_engine(config.database.absolute_url, pool_size=1)
    await engine.start()
    try:
        waiting = [step.id for step in await pending(engine, CORE, CORE_MIGRATIONS)]
    finally:
        await engine.stop()
    if waiting:
        return {CORE: waiting}
    from parvis.app import open_site

    async with open_site(config) as site:
        return {name: ["*"] for name in sorted(site.plugins.needs_update)}
