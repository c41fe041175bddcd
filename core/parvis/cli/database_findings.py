"""What `parvis doctor` finds in the database, and through it of plugins and people."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from parvis.cli.findings import Finding, of_error
from parvis.cli.words import word
from parvis.config import Config, read_secret_key
from parvis.config import Phrase as _l  # noqa: N813
from parvis.errors import ParvisError

if TYPE_CHECKING:
    from parvis.data import Engine

# Seconds that the database server's clock may differ; sessions and links expire by it.
CLOCK_DRIFT = 5.0


async def database_findings(config: Config) -> AsyncIterator[Finding]:
    """Yield what is found in the database and, when it can be used, about the plugins."""
    path = config.database.path
    if path is not None and not path.exists():
        yield Finding("ok", "database", _l("{file} is made at the first start.", file=path))
        return
    from parvis.data import open_engine

    engine = open_engine(config.database.absolute_url, pool_size=1)
    try:
        await engine.start()
    except (ParvisError, OSError) as error:
        yield of_error("database", error)
        return
    usable = True
    try:
        for look in (_engine, _schema):
            async for finding in look(engine, config):
                usable = usable and finding.level != "error"
                yield finding
    except Exception as error:
        yield of_error("database", error)
        usable = False
    finally:
        await engine.stop()
    if usable:
        async for finding in _open(config):
            yield finding


async def _engine(engine: Engine, config: Config) -> AsyncIterator[Finding]:
    if engine.dialect == "sqlite":
        mode = next(iter((await engine.fetch("PRAGMA journal_mode", []))[0].values()))
        if mode != "wal":
            yield Finding(
                "error",
                "database",
                _l("{file} is not in WAL mode ({mode}).", file=config.database.path, mode=mode),
                _l("Keep it on a local disk: network folders cannot hold a SQLite database."),
            )
        faults = [next(iter(row.values())) for row in await engine.fetch("PRAGMA quick_check(3)", [])]
        if faults != ["ok"]:
            yield Finding(
                "error",
                "database",
                _l(
                    "{file} is damaged: {detail}",
                    file=config.database.path,
                    detail="; ".join(map(str, faults)),
                ),
                _l("Stop the service and restore the last backup."),
            )
            return
        yield Finding("ok", "database", _l("SQLite at {file} is sound.", file=config.database.path))
        return
    row = (
        await engine.fetch(
            "SELECT current_setting('server_version') AS version, "
            "current_setting('server_encoding') AS encoding, "
            "extract(epoch FROM clock_timestamp())::float8 AS now",
            [],
        )
    )[0]
    if row["encoding"] != "UTF8":
        yield Finding(
            "error",
            "database",
            _l("The database's encoding is {encoding}.", encoding=row["encoding"]),
            _l("Make it anew with: createdb --encoding UTF8"),
        )
    drift = abs(row["now"] - time.time())
    if drift > CLOCK_DRIFT:
        yield Finding(
            "warning",
            "clock",
            _l("The database's clock differs by {seconds} s.", seconds=round(drift)),
            _l("Let both machines follow the same time server."),
        )
    yield Finding(
        "ok",
        "database",
        _l("PostgreSQL {version} at {url} answers.", version=row["version"], url=config.database.shown_url),
    )


async def _schema(engine: Engine, config: Config) -> AsyncIterator[Finding]:
    from parvis.cli.database import CORE, CORE_MIGRATIONS
    from parvis.data.migrations import applied, pending

    waiting = await pending(engine, CORE, CORE_MIGRATIONS)
    if not await applied(engine, CORE):
        yield Finding(
            "warning", "migrations", _l("The database is empty."), _l("The first start makes the tables.")
        )
    elif waiting:
        yield Finding(
            "error",
            "migrations",
            _l("Changes of the schema that wait: {count}", count=len(waiting)),
            _l("Make a backup, then run: parvis migrate --dir {folder}", folder=config.directory),
        )
    else:
        yield Finding("ok", "migrations", _l("The database is up to date."))


async def _open(config: Config) -> AsyncIterator[Finding]:
    """Open the instance as the server does and look at its plugins and people."""
    from parvis.cli.say import language

    try:
        from parvis.app import open_site
        from parvis.people.tables import Member
        from parvis.services.i18n import use_locale

        async with open_site(_with_key(config)) as site:
            use_locale(language(), config.site.time_zone)
            for plugin in await site.plugins.describe():
                yield _of_plugin(plugin)
            if not await Member.administrators_beside(0):
                yield Finding(
                    "warning",
                    "members",
                    _l("Nobody can administer the site."),
                    _l("Add somebody: parvis member add --role administrator --email ADDRESS"),
                )
            if site.config.secret_key:
                yield await _audit()
    except Exception as error:
        yield of_error("plugins", error)


def _with_key(config: Config) -> Config:
    """Return the configuration with the secret key, or without when it is at fault, which was found before."""
    try:
        return replace(config, secret_key=read_secret_key(config.directory))
    except ParvisError:
        return config


async def _audit() -> Finding:
    """Verify the whole audit trail; its last hash, noted elsewhere, shows later whether rows were cut off."""
    from parvis.services.audit import head, verify

    changed = await verify()
    if changed is not None:
        return Finding(
            "error",
            "audit",
            _l("The audit trail is not as it was written, from entry {number} on.", number=changed),
            _l("Compare it with a backup. After a change of the secret key, bring the former key back."),
        )
    number, digest = await head()
    if not number:
        return Finding("ok", "audit", _l("The audit trail has no entry yet."))
    return Finding(
        "ok",
        "audit",
        _l("The audit trail is unbroken up to entry {number}, {digest}.", number=number, digest=digest),
    )


def _of_plugin(plugin: Any) -> Finding:
    level = {"quarantined": "error", "suspended": "warning"}.get(str(plugin.state), "ok")
    return Finding(
        level,
        f"plugin {plugin.name}",
        " ".join(str(part) for part in (word(plugin.state), plugin.version, plugin.reason) if part),
        _l("See: parvis plugin show {name}", name=plugin.name) if level != "ok" else "",
    )
