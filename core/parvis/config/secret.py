"""The secret key of an instance, and who may read it."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from parvis.config.phrase import Phrase as _l  # noqa: N813
from parvis.config.reading import read_toml
from parvis.config.sections import SECRETS_FILE
from parvis.errors import ConfigError

SECRET_BYTES = 32


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
        value = read_toml(directory, SECRETS_FILE).get("secret_key")
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
