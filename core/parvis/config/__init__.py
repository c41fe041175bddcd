"""Configuration of one instance: parvis.toml, secrets.toml and PARVIS_* variables, typed and checked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from parvis.config.checking import check
from parvis.config.names import is_host, is_loopback, is_time_zone, masked
from parvis.config.phrase import Phrase
from parvis.config.reading import GivenSections, from_environment, from_file, limit, section_of
from parvis.config.secret import read_secret_key, secrets_problem
from parvis.config.sections import (
    CONFIG_FILE,
    DERIVED,
    LANGUAGES,
    SECRETS_FILE,
    SECTIONS,
    Config,
    DatabaseSection,
    FilesSection,
    LimitOverride,
    LogSection,
    PluginsSection,
    ServerSection,
    SiteSection,
)

__all__ = (
    "CONFIG_FILE",
    "DERIVED",
    "LANGUAGES",
    "SECRETS_FILE",
    "SECTIONS",
    "Config",
    "DatabaseSection",
    "FilesSection",
    "LimitOverride",
    "LogSection",
    "Phrase",
    "PluginsSection",
    "ServerSection",
    "SiteSection",
    "check_settings",
    "is_host",
    "is_loopback",
    "is_time_zone",
    "load_config",
    "masked",
    "read_secret_key",
    "secrets_problem",
)


def load_config(
    directory: str | Path, environ: Mapping[str, str] = os.environ, *, secrets: bool = True
) -> Config:
    """Read and check an instance's configuration; variables win over the file.

    With `secrets=False` secrets.toml is not read and `secret_key` stays empty: for `doctor` and
    `config show`, which report what is wrong with it instead of ending there. Raises ConfigError.
    """
    directory = Path(directory).absolute()
    given = from_file(directory)
    from_environment(given, environ)
    parts = {name: section_of(name, given.get(name, {})) for name in SECTIONS}
    check(given, parts, directory)
    return Config(
        directory=directory,
        limits={name: limit(item) for name, item in given.get("limits", {}).items()},
        secret_key=read_secret_key(directory, environ) if secrets else b"",
        **parts,
    )


def check_settings(environ: Mapping[str, str]) -> None:
    """Check the PARVIS_* variables alone, before there is an instance. Raises ConfigError."""
    given: GivenSections = {}
    from_environment(given, environ)
    check(given, {name: section_of(name, given.get(name, {})) for name in SECTIONS}, Path())
