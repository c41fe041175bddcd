"""A worker of the web server: how its process is waited for, and how it tells that it serves or why it does not."""

# Granian carries no annotations at these methods.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

from granian.server.mp import WorkerProcess

READY = b"+"
FAILED = b"-"


class WebWorker(WorkerProcess):
    """A worker whose end is unexpected only after it was ready; before that, its own report tells why."""

    is_ready = False
    _watching: threading.Thread

    def _watch(self) -> None:
        self._watching = threading.Thread(target=self._watcher)
        self._watching.start()

    # One thread alone waits for the process: of two, one is told by the system that there is no such child, and
    # takes the process for alive until the other has noted its end.

    def join(self, timeout: float | None = None) -> None:
        """Wait until the process has ended, for `timeout` seconds at most."""
        self._watching.join(timeout)

    def is_alive(self) -> bool:
        """Whether the process still runs."""
        return self._watching.is_alive()

    def _watcher(self) -> None:
        self.inner.join()
        if self.is_ready and not self.interrupt_by_parent:
            supervisor: Any = self.parent
            supervisor.crashes.append(time.monotonic())
            self.parent.interrupt_children.append(self.idx)
            self.parent.main_loop_interrupt.set()


class Reporting:
    """The application, telling the supervisor when its lifespan has begun or why it could not."""

    def __init__(self, app: Any, report: int, life: int) -> None:
        self._app = app
        self._report = report
        self._life = life

    def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        """Answer one ASGI scope."""
        if scope["type"] == "lifespan":
            return self._lifespan(scope, receive, send)
        return self._app(scope, receive, send)

    async def _lifespan(self, scope: Any, receive: Any, send: Any) -> None:
        import asyncio

        async def reporting(message: Any) -> None:
            if message["type"] == "lifespan.startup.failed":
                report_failure(self._report, message.get("message", ""))
                # Granian would print the failure a second time, with a traceback.
                os._exit(1)
            if message["type"] == "lifespan.startup.complete":
                loop = asyncio.get_running_loop()
                loop.add_reader(self._life, self._orphaned, loop)
                # The socket opens right after this message: tell a moment later.
                loop.call_later(0.02, self._tell_ready)
            await send(message)

        await self._app(scope, receive, reporting)

    def _tell_ready(self) -> None:
        os.write(self._report, READY)
        os.close(self._report)

    def _orphaned(self, loop: Any) -> None:
        loop.remove_reader(self._life)
        os.kill(os.getpid(), signal.SIGTERM)


def report_failure(pipe: int, problem: object) -> None:
    """Tell the supervisor why this worker does not start, in the language of the command."""
    from parvis.cli.say import told

    os.write(pipe, FAILED + told(problem).encode())


__all__ = ("FAILED", "READY", "Reporting", "WebWorker", "report_failure")
