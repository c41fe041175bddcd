"""Host names, time zones and addresses with passwords, as configuration meets them."""

from __future__ import annotations

import ipaddress
import re
from zoneinfo import ZoneInfo

_HOST = re.compile(r"(?!-)[A-Za-z0-9.-]{1,253}(?<![-.])")


def is_host(text: str) -> bool:
    """Whether text is an IP address or a host name."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return _HOST.fullmatch(text) is not None
    return True


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def is_time_zone(name: str) -> bool:
    """Whether this machine's time zone data knows a name like Europe/Paris."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        return False
    return bool(name)


def masked(url: str) -> str:
    """Return a URL with stars for its password, even where the URL is malformed; other text as it is."""
    return re.sub(r"(?i)(password=)[^&]*", r"\1***", re.sub(r"(://[^:/@]*:).*@", r"\1***@", url))
