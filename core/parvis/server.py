"""The web server: granian's supervisor around workers that say when they are ready, or why they are not.

The supervisor imports neither Litestar nor Piccolo: it stays small, and after SIGHUP its new workers read new
code. What granian leaves open is answered here: it replaces workers after a fixed delay whether the new ones
serve or not, and it tells nobody why a worker did not start.
"""

# Granian carries no annotations at these methods.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import logging
import multiprocessing
import os
import select
import signal
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from granian.constants import Interfaces, Loops
from granian.log import LogLevels
from granian.net import SocketSpec  # type: ignore[attr-defined]
from granian.server.mp import MPServer, WorkerProcess

from parvis.cli.logs import logging_config
from parvis.cli.port import check_port
from parvis.cli.running import drop_pid, write_pid
from parvis.cli.say import gettext as _
from parvis.config import Config
from parvis.errors import ParvisError
from parvis.webworker import FAILED, READY, Reporting, WebWorker, report_failure

# Connections that wait for accept(), and connections served at once: streams and idle keep-alives count, so
# granian's default (the backlog shared between the workers) would leave requests hanging.
BACKLOG = 4096
BACKPRESSURE = 20_000
# Seconds for open requests when a worker stops; streams never end by themselves.
KILL_TIMEOUT = 5
# Seconds a worker may take to start: a migration of a large table can be long.
START_TIMEOUT = 900.0
# Workers that end unexpectedly are replaced at once; so many of them within a minute end the service, for whoever
# supervises it to see. Granian gives up when one ends within 5.5 s of having been replaced, as after a reload.
CRASHES = 10
CRASHES_WITHIN = 60.0
RETRY = 1.0
_log = logging.getLogger("parvis")


class StartFailed(ParvisError):
    """A worker did not start; the message is the worker's own."""


def serve(config: Config, *, migrate: bool = False, ready: Callable[[], None]) -> None:
    """Serve an instance until SIGTERM or SIGINT; `ready` is called once every worker answers.

    `migrate` runs what is pending first; a fresh database is always set up. SIGHUP replaces the workers one
    after the other; a closed terminal stops the server. Raises PortTaken or StartFailed.
    """
    check_port(config.server.host, config.server.port)
    # Workers share the supervisor's memory, and inherit the ends of their pipes.
    multiprocessing.set_start_method("fork", force=True)
    Supervisor(config, migrate=migrate, ready=ready).serve()


class Supervisor(MPServer):
    """Granian's process server with workers that report themselves through a pipe."""

    def __init__(self, config: Config, *, migrate: bool, ready: Callable[[], None]) -> None:
        super().__init__(
            target="parvis.asgi:app",
            address=config.server.host,
            port=config.server.port,
            interface=Interfaces.ASGI,
            workers=config.server.workers,
            loop=Loops.uvloop,
            websockets=False,
            backlog=BACKLOG,
            backpressure=BACKPRESSURE,
            log_level=LogLevels.debug if config.log.level == "debug" else LogLevels.warning,
            log_dictconfig=logging_config(config.log),
            respawn_failed_workers=True,
            workers_kill_timeout=KILL_TIMEOUT,
        )
        self._config = config
        self._migrate = migrate
        # Started from a terminal, and not by nohup: it ends when the terminal is closed.
        self._has_terminal = os.isatty(0) and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
        self._tell_ready = ready
        # A worker notices by the end of this pipe that its supervisor is gone, even after kill -9.
        self._life = os.pipe()
        # The pipe of the worker that is being started; it inherits the end to write to.
        self._report = (-1, -1)
        self.crashes: deque[float] = deque(maxlen=CRASHES)

    def serve(self, *args: Any, **kwargs: Any) -> None:
        """Start the workers and supervise them."""
        super().serve(target_loader=self._load, wrap_loader=False)

    def _init_shared_socket(self) -> None:
        """Listen on one socket that every worker inherits.

        Granian gives each worker a socket of its own on Linux: connections that wait in the queue of one that
        stops are reset then. Here they wait for the next worker.
        """
        holder = SocketSpec(self.bind_addr, self.bind_port, self.backlog).build()
        self._shd, self._sfd, self._ssp = holder, holder.get_fd(), None  # type: ignore[assignment]
        self._sso = socket.socket(fileno=self._sfd)
        self._sso.set_inheritable(True)

    # -- in a worker -----------------------------------------------------------------------------------------

    def _load(self) -> Any:
        """Prepare the database and return the application; runs in the worker, right after the fork."""
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.SIG_IGN)
        # Ctrl-C reaches the whole group; the supervisor passes it on in order.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.close(self._life[1])
        os.close(self._report[0])
        try:
            import asyncio

            from parvis.cli.database import prepare_database

            asyncio.run(prepare_database(self._config, migrate=self._migrate))
            from parvis.app import create_app

            return Reporting(create_app(self._config), self._report[1], self._life[0])
        except Exception as error:
            if not isinstance(error, ParvisError):
                _log.exception("a worker could not start")
            report_failure(self._report[1], error)
            os._exit(1)

    # -- in the supervisor -----------------------------------------------------------------------------------

    def signal_handler_reload(self, *args: Any, **kwargs: Any) -> None:
        """Replace the workers on SIGHUP, or stop when it tells that the terminal was closed."""
        if self._has_terminal and not os.isatty(0):
            self.signal_handler_interrupt()
        else:
            super().signal_handler_reload(*args, **kwargs)

    def _spawn_worker(  # type: ignore[override]
        self, idx: int, target: Any, callback_loader: Any
    ) -> WorkerProcess:
        self._report = os.pipe()
        worker = super()._spawn_worker(idx, target, callback_loader)
        worker.__class__ = WebWorker
        return worker

    def _spawn_workers(self, spawn_target: Any, target_loader: Any) -> None:
        """Start the workers one after the other: the first one prepares the database alone."""
        for idx in range(self.workers):
            worker = self._spawn_worker(idx, spawn_target, target_loader)
            worker.start()
            self.wrks.append(worker)
            problem = self._await_ready(worker)
            if self.interrupt_signal:
                return
            if problem is not None:
                self.shutdown()
                raise StartFailed(problem)
        write_pid(self._config)
        self._tell_ready()

    def shutdown(self, exit_code: int = 0) -> None:
        """Stop the workers and forget that this process serves the instance."""
        drop_pid(self._config)
        super().shutdown(exit_code)

    def _respawn_workers(self, workers: Any, spawn_target: Any, target_loader: Any, delay: float = 0) -> None:
        """Replace workers: a former one stops only when the new one answers, and stays when it does not."""
        for idx in workers:
            while not self._replace(idx, spawn_target, target_loader):
                if self.interrupt_signal:
                    return
                time.sleep(RETRY)

    def _replace(self, idx: int, spawn_target: Any, target_loader: Any) -> bool:
        """Replace one worker; False when nobody serves in its place yet. StartFailed after too many crashes."""
        if len(self.crashes) == CRASHES and time.monotonic() - self.crashes[0] < CRASHES_WITHIN:
            self.shutdown()
            raise StartFailed(
                _("The workers ended %(count)s times within a minute; the service stops.")
                % {"count": CRASHES},
                remedy=_("Look at the log for what they said last, then run: parvis doctor"),
            )
        former = self.wrks[idx]
        worker = self._spawn_worker(idx, spawn_target, target_loader)
        worker.start()
        problem = self._await_ready(worker)
        if problem is None:
            self.wrks[idx] = worker
            self._stop(former)
            return True
        worker.join()
        log = logging.getLogger("parvis")
        if former.is_alive():
            log.error("the former workers go on serving, since a new one did not start: %s", problem)
            return True
        log.error("a worker did not start; trying again: %s", problem)
        self.crashes.append(time.monotonic())
        return False

    def _stop(self, worker: WorkerProcess) -> None:
        worker.terminate()
        worker.join(KILL_TIMEOUT)
        if worker.is_alive():
            worker.kill()
            worker.join()

    def _await_ready(self, worker: Any) -> str | None:
        """Wait for a worker's report; return None when it serves, else why it does not."""
        reading, writing = self._report
        os.close(writing)
        said = b""
        end = time.monotonic() + START_TIMEOUT
        try:
            while time.monotonic() < end and not self.interrupt_signal:
                if not select.select([reading], [], [], 0.2)[0]:
                    continue
                chunk = os.read(reading, 65536)
                said += chunk
                if said.startswith(READY):
                    worker.is_ready = True
                    return None
                if not chunk:
                    return said.removeprefix(FAILED).decode() or "the worker ended without a word"
        finally:
            os.close(reading)
        return None if self.interrupt_signal else "the worker took too long to start"


__all__ = ("StartFailed", "Supervisor", "serve")
