"""What types cannot tell of settings, and what is worked out from them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from parvis.config.names import is_host, is_time_zone
from parvis.config.phrase import Phrase as _l  # noqa: N813
from parvis.config.reading import Given, GivenSections
from parvis.config.sections import (
    LANGUAGES,
    LOG_FORMATS,
    LOG_LEVELS,
    DatabaseSection,
    FilesSection,
    ServerSection,
    SiteSection,
)


def check(given: GivenSections, parts: dict[str, Any], directory: Path) -> None:
    """Check what types cannot tell and fill in what is worked out from other settings; changes `parts`."""
    parts["site"] = _checked_site(given.get("site", {}), parts["site"])
    parts["server"] = _checked_server(given.get("server", {}), parts["server"], parts["site"].url)
    parts["database"] = _checked_database(given.get("database", {}), parts["database"], directory)
    parts["files"] = _checked_files(given.get("files", {}), parts["files"], directory)
    log, items = parts["log"], given.get("log", {})
    _one_of(items.get("level"), log.level, LOG_LEVELS)
    _one_of(items.get("format"), log.format, LOG_FORMATS)


def _one_of(item: Given | None, value: str, allowed: tuple[str, ...]) -> None:
    if item is not None and value not in allowed:
        raise item.refusal(
            _l("not one of the choices."), _l("Choose one of: {names}.", names=", ".join(allowed))
        )


def _between(item: Given | None, value: float, low: float, high: float) -> None:
    if item is not None and not low <= value <= high:
        raise item.refusal(
            _l("out of range."), _l("Choose a number from {low} to {high}.", low=low, high=high)
        )


def _checked_site(items: Mapping[str, Given], site: SiteSection) -> SiteSection:
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


def _url_problem(url: str) -> _l | None:
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


def _checked_server(items: Mapping[str, Given], server: ServerSection, url: str) -> ServerSection:
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
    items: Mapping[str, Given], database: DatabaseSection, directory: Path
) -> DatabaseSection:
    _between(items.get("pool_size"), database.pool_size, 1, 200)
    item = items.get("url") or Given("database.url", database.url)
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


def _checked_files(items: Mapping[str, Given], files: FilesSection, directory: Path) -> FilesSection:
    _between(items.get("max_upload_mb"), files.max_upload_mb, 1, 100_000)
    _between(items.get("member_quota_mb"), files.member_quota_mb, 0, 100_000_000)
    folder = directory / files.folder
    if "folder" in items and (not files.folder.strip() or (folder.exists() and not folder.is_dir())):
        raise items["folder"].refusal(
            _l("not a folder."), _l("Name a folder; it is made when it is missing.")
        )
    return replace(files, absolute_folder=folder)
