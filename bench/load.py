"""The load: keep-alive connections that ask as members chosen at random, and publish through the form."""

from __future__ import annotations

import asyncio
import random
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

_TOKEN = re.compile(rb'name="csrf" value="([^"]+)"')


@dataclass(slots=True)
class Result:
    """What a stretch of load saw: seconds of each request, and answers that were not 2xx or 3xx."""

    seconds: float = 0.0
    times: list[float] = field(default_factory=list)
    failed: int = 0
    size: int = 0

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.times) / self.seconds

    def percentile(self, share: float) -> float:
        """Return the time under which this share of the requests stayed, in milliseconds."""
        ordered = sorted(self.times)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Connection:
    """One HTTP/1.1 connection that is kept open; just enough of a client to cost little."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Send a request and return status and body."""
        if self._writer is None or self._writer.is_closing():
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)
        assert self._reader is not None
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        lower = head.lower()
        at = lower.find(b"content-length:")
        length = int(lower[at + 15 : lower.find(b"\r\n", at)]) if at >= 0 else 0
        body = await self._reader.readexactly(length) if length else b""
        return int(head[9:12]), body

    async def ask_again(self, request: bytes) -> tuple[int, bytes]:
        """Do the same; a kept connection that the server closed meanwhile is opened anew, as browsers do.

        RFC 9112, section 9.3.1: requests that may be repeated are; posts carry a key that publishes once.
        """
        kept = self._writer is not None
        try:
            return await self.ask(request)
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            if not kept or getattr(error, "partial", b""):
                raise
        self.close()
        self._writer = None
        return await self.ask(request)

    def close(self) -> None:
        """Close the connection."""
        if self._writer is not None:
            self._writer.close()


def get(path: str, token: str = "") -> bytes:
    """Return a GET request, as a member when there is a token."""
    cookie = f"Cookie: parvis_session={token}\r\n" if token else ""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{cookie}\r\n".encode()


def post(path: str, token: str, fields: dict[str, str]) -> bytes:
    """Return a POST request with a form, as a member."""
    body = urlencode(fields).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nCookie: parvis_session={token}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def read(
    port: int, tokens: Sequence[str], seconds: float, *, connections: int = 8, path: str = "/"
) -> Result:
    """Ask for a page as random members over some connections."""
    result = Result()
    requests = [get(path, token) for token in tokens] or [get(path)]
    end = time.perf_counter() + seconds
    start = time.perf_counter()

    async def one() -> None:
        connection = Connection(port)
        while time.perf_counter() < end:
            begun = time.perf_counter()
            status, body = await connection.ask(random.choice(requests))
            result.times.append(time.perf_counter() - begun)
            result.size = max(result.size, len(body))
            result.failed += status >= 400
        connection.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    result.seconds = time.perf_counter() - start
    return result


async def form_token(port: int, token: str) -> str:
    """Return the form token of a member's page."""
    connection = Connection(port)
    _, body = await connection.ask(get("/feeds/compose", token))
    connection.close()
    found = _TOKEN.search(body)
    if found is None:
        raise RuntimeError("the composer has no form token")
    return found[1].decode()


async def publish(
    port: int, tokens: Sequence[str], seconds: float, *, connections: int = 8, pause: float = 0.0
) -> Result:
    """Publish through the form over some connections; `pause` waits between two posts of one connection."""
    result = Result()
    end = time.perf_counter() + seconds
    start = time.perf_counter()
    csrf = {token: await form_token(port, token) for token in tokens[:40]}

    async def one() -> None:
        connection = Connection(port)
        while time.perf_counter() < end:
            token = random.choice(list(csrf))
            text = (
                f"Point de chantier, {secrets.token_hex(4)} : **livraison** demain à 8 h, deux palettes.\n\n"
                "- cotes relevées\n- accès vu"
            )
            fields = {
                "csrf": csrf[token],
                "key": secrets.token_hex(8),
                "audience": "everyone",
                "title": "",
                "text": text,
            }
            begun = time.perf_counter()
            status, _ = await connection.ask(post("/feeds/posts", token, fields))
            result.times.append(time.perf_counter() - begun)
            result.failed += status != 303
            if pause:
                await asyncio.sleep(pause)
        connection.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    result.seconds = time.perf_counter() - start
    return result
