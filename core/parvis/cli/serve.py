"""`parvis serve`: the web server of one instance."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import click

from parvis.cli.instance import configuration, in_instance
from parvis.cli.say import gettext as _
from parvis.cli.say import say, warn
from parvis.config import Config, is_loopback


@click.command(
    name="serve", help=_("Serve the community. SIGTERM or Ctrl-C ends it, SIGHUP replaces the workers.")
)
@in_instance
@click.option("--host", metavar="ADDRESS", help=_("Listen at this address instead of server.host."))
@click.option("--port", type=int, metavar="PORT", help=_("Listen at this port instead of server.port."))
@click.option("--workers", type=int, metavar="N", help=_("Start N web processes instead of server.workers."))
@click.option("--migrate", is_flag=True, help=_("Run pending changes of the database's schema first."))
def command(directory: str, host: str | None, port: int | None, workers: int | None, migrate: bool) -> None:
    """Serve one instance."""
    config = configuration(
        directory,
        {"PARVIS_SERVER_HOST": host, "PARVIS_SERVER_PORT": port, "PARVIS_SERVER_WORKERS": workers},
    )
    from parvis.server import serve

    warn_about_workers(config)
    serve(
        config,
        migrate=migrate,
        ready=announcing(
            config,
            lambda: say(_("Serving {name} at {url}").format(name=config.site.name, url=address_of(config))),
        ),
    )


def warn_about_workers(config: Config) -> None:
    """Say that SQLite has one writer, so that more processes seldom serve more."""
    if config.database.is_sqlite and config.server.workers > 1:
        warn(
            _("SQLite serves best from one web process: several take turns to write. PostgreSQL suits them.")
        )


def address_of(config: Config) -> str:
    """Return the address at which the server listens."""
    host = config.server.host
    name = "localhost" if is_loopback(host) else host
    return f"http://{f'[{name}]' if ':' in name else name}:{config.server.port}"


def announcing(config: Config, announce: Callable[[], None]) -> Callable[[], None]:
    """Return what runs `announce` once /health/live answers."""

    def when_ready() -> None:
        if answers(config.server.host, config.server.port):
            announce()
        else:
            warn(_("The workers run, but {url}/health/live does not answer.").format(url=address_of(config)))

    return when_ready


def answers(host: str, port: int, seconds: float = 10.0) -> bool:
    """Whether the server answers 200 at /health/live in time; by hand, since http.client is large."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with socket.create_connection((host, port), timeout=2) as connection:
                connection.sendall(
                    b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                )
                if connection.recv(64).startswith(b"HTTP/1.1 200"):
                    return True
        except OSError:
            pass
        time.sleep(0.05)
    return False
