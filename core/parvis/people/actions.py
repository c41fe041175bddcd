"""What is done with members: added, given roles, suspended, let in again.

What members change about themselves is in `parvis.people.profile_actions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from parvis.data import PreparedSQL, transaction
from parvis.errors import Conflict, Forbidden, Invalid, NotFound, SignInRequired
from parvis.people import history
from parvis.people.actor import SITE_ROLES
from parvis.people.fields import RESERVED_HANDLES, is_email, preference_faults, profile_fields
from parvis.people.links import cancel_links, make_sign_in_link
from parvis.people.names import slug_of
from parvis.people.passwords import hash_password, password_fault
from parvis.people.sessions import close_other_sessions
from parvis.people.sign_in import normalise_email
from parvis.people.tables import Member, MemberRow
from parvis.services.audit import record
from parvis.services.counters import bump_counter
from parvis.services.i18n import lazy_gettext as _l

if TYPE_CHECKING:
    from parvis.people.actor import Actor

_ADD = PreparedSQL(
    "INSERT INTO member (email, handle, name, sort_name, role, state, password_hash, language, time_zone,"
    " theme, shortcuts, job, team, site, phone, pronouns, about, skills, search, manager, version, created,"
    " joined) VALUES (:email, :handle, :name, :sort_name, :role, 'active', :password_hash, :language,"
    " :time_zone, 'auto', :shortcuts, :job, :team, :site, :phone, :pronouns, :about, :skills, :search,"
    " :manager, 1, :now, :joined) ON CONFLICT DO NOTHING RETURNING id",
    types={"skills": "json"},
)
_PASSWORD = PreparedSQL("UPDATE member SET password_hash = :password_hash WHERE id = :id")
_ROLE = PreparedSQL("UPDATE member SET role = :role WHERE id = :id")
_STATE = PreparedSQL("UPDATE member SET state = :state WHERE id = :id")
_MANAGER = PreparedSQL("UPDATE member SET manager = :manager WHERE id = :id")
_HANDLES = PreparedSQL("SELECT handle FROM member WHERE handle = :handle OR handle LIKE :like")
# Rows of every administrator, so that two that step back at once wait for each other on PostgreSQL.
_HOLD_ADMINISTRATORS = PreparedSQL("UPDATE member SET role = role WHERE role = 'administrator'")


def _demand_administrator(actor: Actor) -> None:
    if actor.is_administrator or actor.is_system:
        return
    if not actor.is_member:
        raise SignInRequired()
    raise Forbidden(_l("Only an administrator may do this."))


async def _existing(member: int) -> MemberRow:
    row = await Member.with_id(member)
    if row is None:
        raise NotFound()
    return row


async def add_member(
    actor: Actor,
    *,
    email: str,
    name: str,
    role: str = "member",
    password: str | None = None,
    password_hash: str | None = None,
    handle: str | None = None,
    language: str | None = None,
    time_zone: str | None = None,
    joined: datetime | None = None,
    manager: int | None = None,
    profile: Mapping[str, Any] | None = None,
) -> MemberRow:
    """Add a member and return the row; administrators and the system may.

    Without `password` the member comes in by a sign-in link. `password_hash` is for imports that hashed
    already. `profile` holds the fields of edit_profile beside the name. `joined` (UTC) backdates imports.
    Raises Invalid by field: an address in use, a bad password, values too long.
    """
    _demand_administrator(actor)
    values = {"email": email, "name": name, "role": role, "handle": handle, **(profile or {})}
    email = normalise_email(email)
    faults: dict[str, object] = {}
    if not is_email(email):
        faults["email"] = _l("This is not an e-mail address.")
    elif await Member.with_email(email) is not None:
        faults["email"] = _l("A member has this e-mail address already.")
    if role not in SITE_ROLES:
        faults["role"] = _l("There is no such role.")
    if password is not None and (fault := password_fault(password, email=email, name=name)) is not None:
        faults["password"] = fault
    faults.update(preference_faults(language, time_zone))
    fields, more = profile_fields({"name": name, **(profile or {})})
    faults.update(more)
    if faults:
        raise Invalid(faults, values=values)
    if password is not None:
        password_hash = await hash_password(password)
    now = datetime.now(UTC)
    async with transaction():
        chosen = await _free_handle(handle or "", fields["name"], email)
        row = await _ADD.one(
            email=email,
            handle=chosen,
            role=role,
            password_hash=password_hash,
            language=language,
            time_zone=time_zone,
            shortcuts=True,
            manager=manager,
            now=now,
            joined=joined or now,
            **fields,
        )
        if row is None:
            raise Conflict(_l("Somebody else added this member at the same moment."))
        await record("member.added", actor.member, f"member:{row['id']}", {"role": role})
    return await _existing(row["id"])


async def _free_handle(wanted: str, name: str, email: str) -> str:
    """Return a handle nobody has or had, made from what was wished, the name, or the address."""
    sources = (wanted, name, email.partition("@")[0])
    stem = next((slug for source in sources if (slug := slug_of(source, longest=36))), "member")
    taken = {row["handle"] for row in await _HANDLES(handle=stem, like=stem + "-%")} | RESERVED_HANDLES
    taken |= await history.former_slugs("member", stem)
    number, found = 1, stem
    while found in taken:
        number += 1
        found = f"{stem}-{number}"
    return found


async def reset_password(actor: Actor, member: int) -> str:
    """Take a member's password away, end all sessions, and return the token of a sign-in link to hand over.

    Administrators and the system may; the member chooses a new password after coming in by the link.
    """
    _demand_administrator(actor)
    await _existing(member)
    async with transaction():
        await _PASSWORD(id=member, password_hash=None)
        await close_other_sessions(member, None)
        token = await make_sign_in_link(actor, member)
        await record("member.password_reset", actor.member, f"member:{member}", {})
    return token


async def change_role(actor: Actor, member: int, role: str) -> MemberRow:
    """Give a member another role of the site; administrators and the system may.

    Raises Conflict for the last active administrator: somebody must be able to administer the site.
    """
    _demand_administrator(actor)
    if role not in SITE_ROLES:
        raise Invalid({"role": _l("There is no such role.")})
    async with transaction():
        row = await _existing(member)
        if row.role == "administrator" and role != "administrator":
            await _keep_an_administrator(row)
        await _ROLE(id=member, role=role)
        await record("member.role_changed", actor.member, f"member:{member}", {"from": row.role, "to": role})
    return await _existing(member)


async def _keep_an_administrator(row: MemberRow) -> None:
    await _HOLD_ADMINISTRATORS()
    if row.state == "active" and await Member.administrators_beside(row.id) == 0:
        raise Conflict(
            _l("This is the last administrator."), remedy=_l("Make somebody else an administrator first.")
        )


async def suspend_member(actor: Actor, member: int) -> None:
    """Keep a member out: sign-in is refused, every session and unused link ends at once. What he wrote stays."""
    _demand_administrator(actor)
    async with transaction():
        row = await _existing(member)
        if row.role == "administrator":
            await _keep_an_administrator(row)
        await _STATE(id=member, state="suspended")
        await close_other_sessions(member, None)
        await cancel_links(member)
        await bump_counter("cards")
        await record("member.suspended", actor.member, f"member:{member}", {})


async def readmit_member(actor: Actor, member: int) -> None:
    """Let a suspended member sign in again."""
    _demand_administrator(actor)
    async with transaction():
        if (await _existing(member)).state == "suspended":
            await _STATE(id=member, state="active")
            await bump_counter("cards")
            await record("member.readmitted", actor.member, f"member:{member}", {})


async def set_manager(actor: Actor, member: int, manager: int | None) -> None:
    """Say whom a member reports to; administrators and the system may. Raises Invalid for a circle."""
    _demand_administrator(actor)
    async with transaction():
        above, steps = manager, 0
        while above is not None and steps < 1000:
            if above == member:
                raise Invalid({"manager": _l("Nobody can be above oneself.")})
            above, steps = (await _existing(above)).manager, steps + 1
        await _MANAGER(id=member, manager=manager)
        await record("member.manager_changed", actor.member, f"member:{member}", {"manager": manager})
