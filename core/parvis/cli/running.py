"""The server that runs on an instance: found by its process id, told to take new code."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from parvis.config import Config

PID_FILE = "parvis.pid"


def write_pid(config: Config) -> None:
    """Note which process serves the instance."""
    (config.directory / PID_FILE).write_text(f"{os.getpid()}\n", encoding="ascii")


def drop_pid(config: Config) -> None:
    """Forget the note, if it is still about this process."""
    if _noted(config) == os.getpid():
        (config.directory / PID_FILE).unlink(missing_ok=True)


def running_server(config: Config) -> int | None:
    """Return the process id of the server on this instance, or None; a note left by a crash is not believed."""
    pid = _noted(config)
    if pid is None:
        return None
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return None
    return pid if any(Path(os.fsdecode(word)).name == "parvis" for word in words if word) else None


def reload_server(config: Config) -> bool:
    """Let the running server replace its workers, which read new code; return whether there is one."""
    pid = running_server(config)
    if pid is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGHUP)
    return True


def _noted(config: Config) -> int | None:
    try:
        return int((config.directory / PID_FILE).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
