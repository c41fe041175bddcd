"""Passwords: Argon2id in two threads of their own, so that a sign-in never stops the event loop.

Parameters are the OWASP profile for Argon2id (19 MiB, 2 passes, 1 lane; Password Storage Cheat Sheet), about
30 ms a hash. Rules follow NIST SP 800-63B: length and known bad passwords, nothing about kinds of characters.
"""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import ParamSpec, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from parvis.errors import Unavailable
from parvis.people.names import fold
from parvis.services.i18n import lazy_gettext as _l

P = ParamSpec("P")
T = TypeVar("T")

SHORTEST = 10
LONGEST = 256
"""Characters; a bound keeps a request from making the hash read megabytes."""
_QUEUE = 64
"""How many hashes may wait, 1 s of both threads; more are refused rather than piled up."""

# Words that open lists of guesses, folded; years and digits at the end fall off before comparing.
_WORDS = (
    "password passwords passw0rd p@ssword p@ssw0rd motdepasse motdepass azertyuiop qwertyuiop "
    "azertyuiopqsdf qwertyuiopasdf qwertyuiopasdfgh azerty qwerty azertyqwerty qwertyazerty "
    "administrator administrateur adminadmin admin bienvenue welcome welcomehome changeme "
    "changemenow letmein letmeinnow iloveyou jetaime jetaimeforever soleil soleilsoleil bonjour "
    "bonjourbonjour football basketball baseball superman princess princesse doudou "
    "doudoudoudou loulou loulouloulou chouchou marseille olympique michelle sunshine trustno1 "
    "abcdefghij abcdefghijk abcdefghijkl abcd secret secretsecret entreprise company parvis "
    "poiuytreza poiuytrewq qsdfghjklm asdfghjkl zxcvbnm wxcvbn "
)
_COMMON = frozenset(_WORDS.split())

_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_waiting = 0


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=2, thread_name_prefix="parvis-password")


@cache
def _dummy_hash() -> str:
    return _hasher.hash(secrets.token_urlsafe(16))


def _plain(password: str) -> str:
    # The same password typed on two systems may be composed differently (SP 800-63B 5.1.1.2).
    return unicodedata.normalize("NFKC", password)


async def _in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run one hash in the threads for passwords; raises Unavailable when too many wait already."""
    global _waiting
    if _waiting >= _QUEUE:
        raise Unavailable(_l("Too many people are signing in at once."), remedy=_l("Try again in a minute."))
    _waiting += 1
    try:
        return await asyncio.get_running_loop().run_in_executor(_threads(), partial(work, *args, **kwargs))
    finally:
        _waiting -= 1


async def hash_password(password: str) -> str:
    """Return the hash to keep of a password that passed the rules."""
    return await _in_thread(_hasher.hash, _plain(password))


async def verify_password(kept: str | None, password: str) -> bool:
    """Return whether the password belongs to the kept hash.

    Without one (unknown e-mail, no password set) it hashes all the same and says no: the time tells nothing.
    """
    plain = _plain(password)
    possible = kept is not None and len(plain) <= LONGEST

    def verify() -> bool:
        try:
            _hasher.verify(kept or _dummy_hash(), plain[:LONGEST])
        except (VerificationError, InvalidHashError):
            return False
        return possible

    return await _in_thread(verify)


def needs_rehash(kept: str) -> bool:
    """Return whether the hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(kept)


def password_fault(password: str, *, email: str, name: str) -> object | None:
    """Return what is wrong with a new password, or None when it will do."""
    plain = _plain(password)
    if len(plain) < SHORTEST:
        return _l("Use at least 10 characters; a few words are easy to remember.")
    if len(plain) > LONGEST:
        return _l("Use at most 256 characters.")
    folded = fold(plain)
    bare = folded.rstrip("0123456789!?.*-_ ")
    if bare in _COMMON or folded in _COMMON or len(set(folded)) < 4 or folded in "01234567890123456789":
        return _l("This password is one of the first that are guessed; choose another one.")
    own = {fold(email), fold(email.partition("@")[0]), fold(name), fold(name).replace(" ", "")}
    if {folded, bare, folded.replace(" ", "")} & (own - {""}):
        return _l("Your password must not be your name or e-mail address.")
    return None
