"""Configuration of one instance: parvis.toml, secrets.toml and PARVIS_* variables, typed and checked."""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
import stat
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import quote, unquote, urlsplit
from zoneinfo import ZoneInfo

from parvis.errors import ConfigError

CONFIG_FILE = "parvis.toml"
SECRETS_FILE = "secrets.toml"
LANGUAGES = ("fr", "en")
LOG_LEVELS = ("debug", "info", "warning", "error")
LOG_FORMATS = ("text", "json")
LOOPBACK = ("127.0.0.1", "::1")
# Short names, and what other parts of the program read from the environment.
ALIASES = {"PARVIS_SAFE_MODE": ("plugins", "safe_mode")}
FOREIGN = ("PARVIS_DIR", "PARVIS_LANG", "PARVIS_SECRET_KEY", "PARVIS_TEST_", "PARVIS_BENCH_")
SECRET_BYTES = 32
_HOST = re.compile(r"(?!-)[A-Za-z0-9.-]{1,253}(?<![-.])")
_LIMIT = re.compile(r"(\d{1,6})\s*/\s*(\d{0,6})\s*([smhd]?)")
_UNIT = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


class Phrase:
    """An English message with its values, put into the reader's language by whoever shows it.

    Configuration stands below the translation service, so it cannot call gettext; `str()` gives English.
    """

    __slots__ = ("msgid", "values")

    def __init__(self, msgid: str, **values: object) -> None:
        self.msgid = msgid
        self.values = values

    def translated(self, translate: Callable[[str], str]) -> str:
        """Return the message through `translate`, values that are phrases themselves included."""
        values = {
            name: value.translated(translate) if isinstance(value, Phrase) else value
            for name, value in self.values.items()
        }
        return translate(self.msgid).format_map(values)

    def __str__(self) -> str:
        return self.translated(str)


_l = Phrase


@dataclass(frozen=True, slots=True)
class SiteSection:
    """What the community is called and how it speaks; `url` is its public address, no slash at the end."""

    name: str = "Parvis"
    tagline: str = ""
    url: str = "http://localhost:8000"
    language: str = "fr"
    time_zone: str = "Europe/Paris"
    theme: str = "default"


@dataclass(frozen=True, slots=True)
class ServerSection:
    """Where the web server listens, and whom it believes and answers."""

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    # Addresses or networks whose X-Forwarded-* headers are believed.
    trusted_proxies: tuple[str, ...] = LOOPBACK
    # Host names that are answered; empty in the file: the name in site.url and this machine's own.
    allowed_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DatabaseSection:
    """Which database; a relative SQLite path starts at the instance folder. The URL may hold a password."""

    url: str = field(default="sqlite:///data/parvis.db", repr=False)
    # Connections a process keeps open to PostgreSQL at most.
    pool_size: int = 10
    absolute_url: str = field(default="", repr=False)

    @property
    def is_sqlite(self) -> bool:
        """Whether the embedded engine is used."""
        return self.url.startswith("sqlite:")

    @property
    def path(self) -> Path | None:
        """The database file of SQLite; None on PostgreSQL."""
        return Path(unquote(self.absolute_url.removeprefix("sqlite://"))) if self.is_sqlite else None

    @property
    def shown_url(self) -> str:
        """The URL with its password masked, for people and logs."""
        return masked(self.absolute_url or self.url)


@dataclass(frozen=True, slots=True)
class FilesSection:
    """Where uploads are kept and how large they may be; MB of 1,000,000 bytes, a quota of 0 is none."""

    folder: str = "data/files"
    max_upload_mb: int = 50
    member_quota_mb: int = 0
    absolute_folder: Path = Path()


@dataclass(frozen=True, slots=True)
class PluginsSection:
    """How plugins start; safe mode starts the core alone."""

    safe_mode: bool = False


@dataclass(frozen=True, slots=True)
class LogSection:
    """How much is logged, and whether for people (text) or machines (json)."""

    level: str = "info"
    format: str = "text"


@dataclass(frozen=True, slots=True)
class LimitOverride:
    """A rate limit set by the instance: `count` actions in `seconds`; a count of 0 switches the limit off."""

    count: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Config:
    """Everything an instance is told from outside, checked; made by `load_config`."""

    directory: Path
    site: SiteSection = SiteSection()
    server: ServerSection = ServerSection()
    database: DatabaseSection = DatabaseSection()
    files: FilesSection = FilesSection()
    plugins: PluginsSection = PluginsSection()
    log: LogSection = LogSection()
    # Action name -> limit, where the instance differs from the program's defaults.
    limits: Mapping[str, LimitOverride] = field(default_factory=dict)
    # Signs cookies and tokens; 32 bytes or more, from secrets.toml.
    secret_key: bytes = field(default=b"", repr=False)


SECTIONS: dict[str, type] = {
    "site": SiteSection,
    "server": ServerSection,
    "database": DatabaseSection,
    "files": FilesSection,
    "plugins": PluginsSection,
    "log": LogSection,
}
# Worked out from others, so nobody sets them.
DERIVED = frozenset({"absolute_url", "absolute_folder"})


def keys_of(section: str) -> dict[str, Any]:
    """Return the keys that may be set in a section with their types."""
    hints = get_type_hints(SECTIONS[section])
    return {item.name: hints[item.name] for item in fields(SECTIONS[section]) if item.name not in DERIVED}


@dataclass(frozen=True, slots=True)
class _Set:
    """A value as it was set, and the name of the place where it was."""

    where: str
    value: Any

    def shown(self) -> str:
        text = masked(self.value) if isinstance(self.value, str) else str(self.value)
        return f"{self.where} = {text!r}" if isinstance(self.value, str) else f"{self.where} = {text}"

    def refusal(self, problem: Phrase, remedy: Phrase) -> ConfigError:
        """Return the error that names this setting, what is wrong with it and what to write instead."""
        return ConfigError(_l("{setting}: {problem}", setting=self.shown(), problem=problem), remedy=remedy)


_Given = dict[str, dict[str, _Set]]


def load_config(
    directory: str | Path, environ: Mapping[str, str] = os.environ, *, secrets: bool = True
) -> Config:
    """Read and check an instance's configuration; variables win over the file.

    With `secrets=False` secrets.toml is not read and `secret_key` stays empty: for `doctor` and
    `config show`, which report what is wrong with it instead of ending there. Raises ConfigError.
    """
    directory = Path(directory).absolute()
    given = _from_file(directory)
    _from_environment(given, environ)
    parts = {name: _section(name, given.get(name, {})) for name in SECTIONS}
    _check(given, parts, directory)
    return Config(
        directory=directory,
        limits={name: _limit(item) for name, item in given.get("limits", {}).items()},
        secret_key=read_secret_key(directory, environ) if secrets else b"",
        **parts,
    )


def _from_file(directory: Path) -> _Given:
    """Read parvis.toml into sections of settings; unknown names are refused with the nearest known one."""
    document = _read_toml(directory, CONFIG_FILE)
    given: _Given = {}
    known = [*SECTIONS, "limits"]
    for name, body in document.items():
        if name not in known or not isinstance(body, dict):
            raise _unknown(f"{CONFIG_FILE}: {name}", name, [*known, *_every_key()])
        keys = None if name == "limits" else list(keys_of(name))
        for key, value in body.items():
            where = f"{CONFIG_FILE}: {name}.{key}"
            if keys is not None and key not in keys:
                raise _unknown(where, f"{name}.{key}", [f"{name}.{one}" for one in keys] + _every_key())
            given.setdefault(name, {})[key] = _Set(where, value)
    return given


def _read_toml(directory: Path, name: str) -> dict[str, Any]:
    path = directory / name
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            _l("There is no Parvis instance in {folder}: {file} is missing.", folder=directory, file=name),
            remedy=_l(
                "Make one with: parvis init {folder}. Or name the right folder with --dir.", folder=directory
            )
            if name == CONFIG_FILE
            else _l(
                "Bring it back from your backup, or make it anew with: parvis init {folder}", folder=directory
            ),
        ) from None
    except NotADirectoryError:
        raise ConfigError(
            _l("{folder} is not a folder.", folder=directory),
            remedy=_l("Name the instance's folder with --dir."),
        ) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(
            _l("{file} is not valid TOML: {detail}.", file=path, detail=str(error).rstrip(".")),
            remedy=_l('Mend that line; text stands in double quotes, for example: name = "Our company".'),
        ) from None
    except OSError as error:
        raise ConfigError(
            _l("{file} cannot be read: {detail}.", file=path, detail=error.strerror or error),
            remedy=_l("Make it readable for the user who runs Parvis."),
        ) from None


def _every_key() -> list[str]:
    return [f"{section}.{key}" for section in SECTIONS for key in keys_of(section)]


def _unknown(where: str, name: str, known: list[str]) -> ConfigError:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if not near:
        tail = name.rpartition(".")[2]
        near = [one for one in known if one.rpartition(".")[2] == tail][:1]
    return ConfigError(
        _l("{where} is not a setting of Parvis.", where=where),
        remedy=_l("Did you mean {name}?", name=near[0])
        if near
        else _l("Remove it; docs/configuration.md lists every setting."),
    )


def _from_environment(given: _Given, environ: Mapping[str, str]) -> None:
    """Lay PARVIS_<SECTION>_<KEY> variables over the file's settings; unknown ones are refused."""
    known = {
        f"PARVIS_{name.upper()}_{key.upper()}": (name, key) for name in SECTIONS for key in keys_of(name)
    }
    known.update(ALIASES)
    for variable in sorted(environ):
        if not variable.startswith("PARVIS_"):
            continue
        if variable in known:
            name, key = known[variable]
            given.setdefault(name, {})[key] = _Set(variable, environ[variable])
        elif variable.startswith("PARVIS_LIMITS_"):
            action = variable.removeprefix("PARVIS_LIMITS_").lower().replace("_", "-")
            given.setdefault("limits", {})[action] = _Set(variable, environ[variable])
        elif not variable.startswith(FOREIGN):
            raise _unknown(variable, variable, list(known))


def _section(name: str, given: Mapping[str, _Set]) -> Any:
    """Return a section's object with each value converted to its type."""
    types = keys_of(name)
    return SECTIONS[name](**{key: _typed(item, types[key]) for key, item in given.items()})


def _typed(item: _Set, kind: Any) -> Any:
    """Convert one value; variables are text, so numbers, switches and lists are read from it."""
    value = item.value
    text = value.strip() if isinstance(value, str) and not item.where.startswith(CONFIG_FILE) else None
    if kind is str and isinstance(value, str):
        return value
    if kind is bool:
        if isinstance(value, bool):
            return value
        if text is not None and text.lower() in ("1", "true", "yes", "on", "0", "false", "no", "off", ""):
            return text.lower() in ("1", "true", "yes", "on")
        raise item.refusal(_l("neither true nor false."), _l("Write true or false."))
    if kind in (int, float):
        if isinstance(value, kind | int) and not isinstance(value, bool):
            return kind(value)
        try:
            return kind(text if text is not None else "no")
        except ValueError:
            raise item.refusal(
                _l("not a number."), _l("Write a number without quotes, for example 8000.")
            ) from None
    if kind == tuple[str, ...]:
        if text is not None:
            return tuple(part.strip() for part in text.split(",") if part.strip())
        if isinstance(value, list) and all(isinstance(part, str) for part in value):
            return tuple(value)
        raise item.refusal(_l("not a list of texts."), _l('Write it like this: ["one", "two"].'))
    raise item.refusal(_l("not a text."), _l("Put it in double quotes."))


def _limit(item: _Set) -> LimitOverride:
    found = _LIMIT.fullmatch(item.value.strip()) if isinstance(item.value, str) else None
    if found is None:
        raise item.refusal(
            _l("not a limit."), _l('Write how many in how long, for example "10/5m" or "0/s" for none.')
        )
    return LimitOverride(int(found[1]), int(found[2] or 1) * _UNIT[found[3]])


def _check(given: _Given, parts: dict[str, Any], directory: Path) -> None:
    """Check what types cannot tell and fill in what is worked out from other settings; changes `parts`."""
    parts["site"] = _checked_site(given.get("site", {}), parts["site"])
    parts["server"] = _checked_server(given.get("server", {}), parts["server"], parts["site"].url)
    parts["database"] = _checked_database(given.get("database", {}), parts["database"], directory)
    parts["files"] = _checked_files(given.get("files", {}), parts["files"], directory)
    log, items = parts["log"], given.get("log", {})
    _one_of(items.get("level"), log.level, LOG_LEVELS)
    _one_of(items.get("format"), log.format, LOG_FORMATS)


def _one_of(item: _Set | None, value: str, allowed: tuple[str, ...]) -> None:
    if item is not None and value not in allowed:
        raise item.refusal(
            _l("not one of the choices."), _l("Choose one of: {names}.", names=", ".join(allowed))
        )


def _between(item: _Set | None, value: float, low: float, high: float) -> None:
    if item is not None and not low <= value <= high:
        raise item.refusal(
            _l("out of range."), _l("Choose a number from {low} to {high}.", low=low, high=high)
        )


def _checked_site(items: Mapping[str, _Set], site: SiteSection) -> SiteSection:
    _one_of(items.get("language"), site.language, LANGUAGES)
    if "name" in items and not 1 <= len(site.name.strip()) <= 80:
        raise items["name"].refusal(_l("a name has 1 to 80 characters."), _l("Give the community a name."))
    if "time_zone" in items and not is_time_zone(site.time_zone):
        raise items["time_zone"].refusal(
            _l("not a time zone of this machine."),
            _l("Write one like Europe/Paris; `timedatectl list-timezones` lists them."),
        )
    if "theme" in items and not re.fullmatch(r"[a-z][a-z0-9-]*", site.theme):
        raise items["theme"].refusal(
            _l("not a theme's name."), _l('Write "default", or the name of an installed theme.')
        )
    if "url" in items:
        problem = _url_problem(site.url)
        if problem is not None:
            raise items["url"].refusal(
                problem, _l("Write the address people type, for example https://community.example.com.")
            )
    return replace(site, url=site.url.rstrip("/"))


def _url_problem(url: str) -> Phrase | None:
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return _l("not a web address.")
    if parts.scheme not in ("http", "https") or not host or re.search(r"\s", url):
        return _l("not a web address.")
    if parts.username or parts.password:
        return _l("the public address holds no user name and no password.")
    if parts.path.strip("/") or parts.query or parts.fragment:
        return _l("Parvis answers at the root of a host name, not below a path.")
    return None


def _checked_server(items: Mapping[str, _Set], server: ServerSection, url: str) -> ServerSection:
    _between(items.get("port"), server.port, 1, 65535)
    _between(items.get("workers"), server.workers, 1, 64)
    if "host" in items and not is_host(server.host):
        raise items["host"].refusal(
            _l("not an address."), _l("Write 127.0.0.1 for this machine alone, 0.0.0.0 for every network.")
        )
    for proxy in server.trusted_proxies:
        try:
            ipaddress.ip_network(proxy, strict=False)
        except ValueError:
            raise items["trusted_proxies"].refusal(
                _l("“{value}” is not an address.", value=proxy),
                _l('Write addresses or networks, for example "10.0.0.0/8".'),
            ) from None
    for host in server.allowed_hosts:
        if host != "*" and not is_host(host.strip("[]")):
            raise items["allowed_hosts"].refusal(
                _l("“{value}” is not a host name.", value=host),
                _l("Write host names without https:// and without a port."),
            )
    return replace(server, allowed_hosts=server.allowed_hosts or _own_hosts(server.host, url))


def _own_hosts(listening: str, url: str) -> tuple[str, ...]:
    """Return the public name and this machine's own; IPv6 in brackets, as in a Host header."""
    public = urlsplit(url).hostname or ""
    names = [public, "localhost", "127.0.0.1", "::1"]
    if listening not in ("0.0.0.0", "::"):  # noqa: S104
        names.append(listening)
    return tuple(dict.fromkeys(f"[{name}]" if ":" in name else name.lower() for name in names if name))


def _checked_database(
    items: Mapping[str, _Set], database: DatabaseSection, directory: Path
) -> DatabaseSection:
    _between(items.get("pool_size"), database.pool_size, 1, 200)
    item = items.get("url") or _Set("database.url", database.url)
    url = database.url
    scheme = url.partition(":")[0]
    if scheme in ("postgresql", "postgres"):
        try:
            parts = urlsplit(url)
            complete = bool(parts.path.strip("/")) and (parts.port or 1) > 0
        except ValueError:
            complete = False
        if not complete:
            raise item.refusal(
                _l("not a complete PostgreSQL address."),
                _l("Write postgresql://user:password@host:5432/name."),
            )
        return replace(database, absolute_url="postgresql" + url[len(scheme) :])
    path = url.removeprefix("sqlite:///")
    if scheme != "sqlite" or path == url or not path:
        raise item.refusal(
            _l("not a database that Parvis knows."),
            _l("Write sqlite:///data/parvis.db, or postgresql://user:password@host:5432/name."),
        )
    file = directory / path
    if file.is_dir():
        raise item.refusal(
            _l("a folder, not a file."), _l("Name the database's file, for example data/parvis.db.")
        )
    return replace(database, absolute_url=f"sqlite://{quote(str(file))}")


def _checked_files(items: Mapping[str, _Set], files: FilesSection, directory: Path) -> FilesSection:
    _between(items.get("max_upload_mb"), files.max_upload_mb, 1, 100_000)
    _between(items.get("member_quota_mb"), files.member_quota_mb, 0, 100_000_000)
    folder = directory / files.folder
    if "folder" in items and (not files.folder.strip() or (folder.exists() and not folder.is_dir())):
        raise items["folder"].refusal(
            _l("not a folder."), _l("Name a folder; it is made when it is missing.")
        )
    return replace(files, absolute_folder=folder)


def is_host(text: str) -> bool:
    """Whether text is an IP address or a host name."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return _HOST.fullmatch(text) is not None
    return True


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def is_time_zone(name: str) -> bool:
    """Whether this machine's time zone data knows a name like Europe/Paris."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        return False
    return bool(name)


def masked(url: str) -> str:
    """Return a URL with stars for its password, even where the URL is malformed; other text as it is."""
    return re.sub(r"(?i)(password=)[^&]*", r"\1***", re.sub(r"(://[^:/@]*:).*@", r"\1***@", url))


def read_secret_key(directory: Path, environ: Mapping[str, str] = os.environ) -> bytes:
    """Return the key that signs cookies and tokens, from PARVIS_SECRET_KEY or secrets.toml.

    Raises ConfigError when it is missing, too short, or when other users of the machine can read the file.
    """
    value: object = environ.get("PARVIS_SECRET_KEY")
    where = "PARVIS_SECRET_KEY"
    if value is None:
        where = f"{SECRETS_FILE}: secret_key"
        problem = secrets_problem(directory)
        if problem is not None:
            raise problem
        value = _read_toml(directory, SECRETS_FILE).get("secret_key")
    if not isinstance(value, str) or len(value.encode()) < SECRET_BYTES:
        raise ConfigError(
            _l("{where} is missing or shorter than {count} characters.", where=where, count=SECRET_BYTES),
            remedy=_l("Bring it back from your backup, or make a new one: everybody signs in again then."),
        )
    return value.encode()


def secrets_problem(directory: Path) -> ConfigError | None:
    """Return what is wrong with who may read secrets.toml, or None; missing is found on reading."""
    path = directory / SECRETS_FILE
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return None
    if mode & 0o077 == 0:
        return None
    return ConfigError(
        _l(
            "{file}: other users of this machine can read the secrets (mode {mode:04o}).",
            file=path,
            mode=mode,
        ),
        remedy=_l("Run: chmod 600 {file}", file=path),
    )
