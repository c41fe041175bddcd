"""What can be wrong with a SQLite file, told to whoever runs the instance."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from parvis.config import Phrase as _l  # noqa: N813
from parvis.errors import DatabaseUnavailable

# The primary codes (https://sqlite.org/rescode.html) that blame the file, its disk or another program;
# the others blame the statement.
_FAULTS = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOTADB,
    }
)
_DAMAGED = "Could not decode to UTF-8"


def is_fault(error: sqlite3.Error) -> bool:
    """Whether the file cannot be used; False for a statement that is wrong or breaks a constraint."""
    # Damaged text carries no code: Python finds it, since only whole UTF-8 was ever written.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _FAULTS or _DAMAGED in str(error)


def rolled_back(path: str) -> DatabaseUnavailable:
    """Return the error for going on in a transaction that SQLite has taken back."""
    return DatabaseUnavailable(
        _l("The database {path} took back what was being saved after a fault.", path=path),
        remedy=_l("Check its disk, and run: parvis doctor"),
    )


def unavailable(error: BaseException, path: str) -> DatabaseUnavailable:
    """Return the error that tells an administrator what is wrong with a SQLite file and what to do."""
    text = str(error)
    folder = Path(path).parent
    if "locked" in text or "busy" in text:
        return DatabaseUnavailable(
            _l("The database {path} is locked by another program.", path=path),
            remedy=_l("Wait until it is done, or end the program that holds it."),
        )
    if "readonly" in text or "read-only" in text or isinstance(error, PermissionError):
        return DatabaseUnavailable(
            _l("The database {path} cannot be written.", path=path),
            remedy=_l("Give the account that runs Parvis write access to {folder}.", folder=folder),
        )
    if "full" in text or "No space" in text:
        return DatabaseUnavailable(
            _l("The disk that holds {path} is full.", path=path),
            remedy=_l("Make room; nothing that was saved is lost."),
        )
    if "unable to open" in text or isinstance(error, FileNotFoundError):
        return DatabaseUnavailable(
            _l("The database {path} cannot be opened.", path=path),
            remedy=_l("Check that the folder {folder} exists and is writable.", folder=folder),
        )
    if "not a database" in text or "malformed" in text or _DAMAGED in text:
        return DatabaseUnavailable(
            _l("The file {path} is not a usable database.", path=path),
            remedy=_l("Restore the last backup of the instance's folder."),
        )
    return DatabaseUnavailable(
        _l("The database {path} cannot be used: {detail}.", path=path, detail=text),
        remedy=_l("Check its disk, and run: parvis doctor"),
    )
