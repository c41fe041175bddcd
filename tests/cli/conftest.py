"""The `parvis` command as people run it: a process of its own, in a folder of its own, on a free port."""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .forked import Forked

PARVIS = Path(sys.executable).parent / "parvis"


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PARVIS_")}
    if kept.pop("PYTHONDONTWRITEBYTECODE", ""):
        # Installed programs find their modules compiled; without, each of the many starts here takes seconds.
        kept["PYTHONPYCACHEPREFIX"] = _compiled()
    return {**kept, "PARVIS_LANG": "en", **more}


@functools.cache
def _compiled() -> str:
    folder = tempfile.mkdtemp(prefix="parvis-compiled-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@dataclass
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def line(self) -> str:
        """The one line of an error; a traceback or a second line fails the test."""
        assert self.err.count("\n") == 1, self.err
        assert "Traceback" not in self.err
        assert self.err.startswith("parvis: ")
        return self.err.strip()


def run(
    *words: str | Path,
    env: dict[str, str] | None = None,
    before: tuple[str, ...] = (),
    cwd: Path | None = None,
) -> Done:
    full = environment(**(env or {}))
    # What is told to the interpreter, or to what runs before it, needs a start of its own.
    if before or any(name.startswith("PYTHON") for name in env or ()):
        command = [*before, str(PARVIS), *map(str, words)]
        done = subprocess.run(command, env=full, cwd=cwd, capture_output=True, text=True, timeout=120)
        return Done(done.returncode, done.stdout, done.stderr)
    with tempfile.TemporaryDirectory(prefix="parvis-said-") as name:
        out, err = Path(name, "out"), Path(name, "err")
        code = _forked().run([*map(str, words)], env=full, cwd=str(cwd or Path.cwd()), out=out, err=err)
        return Done(code, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))


@functools.cache
def _forked() -> Forked:
    forked = Forked()
    atexit.register(forked.close)
    return forked


@pytest.fixture
def parvis() -> Callable[..., Done]:
    """Run the command and return how it ended and what it said."""
    return run


@pytest.fixture
def in_full() -> Callable[..., tuple[list[str], dict[str, str]]]:
    """Return the words and the environment that `parvis` would run with."""

    def full(*words: str | Path, env: dict[str, str]) -> tuple[list[str], dict[str, str]]:
        return [str(PARVIS), *map(str, words)], environment(**env)

    return full


@pytest.fixture
def install(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Install a plugin made of the source of its plugin.py; return the environment in which it is installed.

    One named `feeds` takes the place of the real one, as the package that came first.
    """
    folder = tmp_path / "site-packages"

    def installed(name: str, source: str) -> dict[str, str]:
        package = folder / f"parvis_{name}_sample"
        about = folder / f"parvis_{name}-9.0.dist-info"
        for made in (package, about):
            made.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").touch()
        (package / "plugin.py").write_text(textwrap.dedent(source))
        (about / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: parvis-{name}\nVersion: 9.0\nSummary: A sample.\n"
            "Requires-Dist: parvis-core>=0.1,<1\n"
        )
        (about / "entry_points.txt").write_text(f"[parvis.plugins]\n{name} = {package.name}.plugin\n")
        return {"PYTHONPATH": str(folder)}

    return installed


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    folder = tmp_path / "instance"
    done = run("init", folder, "--name", "Our company", "--language", "en")
    assert done.code == 0, done.err
    return folder


@pytest.fixture
def port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class Server:
    """A running `parvis serve` or `parvis demo`; what it prints is kept in files."""

    def __init__(self, folder: Path, words: list[str], port: int, env: dict[str, str] | None = None) -> None:
        self.port = port
        self.out, self.err = folder / "out.txt", folder / "err.txt"
        with self.out.open("w") as out, self.err.open("w") as err:
            self.process = subprocess.Popen(
                [str(PARVIS), *words],
                env=environment(**(env or {})),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                # A group of its own, as a shell gives it: Ctrl-C reaches all of it.
                start_new_session=True,
            )

    def wait_for(self, text: str, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if text in self.out.read_text():
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"{text!r} never came: {self.out.read_text()} {self.err.read_text()}")

    def get(self, path: str) -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return int(answer.status)

    def family(self) -> list[int]:
        """Every process of the group that is alive, the supervisor first."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[2]) == self.process.pid and fields[0] != "Z":
                    found.append(int(entry.name))
        return sorted(found, key=lambda pid: (pid != self.process.pid, pid))

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=30)

    def wait_until_gone(self, seconds: float = 15) -> None:
        end = time.monotonic() + seconds
        while self.family() and time.monotonic() < end:
            time.sleep(0.05)
        assert self.family() == []


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Any]:
    servers: list[Server] = []

    def begin(*words: str | Path, port: int, env: dict[str, str] | None = None) -> Server:
        folder = tmp_path / f"server-{len(servers)}"
        folder.mkdir()
        servers.append(Server(folder, [*map(str, words), "--port", str(port)], port, env))
        return servers[-1]

    yield begin
    for server in servers:
        for pid in server.family():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        server.process.wait()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0755", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("this machine lets nobody mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def powerless() -> tuple[str, ...]:
    """Return the words that run a command as root without root's power: what is somebody else's is closed to it.

    Another account would not do: the program itself may lie in a folder that only root may open.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None or os.geteuid() != 0:
        pytest.skip("needs root and setpriv")
    words = (setpriv, "--bounding-set=-all", "--inh-caps=-all", "--")
    if subprocess.run([*words, shutil.which("true") or "true"], capture_output=True).returncode != 0:
        pytest.skip("setpriv is not allowed here")
    return words


@pytest.fixture
def give_away() -> Callable[[Path], None]:
    """Give a file or folder to nobody."""
    nobody = pwd.getpwnam("nobody")
    return lambda path: os.chown(path, nobody.pw_uid, nobody.pw_gid)


@pytest.fixture
def newer_program(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which the program has one migration of the core more."""
    more = tmp_path / "more"
    more.mkdir()
    (more / "m0002.py").write_text(
        "async def forwards(schema):\n    await schema.execute('CREATE TABLE grown (id INTEGER PRIMARY KEY)')\n"
    )
    (tmp_path / "sitecustomize.py").write_text(
        f"import parvis.data.migrations\nparvis.data.migrations.__path__.append({str(more)!r})\n"
    )
    return {"PYTHONPATH": str(tmp_path)}
