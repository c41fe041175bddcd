"""A note on disk for the next start: this plugin's code had to be ended together with its process.

The database is out of reach then: the loop stands still, and it may hold the only writer.
"""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from parvis.data import SQLiteEngine
from parvis.plugins.reasons import Reason

if TYPE_CHECKING:
    from parvis.data import Engine

log = logging.getLogger("parvis.plugins")
_SUFFIX = ".suspended"


class Marks:
    """Files `<plugin>.suspended` in one folder, each with its reason; without a folder nothing is remembered."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._taken: list[Path] = []

    @classmethod
    def of(cls, engine: Engine | None, folder: Path | None) -> Marks:
        """Return the marks in `folder`, or else beside an SQLite database."""
        if folder is None and isinstance(engine, SQLiteEngine):
            folder = Path(engine.path).parent
        return cls(folder)

    def leave(self, plugin: str, reason: Reason) -> None:
        """Write a mark; whole or not at all, and on disk before this returns."""
        if self._folder is None:
            return
        path = self._folder / f"{plugin}{_SUFFIX}"
        fresh = path.with_suffix(".new")
        try:
            with fresh.open("w", encoding="utf-8") as file:
                file.write(reason.dump())
                file.flush()
                os.fsync(file.fileno())
            fresh.rename(path)
        except OSError as error:
            log.error("plugin %s could not be marked as suspended in %s: %s", plugin, self._folder, error)

    def take(self) -> dict[str, Reason]:
        """Return the marks left so far; they stay until `forget`, so that a crash in between loses none."""
        found = {}
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")) if self._folder is not None else ():
            with contextlib.suppress(OSError, ValueError, TypeError):
                if reason := Reason.load(path.read_text(encoding="utf-8")):
                    found[path.name.removesuffix(_SUFFIX)] = reason
            self._taken.append(path)
        return found

    def forget(self) -> None:
        """Remove the marks that `take` returned, which are in the database now."""
        for path in self._taken:
            path.unlink(missing_ok=True)
        self._taken.clear()
