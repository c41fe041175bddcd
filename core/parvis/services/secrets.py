"""Random tokens, masked tokens against forged requests, and signed texts; from the standard library alone."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import time

from parvis.site import current


def new_token() -> str:
    """Return 256 random bits, safe in cookies and addresses."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """Return what is kept of a random token: 256 bits of randomness need no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


def mask(secret: str) -> str:
    """Return a secret so that it looks different on each page: a random pad, then the secret XOR the pad.

    Compression then tells nothing about it to who can choose a part of the page (BREACH, 2013).
    """
    data = secret.encode()
    size = len(data)
    pad = os.urandom(size)
    mixed = int.from_bytes(data, "big") ^ int.from_bytes(pad, "big")
    return base64.urlsafe_b64encode(pad + mixed.to_bytes(size, "big")).rstrip(b"=").decode()


def unmask(token: str) -> str | None:
    """Return the secret in a masked token, or None where the token was not made by `mask`."""
    if len(token) > 1000:
        return None
    try:
        data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        half, odd = divmod(len(data), 2)
        if odd or not half:
            return None
        mixed = int.from_bytes(data[:half], "big") ^ int.from_bytes(data[half:], "big")
        return mixed.to_bytes(half, "big").decode()
    except (binascii.Error, ValueError):
        return None


def sign(data: str, purpose: str, seconds: int) -> str:
    """Return a text with its end of life and a signature; readable by who holds it, changeable by nobody.

    A text signed for one purpose is worth nothing for another.
    """
    body = base64.urlsafe_b64encode(data.encode()).rstrip(b"=").decode()
    payload = f"{int(time.time()) + seconds:x}.{body}"
    return f"{payload}.{_signature(payload, purpose)}"


def unsign(value: str, purpose: str) -> str | None:
    """Return a text signed for this purpose, or None when it is forged, for another purpose, or too old."""
    payload, _, signature = value.rpartition(".")
    if not value.isascii() or not hmac.compare_digest(signature, _signature(payload, purpose)):
        return None
    until, _, body = payload.partition(".")
    if int(until, 16) < time.time():
        return None
    return base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)).decode()


def keyed_digest(data: bytes, purpose: str) -> str:
    """Return the HMAC-SHA256 of data under the instance's key, in hex; each purpose has a key of its own."""
    return hmac.new(_key(purpose), data, hashlib.sha256).hexdigest()


def _signature(payload: str, purpose: str) -> str:
    digest = hmac.digest(_key(purpose), payload.encode(), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _key(purpose: str) -> bytes:
    return hmac.digest(current().config.secret_key, b"parvis " + purpose.encode(), "sha256")
