"""Whether a server can listen at an address, and what to do when not."""

from __future__ import annotations

import errno
import socket

from parvis.config import Phrase as _l  # noqa: N813
from parvis.errors import ConfigError


class PortTaken(ConfigError):
    """Another program listens at the address already."""


def check_port(host: str, port: int) -> None:
    """Raise PortTaken unless a server can listen there; granian itself would share a port of its own kind."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, proto) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
            trial.listen(1)
    except OSError as error:
        raise _port_problem(error, host, port) from None


def _port_problem(error: OSError, host: str, port: int) -> PortTaken:
    if error.errno == errno.EADDRINUSE:
        return PortTaken(
            _l("Port {port} of {host} is taken by another program.", port=port, host=host),
            remedy=_l("End it, or choose another port with --port or PARVIS_SERVER_PORT."),
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return PortTaken(
            _l("Port {port} of {host} may not be used by this account.", port=port, host=host),
            remedy=_l("Choose a port from 1024 up; a proxy in front of it can answer at 80 and 443."),
        )
    return PortTaken(
        _l(
            "Parvis cannot listen at {host}, port {port}: {detail}.",
            port=port,
            host=host,
            detail=error.strerror,
        ),
        remedy=_l("Choose an address of this machine with --host or PARVIS_SERVER_HOST."),
    )
