"""Servers under measure: started on free ports, their processor time and memory read from /proc."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from parvis.testing import free_port

TICK = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Server:
    """A running server and the processes below it."""

    process: subprocess.Popen[bytes]
    port: int
    started_cpu: float = 0.0

    def family(self) -> list[int]:
        """Return the ids of the process and of everything it started."""
        found, waiting = [], [self.process.pid]
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                try:
                    waiting += [int(child) for child in task.read_text().split()]
                except (FileNotFoundError, ProcessLookupError):
                    continue
        return found

    def cpu(self) -> float:
        """Return the processor seconds used so far, user and system, by the whole family."""
        total = 0
        for pid in self.family():
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            total += int(fields[11]) + int(fields[12])
        return total / TICK

    def pss(self) -> float:
        """Return the proportional memory of the whole family in MB of 1,000,000 bytes."""
        total = 0
        for pid in self.family():
            try:
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
                continue
            for line in lines:
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        return total / 1e6

    def stop(self) -> None:
        """End the server and wait for it."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)


@contextmanager
def parvis(folder: Path, *, workers: int = 1) -> Iterator[Server]:
    """Run `parvis serve` until the first 200, and afterwards as long as the block."""
    port = free_port()
    command = [
        str(Path(sys.executable).with_name("parvis")),
        "serve",
        "--dir",
        str(folder),
        "--port",
        str(port),
        "--workers",
        str(workers),
    ]
    with _run(command, port, "/sign-in", {}) as server:
        yield server


@contextmanager
def bare(body: Path) -> Iterator[Server]:
    """Run the bare handler with the same server and settings."""
    port = free_port()
    command = [
        sys.executable, "-m", "granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1", "--loop", "uvloop", "--backlog", "4096", "--backpressure", "20000", "--no-ws",
        "bench.bare:app",
    ]  # fmt: skip
    with _run(command, port, "/", {"PARVIS_BENCH_BODY": str(body)}) as server:
        yield server


LOG = Path(tempfile.gettempdir()) / f"parvis-bench-{os.getpid()}.log"


def _log() -> IO[bytes]:
    """Return where a server's words go, to be read when it ends too early."""
    return LOG.open("ab")


@contextmanager
def _run(command: list[str], port: int, path: str, more: dict[str, str]) -> Iterator[Server]:
    process = subprocess.Popen(
        command,
        env={**os.environ, **more},
        stdout=_log(),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    server = Server(process, port)
    try:
        asyncio.run(_answers(process, port, path))
        server.started_cpu = server.cpu()
        yield server
    finally:
        if process.poll() is None:
            server.stop()


async def _answers(process: subprocess.Popen[bytes], port: int, path: str) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}: {LOG.read_text()[-2000:]}")
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
            continue
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        line = await reader.readline()
        writer.close()
        if b" 200 " in line:
            return
        await asyncio.sleep(0.05)
    raise RuntimeError("the server did not answer 200 within 60 s")
