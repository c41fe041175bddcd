"""Runs commands in forks of a process that has loaded the program's libraries: most of a start is loading them.

Started by itself, it reads a request a line (JSON) and answers each with its exit code. What depends on the start
of the interpreter (PYTHONPATH, another account) is run as a program of its own instead: see conftest.run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


class Forked:
    """The process that forks, as its tests see it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def run(self, words: list[str], *, env: dict[str, str], cwd: str, out: Path, err: Path) -> int:
        """Run `parvis` with these words and return its exit code, negative for a signal."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {"words": words, "env": env, "cwd": cwd, "out": str(out), "err": str(err)}
        self._process.stdin.write(json.dumps(asked) + "\n")
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def _run(asked: dict[str, Any]) -> int:
    """Become the command: its files, its environment, its folder."""
    os.setsid()
    for number, flags, path in (
        (0, os.O_RDONLY, os.devnull),
        (1, os.O_WRONLY | os.O_CREAT, asked["out"]),
        (2, os.O_WRONLY | os.O_CREAT, asked["err"]),
    ):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(asked["env"])
    os.chdir(asked["cwd"])
    sys.argv = ["parvis", *asked["words"]]
    from parvis.cli import main

    try:
        code = main()  # type: ignore[func-returns-value]
    except SystemExit as end:
        code = end.code
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else int(bool(code))


def _serve() -> None:
    # Not the commands themselves: they choose their language when they are loaded.
    import parvis.app

    assert parvis.app
    assert "parvis.cli" not in sys.modules
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 70
            try:
                code = _run(json.loads(line))
            except BaseException:
                sys.excepthook(*sys.exc_info())
                code = 1
            finally:
                os._exit(code)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    _serve()
