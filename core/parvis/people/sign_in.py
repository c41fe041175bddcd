"""Signing in with e-mail and password, so that a refusal tells nothing about who has an account.

Unknown address, wrong password and suspended member cost the same hash, the same audit row and the same count
against the same limits, and get the same answer.
"""

from __future__ import annotations

from hashlib import sha256
from ipaddress import IPv6Address, ip_address

from parvis.data import PreparedSQL, transaction
from parvis.people.passwords import hash_password, needs_rehash, verify_password
from parvis.people.tables import Member
from parvis.services.audit import record
from parvis.services.limits import forget_limit, limit

_REHASH = PreparedSQL("UPDATE member SET password_hash = :new WHERE id = :id AND password_hash = :old")


def normalise_email(email: str) -> str:
    """Return an e-mail address as it is kept and compared: trimmed, in lower case."""
    return email.strip().casefold()


def network_of(address: str) -> str:
    """Return what stands for one client in limits: an IPv4 address, or the /64 that one IPv6 customer has."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address or "unknown"
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(IPv6Address(int(parsed) >> 64 << 64)) + "/64"
    return str(parsed)


async def sign_in(email: str, password: str, address: str = "") -> int | None:
    """Return the member whose e-mail and password these are, or None; raises TooMany when throttled.

    Counted by network and by account. Accounts are counted apart for each network first, so that somebody who
    guesses from elsewhere does not lock the owner out at once.
    """
    email, network = normalise_email(email), network_of(address)
    # The limit keeps its keys for a while; an address typed by mistake is nobody's business there.
    account = sha256(email.encode()).hexdigest()[:32]
    await limit(f"address:{network}", "sign-in-address")
    await limit(f"account:{account}:{network}", "sign-in")
    await limit(f"account:{account}", "sign-in-account")
    found = await Member.credentials(email)
    kept = found["password_hash"] if found else None
    right = await verify_password(kept, password)
    if not right or found is None or kept is None or found["state"] != "active":
        member = f"member:{found['id']}" if found else ""
        await record("member.sign_in_refused", None, member, {"address": address})
        return None
    # Whoever knows the password was not guessing; the wider limits go on counting.
    await forget_limit(f"account:{account}:{network}", "sign-in")
    id_: int = found["id"]
    new = await hash_password(password) if needs_rehash(kept) else None
    async with transaction():
        await record("member.signed_in", id_, f"member:{id_}", {"address": address})
        if new is not None:
            await _REHASH(id=id_, old=kept, new=new)
    return id_
