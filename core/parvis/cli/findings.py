"""What `parvis doctor` looks at: from the files to the plugins, as far as the earlier findings let it."""

from __future__ import annotations

import os
import resource
import shutil
import stat
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from parvis.config import CONFIG_FILE, Config, is_loopback, load_config, masked, read_secret_key
from parvis.config import Phrase as _l  # noqa: N813
from parvis.errors import ParvisError

if TYPE_CHECKING:
    from parvis.data import Engine

MB = 1_000_000
# Below the first there is a warning, below the second writing will soon fail.
LITTLE_DISK, NO_DISK = 1000 * MB, 100 * MB
FEW_FILES = 4096
# Seconds that the database server's clock may differ; sessions and links expire by it.
CLOCK_DRIFT = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: level ok, warning or error; what was found; what to do."""

    level: str
    subject: str
    message: object
    remedy: object = ""


async def examine(directory: str) -> list[Finding]:
    """Look at everything; later parts are left out when they cannot be reached."""
    try:
        config = load_config(directory, secrets=False)
    except ParvisError as error:
        return [_of_error("configuration", error)]
    found = [Finding("ok", "configuration", _l("{file} is valid.", file=config.directory / CONFIG_FILE))]
    for part in (_secrets, _site, _clock, _files, _disk, _limits):
        found.extend(_guarded(part, config))
    found.extend([finding async for finding in _database(config)])
    return found


def _of_error(subject: str, error: BaseException, level: str = "error") -> Finding:
    from parvis.cli import explained

    if isinstance(error, ParvisError):
        return Finding(level, subject, error.message or type(error).__name__, error.remedy)
    return Finding(level, subject, explained(error))


def _guarded(part: Callable[[Config], Iterator[Finding]], config: Config) -> list[Finding]:
    """Run one part; a surprise in it is a finding, not the end of the examination."""
    try:
        return list(part(config))
    except (ParvisError, OSError) as error:
        return [_of_error(part.__name__.strip("_"), error)]


def _secrets(config: Config) -> Iterator[Finding]:
    read_secret_key(config.directory)
    yield Finding("ok", "secrets", _l("The secret key is there, for this account alone."))
    file = config.directory / CONFIG_FILE
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o007 and "://" in file.read_text(encoding="utf-8") and _password_in(file):
        yield Finding(
            "warning",
            "secrets",
            _l("{file} holds the database's password and every user of this machine can read it.", file=file),
            _l("Run: chmod 640 {file}", file=file),
        )


def _password_in(file: Path) -> bool:
    import tomllib

    url = str(tomllib.loads(file.read_text(encoding="utf-8")).get("database", {}).get("url", ""))
    return masked(url) != url


def _site(config: Config) -> Iterator[Finding]:
    parts = urlsplit(config.site.url)
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        yield Finding(
            "warning",
            "site",
            _l("{url} is not encrypted: passwords can be read on the way.", url=config.site.url),
            _l("Put a proxy with HTTPS in front and write https:// in site.url; docs/install.md shows how."),
        )
    elif not is_loopback(config.server.host) and parts.scheme == "http":
        yield Finding(
            "warning",
            "site",
            _l("The server listens at {host}, beyond this machine.", host=config.server.host),
            _l("Set server.host to 127.0.0.1 unless a proxy on another machine needs it."),
        )
    else:
        yield Finding("ok", "site", _l("Members come to {url}.", url=config.site.url))
    if config.database.is_sqlite and config.server.workers > 1:
        yield Finding(
            "warning",
            "server",
            _l(
                "{count} web processes share one SQLite file and take turns to write.",
                count=config.server.workers,
            ),
            _l("Set server.workers to 1, or move to PostgreSQL."),
        )


def _clock(config: Config) -> Iterator[Finding]:
    import parvis

    newest = Path(parvis.__file__).stat().st_mtime
    if time.time() < newest - 86_400:
        yield Finding(
            "error",
            "clock",
            _l("This machine's clock stands at {now}, before the program was installed.", now=time.ctime()),
            _l("Set the clock, for example with: timedatectl set-ntp true"),
        )
    else:
        yield Finding("ok", "clock", _l("Time zone {zone}.", zone=config.site.time_zone))


def _files(config: Config) -> Iterator[Finding]:
    folder = config.files.absolute_folder
    if not folder.exists():
        yield Finding("ok", "files", _l("{folder} is made at the first start.", folder=folder))
        return
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as trial:
            trial.write(b"x" * 4096)
            trial.flush()
            os.fsync(trial.fileno())
    except OSError as error:
        yield Finding(
            "error",
            "files",
            _l("{folder} cannot be written: {detail}.", folder=folder, detail=error.strerror or error),
            _l("Make it writable for the account that runs Parvis, and see that the disk is not full."),
        )
        return
    yield Finding("ok", "files", _l("{folder} can be written.", folder=folder))


def _disk(config: Config) -> Iterator[Finding]:
    seen: set[int] = set()
    for folder in (config.directory, config.files.absolute_folder, config.database.path):
        while folder is not None and not folder.exists():
            folder = folder.parent
        if folder is None or folder.stat().st_dev in seen:
            continue
        seen.add(folder.stat().st_dev)
        free = shutil.disk_usage(folder).free
        level = "error" if free < NO_DISK else "warning" if free < LITTLE_DISK else "ok"
        yield Finding(
            level,
            "disk",
            _l("{free} MB are free at {folder}.", free=free // MB, folder=folder),
            _l("Make room, or move the instance to a larger disk.") if level != "ok" else "",
        )


def _limits(config: Config) -> Iterator[Finding]:
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < FEW_FILES:
        yield Finding(
            "warning",
            "limits",
            _l("This account may open {count} files; each open page takes a connection.", count=soft),
            _l("Raise the limit: LimitNOFILE=65536 in the service, or ulimit -n 65536."),
        )


async def _database(config: Config) -> AsyncIterator[Finding]:
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
        yield _of_error("database", error)
        return
    usable = True
    try:
        for look in (_engine, _schema):
            async for finding in look(engine, config):
                usable = usable and finding.level != "error"
                yield finding
    except Exception as error:
        yield _of_error("database", error)
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

        async with open_site(config) as site:
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
    except Exception as error:
        yield _of_error("plugins", error)


def _of_plugin(plugin: Any) -> Finding:
    level = {"quarantined": "error", "suspended": "warning"}.get(str(plugin.state), "ok")
    return Finding(
        level,
        f"plugin {plugin.name}",
        " ".join(str(part) for part in (plugin.state, plugin.version, plugin.reason) if part),
        _l("See: parvis plugin show {name}", name=plugin.name) if level != "ok" else "",
    )
