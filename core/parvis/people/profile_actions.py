"""What members change about themselves: profile, address, picture, preferences, password."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from parvis.data import PreparedSQL, transaction
from parvis.errors import Conflict, Forbidden, Invalid, NotFound, SignInRequired
from parvis.people import history
from parvis.people.fields import RESERVED_HANDLES, THEMES, preference_faults, profile_fields
from parvis.people.links import cancel_links
from parvis.people.passwords import hash_password, password_fault, verify_password
from parvis.people.sessions import close_other_sessions
from parvis.people.tables import Member, MemberRow
from parvis.services.audit import record
from parvis.services.counters import bump_counter
from parvis.services.i18n import lazy_gettext as _l
from parvis.services.limits import limit

if TYPE_CHECKING:
    from parvis.people.actor import Actor

_HANDLE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")

_PROFILE = PreparedSQL(
    "UPDATE member SET name = :name, sort_name = :sort_name, job = :job, team = :team, site = :site,"
    " phone = :phone, pronouns = :pronouns, about = :about, skills = :skills, search = :search,"
    " version = version + 1 WHERE id = :id AND version = :version RETURNING id",
    types={"skills": "json"},
)
_PREFERENCES = PreparedSQL(
    "UPDATE member SET language = :language, time_zone = :time_zone, theme = :theme, shortcuts = :shortcuts"
    " WHERE id = :id"
)
_THEME = PreparedSQL("UPDATE member SET theme = :theme WHERE id = :id")
_LANGUAGE = PreparedSQL("UPDATE member SET language = :language WHERE id = :id")
_PASSWORD = PreparedSQL("UPDATE member SET password_hash = :password_hash WHERE id = :id")
_HANDLE_OF = PreparedSQL("UPDATE member SET handle = :handle WHERE id = :id")
_PICTURE = PreparedSQL("UPDATE member SET picture = :picture WHERE id = :id")


def demand_self(actor: Actor, member: int) -> None:
    """Raise Forbidden unless this is the actor's own profile, or an administrator asks."""
    if actor.member == member or actor.is_administrator or actor.is_system:
        return
    if not actor.is_member:
        raise SignInRequired()
    raise Forbidden(_l("You may change your own profile only."))


async def _existing(member: int) -> MemberRow:
    row = await Member.with_id(member)
    if row is None:
        raise NotFound()
    return row


async def edit_profile(actor: Actor, member: int, version: int, values: Mapping[str, Any]) -> MemberRow:
    """Save the fields of a profile; one's own, or anybody's for administrators.

    `values` holds name, job, team, site, phone, pronouns, about, skills (list, or text with commas).
    Raises Invalid by field with what was typed, Conflict when it was changed since `version`.
    """
    demand_self(actor, member)
    fields, faults = profile_fields(values)
    if faults:
        raise Invalid(faults, values=values)
    async with transaction():
        if await _PROFILE.one(id=member, version=version, **fields) is None:
            await _existing(member)
            raise Conflict(
                _l("This profile was changed in another window."),
                remedy=_l("Reload it, then change it again."),
            )
        await bump_counter("cards")
        if actor.member != member:
            await record("member.profile_edited", actor.member, f"member:{member}", {})
    return await _existing(member)


async def edit_preferences(
    actor: Actor, *, language: str | None, time_zone: str | None, theme: str, shortcuts: bool
) -> None:
    """Save how Parvis speaks and looks to this member; None follows the site."""
    member = _own(actor)
    faults = preference_faults(language, time_zone)
    if theme not in THEMES:
        faults["theme"] = _l("There is no such appearance.")
    if faults:
        raise Invalid(faults, values={"language": language, "time_zone": time_zone, "theme": theme})
    await _PREFERENCES(id=member, language=language, time_zone=time_zone, theme=theme, shortcuts=shortcuts)


async def choose_theme(actor: Actor, theme: str) -> None:
    """Save light, dark or automatic appearance."""
    if theme not in THEMES:
        raise Invalid({"theme": _l("There is no such appearance.")})
    await _THEME(id=_own(actor), theme=theme)


async def choose_language(actor: Actor, language: str | None) -> None:
    """Save the language Parvis speaks to this member; None follows the site."""
    if faults := preference_faults(language, None):
        raise Invalid(faults)
    await _LANGUAGE(id=_own(actor), language=language)


def _own(actor: Actor) -> int:
    if actor.member is None:
        raise SignInRequired()
    return actor.member


async def change_password(actor: Actor, *, current: str, new: str) -> None:
    """Change one's own password, and end one's other sessions and unused links to sign in.

    A member without a password, come in by a link, needs no current one. Guesses are counted like sign-ins.
    """
    member = _own(actor)
    await limit(f"member:{member}", "change-password")
    kept = await Member.password_hash_of(member)
    if kept is not None and not await verify_password(kept, current):
        raise Invalid({"current": _l("This is not your current password.")})
    if (fault := password_fault(new, email=actor.email, name=actor.name)) is not None:
        raise Invalid({"new": fault})
    made = await hash_password(new)
    async with transaction():
        await _PASSWORD(id=member, password_hash=made)
        await close_other_sessions(member, actor.session)
        await cancel_links(member)
        await record("member.password_changed", member, f"member:{member}", {})


async def rename_handle(actor: Actor, member: int, handle: str) -> str:
    """Change the handle in the address of a profile; the former address leads to the new one."""
    demand_self(actor, member)
    row = await _existing(member)
    wanted = handle.strip().lstrip("@").casefold()
    if wanted == row.handle:
        return wanted
    if not _HANDLE.fullmatch(wanted):
        raise Invalid({"handle": _l("Use letters a to z, digits and hyphens.")}, values={"handle": handle})
    async with transaction():
        other = await Member.with_handle(wanted)
        former = await history.owner_of("member", wanted)
        if other is not None or wanted in RESERVED_HANDLES or former not in (None, member):
            fault = _l("Somebody else has this handle, or had it.")
            raise Invalid({"handle": fault}, values={"handle": handle})
        await history.keep_slug("member", row.handle, member, now_called=wanted)
        await _HANDLE_OF(id=member, handle=wanted)
        await bump_counter("cards")
        renamed = {"from": row.handle, "to": wanted}
        await record("member.handle_changed", actor.member, f"member:{member}", renamed)
    return wanted


async def set_picture(actor: Actor, member: int, picture: int | None) -> None:
    """Show a file as a member's picture, or initials with None.

    The caller attached the file to the member before, in the same transaction.
    """
    demand_self(actor, member)
    async with transaction():
        await _PICTURE(id=member, picture=picture)
        await bump_counter("cards")
