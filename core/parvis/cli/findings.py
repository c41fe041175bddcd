"""What `parvis doctor` looks at: from the files to the plugins, as far as the earlier findings let it."""

from __future__ import annotations

import logging
import os
import resource
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from parvis.config import CONFIG_FILE, Config, is_loopback, load_config, masked, read_secret_key
from parvis.config import Phrase as _l  # noqa: N813
from parvis.errors import ParvisError

MB = 1_000_000
# Below the first there is a warning, below the second writing will soon fail.
LITTLE_DISK, NO_DISK = 1000 * MB, 100 * MB
FEW_FILES = 4096


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
        return [of_error("configuration", error)]
    found = [Finding("ok", "configuration", _l("{file} is valid.", file=config.directory / CONFIG_FILE))]
    for part in (_secrets, _site, _clock, _files, _disk, _limits):
        found.extend(_guarded(part, config))
    from parvis.cli.database_findings import database_findings

    found.extend([finding async for finding in database_findings(config)])
    return found


def of_error(subject: str, error: BaseException, level: str = "error") -> Finding:
    """Return the finding that an error is."""
    from parvis.cli import problem_of

    # Shown with --traceback alone.
    logging.getLogger("parvis").warning("doctor met an error", exc_info=error)
    known = problem_of(error)
    remedy = known.remedy or _l("Look into the log of the service, and into the backups if data is damaged.")
    return Finding(level, subject, known.message or type(known).__name__, remedy)


def _guarded(part: Callable[[Config], Iterator[Finding]], config: Config) -> list[Finding]:
    """Run one part; a surprise in it is a finding, not the end of the examination."""
    try:
        return list(part(config))
    except (ParvisError, OSError) as error:
        return [of_error(part.__name__.strip("_"), error)]


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
