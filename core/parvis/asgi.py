"""The outer ASGI wrapper: what every request passes before and after Litestar, in one thin layer."""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from parvis.people.actor import NOBODY, Actor
from parvis.people.sessions import actor_of
from parvis.services.i18n import negotiate, use_locale
from parvis.services.secrets import new_token
from parvis.site import current
from parvis.web.cookies import LANGUAGE, SESSION, THEME, VISIT, cookie_name
from parvis.web.flash import NAME as FLASH
from parvis.web.flash import read_flash
from parvis.web.rendering import renderer
from parvis.web.request import OFF, STATE, Request, RequestState
from parvis.web.static import headers_of

if TYPE_CHECKING:
    from parvis.config import Config

POLICY_TEXT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; manifest-src 'self'"
)
POLICY = POLICY_TEXT.encode()
# Of answers that are no page: whatever stands in them, a browser that opens one runs and loads nothing.
_BARE_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_SECURITY: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), interest-cohort=()"),
)
log = logging.getLogger("parvis.web")
Application = Callable[[Any, Any, Any], Awaitable[None]]


class Outer:
    """Request id, host check, static files, session, enabled modules and security headers around the application."""

    def __init__(self, app: Application, config: Config) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in config.server.allowed_hosts)
        self._secure = config.site.url.startswith("https://")
        self._origin = _origin(config.site.url)
        self._proxies = [ip_network(proxy, strict=False) for proxy in config.server.trusted_proxies]
        self._language = config.site.language
        self._zone = config.site.time_zone

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection; lifespan goes straight to the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        if scope["method"] == "HEAD":
            send = _without_body(send)
        if path == "/health/live":
            await _plain(send, 200, b"ok\n")
            return
        if "\x00" in path or b"%00" in scope["query_string"] or not _is_text(path):
            # No address of ours holds NUL, and PostgreSQL refuses it in any text.
            await _plain(send, 400, b"This address cannot be read.\n")
            return
        headers = headers_of(scope)
        if path.startswith("/static/"):
            await self._static(scope, headers, send)
            return
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if not self._known_host(host) or sum(name == b"host" for name, _ in scope["headers"]) > 1:
            await _plain(send, 400, b"This host name is not served here. Add it to server.allowed_hosts.\n")
            return
        state = self._state(scope, headers)
        if scope["method"] not in _SAFE and not _same_site(headers, host, self._origin):
            await _plain(send, 403, b"This request came from another site and was refused.\n")
            return
        try:
            await self._identify(scope, headers, state)
        except Exception:
            # No page can be made without knowing for whom; what is wrong stands in the log.
            log.exception("request %s: nobody could be identified", state.request_id)
            await _plain(send, 503, b"Parvis cannot reach its data. Try again in a minute.\n")
            return
        if scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        token = use_locale(state.language, state.time_zone)
        try:
            await self._app(self._gated(scope, path), receive, self._sender(scope, send))
        finally:
            token.reset()

    async def _static(self, scope: Any, headers: dict[bytes, bytes], send: Any) -> None:
        status, answer, body = renderer().static.answer(scope["path"], headers)
        answer.append((b"content-length", str(len(body)).encode()))
        answer.extend((*_SECURITY, _BARE_POLICY))
        await send({"type": "http.response.start", "status": status, "headers": answer})
        await send({"type": "http.response.body", "body": body})

    def _known_host(self, host: str) -> bool:
        if "*" in self._hosts:
            return True
        name, colon, port = host.rpartition(":")
        if not colon or host.endswith("]"):
            return host in self._hosts
        return name in self._hosts and port.isdecimal()

    def _state(self, scope: Any, headers: dict[bytes, bytes]) -> RequestState:
        address, secure = self._client(scope, headers)
        return RequestState(
            request_id=os.urandom(8).hex(),
            address=address,
            secure=secure or self._secure,
            language=self._language,
            time_zone=self._zone,
        )

    def _client(self, scope: Any, headers: dict[bytes, bytes]) -> tuple[str, bool]:
        """Return the client's address and whether it came over TLS, believing trusted proxies only."""
        address = (scope.get("client") or ("", 0))[0]
        secure = scope.get("scheme") == "https"
        if not self._proxies or not _within(address, self._proxies):
            return address, secure
        for hop in reversed(headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",")):
            if hop.strip():
                address = hop.strip()
                if not _within(address, self._proxies):
                    break
        return address, headers.get(b"x-forwarded-proto", b"") == b"https" or secure

    async def _identify(self, scope: Any, headers: dict[bytes, bytes], state: RequestState) -> None:
        """Find out who is asking, and in which language and colours the answer is wanted."""
        cookies = _cookies(headers.get(b"cookie", b""), secure=state.secure)
        state.cookies = cookies
        token = cookies.get(SESSION)
        actor = await actor_of(token) if token else await self._identified(scope)
        if actor is not None:
            state.actor = actor
            state.secret = actor.secret
            state.language = actor.language or state.language
            state.time_zone = actor.time_zone or state.time_zone
            state.theme = actor.theme
        else:
            state.actor = NOBODY
            state.secret = cookies.get(VISIT, "")
            if len(state.secret) < 20:
                state.secret, state.new_secret = new_token(), True
            accepted = headers.get(b"accept-language", b"").decode("latin-1")
            state.language = cookies.get(LANGUAGE) or negotiate(accepted, default=self._language)
            if state.language not in ("fr", "en"):
                state.language = self._language
            state.theme = cookies.get(THEME, "auto") if cookies.get(THEME) in ("light", "dark") else "auto"
        state.flash = read_flash(cookies.get(FLASH)) if FLASH in cookies else None
        scope[STATE] = state

    async def _identified(self, scope: Any) -> Actor | None:
        """Ask plugins who is behind a request without a session; the first that knows answers."""
        answer = await current().plugins.ask_first("identify", request=Request(scope))
        return answer.value if answer is not None else None

    def _gated(self, scope: Any, path: str) -> Any:
        """Send what belongs to a module that is off to an address that does not exist."""
        registry = current().plugins
        plugin = registry.plugin_of_path(path)
        if plugin is not None and plugin not in registry.enabled:
            return {**scope, "path": OFF, "raw_path": OFF.encode()}
        return scope

    def _sender(self, scope: Any, send: Any) -> Any:
        state: RequestState = scope[STATE]

        async def sender(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                names = {name for name, _ in headers}
                headers.extend(item for item in _SECURITY if item[0] not in names)
                if b"content-security-policy" not in names:
                    headers.append((b"content-security-policy", POLICY))
                if b"cache-control" not in names:
                    headers.append((b"cache-control", b"no-store"))
                headers.append((b"x-request-id", state.request_id.encode()))
                if state.secure:
                    headers.append((b"strict-transport-security", b"max-age=31536000"))
                is_page = any(name == b"content-type" and b"text/html" in value for name, value in headers)
                headers.extend(self._own_cookies(state, shown=is_page and message["status"] < 300))
                message = {**message, "headers": headers}
            await send(message)

        return sender

    def _own_cookies(self, state: RequestState, *, shown: bool) -> list[tuple[bytes, bytes]]:
        """Return the cookies the wrapper sets itself: a stranger's secret, and the end of a shown message."""
        wanted = []
        if state.new_secret:
            wanted.append(f"{cookie_name(VISIT, secure=state.secure)}={state.secret}")
        if state.flash is not None and shown:
            wanted.append(f"{cookie_name(FLASH, secure=state.secure)}=; Max-Age=0")
        attributes = "; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if state.secure else "")
        return [(b"set-cookie", (cookie + attributes).encode()) for cookie in wanted]


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _same_site(headers: dict[bytes, bytes], host: str, origin: str) -> bool:
    """Whether an unsafe request comes from a page of ours (Fetch Metadata, then Origin).

    Programs send neither header; they carry no cookie of a browser's victim and are stopped by the token.
    """
    site = headers.get(b"sec-fetch-site")
    if site is not None and site not in (b"same-origin", b"none"):
        return False
    sent = headers.get(b"origin")
    if sent is None:
        return True
    # Compared as written, never taken apart: browsers send exactly scheme, host and port (RFC 6454, 6.2).
    return sent.decode("latin-1").lower() in (origin, f"http://{host}", f"https://{host}")


def _is_text(path: str) -> bool:
    """Whether UTF-8 can say it: servers may leave halves of pairs where an address held bytes that are no text."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _within(address: str, networks: list[Any]) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in networks)


def _cookies(header: bytes, *, secure: bool) -> dict[str, str]:
    """Return our cookies by their plain names; over TLS those alone that only this host can have set."""
    if not header:
        return {}
    start = cookie_name("parvis_", secure=secure)
    found: dict[str, str] = {}
    for part in header.decode("latin-1").split(";"):
        name, sign, value = part.strip().partition("=")
        if not sign or not name.startswith(start):
            continue
        if value.startswith('"'):
            try:
                value = SimpleCookie(part.strip())[name].value
            except (CookieError, KeyError):
                continue
        found[name.removeprefix("__Host-")] = value
    return found


def _without_body(send: Any) -> Any:
    async def headless(message: Any) -> None:
        if message["type"] == "http.response.body":
            if message.get("more_body"):
                return
            message = {"type": "http.response.body", "body": b""}
        await send(message)

    return headless


async def _plain(send: Any, status: int, body: bytes) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *_SECURITY,
        _BARE_POLICY,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
