"""`parvis member`: add people, give them roles, let them in again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from parvis.cli.instance import configuration, in_instance, in_site, with_json
from parvis.cli.say import gettext as _
from parvis.cli.say import say, say_json, table
from parvis.cli.words import word
from parvis.config import Config
from parvis.config import Phrase as _l  # noqa: N813
from parvis.errors import NotFound

if TYPE_CHECKING:
    from parvis.people.tables import MemberRow

ROLES = ("administrator", "moderator", "member", "guest")
_SHOWN = ("id", "email", "handle", "name", "role", "state", "joined", "last_seen")
_WHO = _("MEMBER is an e-mail address, a handle such as jane-doe, or a number.")


@click.group(name="member", help=_("Add members, change their roles, let them in again."))
def command() -> None:
    """Collect the verbs about members."""


@command.command(help=_("Add a member and print a link that signs in once."))
@in_instance
@click.option("--email", required=True, metavar="ADDRESS", help=_("The address to sign in with."))
@click.option("--name", default="", help=_("The name; without it, the part of the address before the @."))
@click.option(
    "--role", type=click.Choice(ROLES), default="member", show_default=True, help=_("The site role.")
)
@with_json
def add(directory: str, email: str, name: str, role: str, as_json: bool) -> None:
    """Add one member."""
    config = configuration(directory)
    link = in_site(config, lambda site: add_with_link(config, email=email, name=name, role=role))
    _say_link(email, link, as_json)


async def add_with_link(config: Config, *, email: str, name: str, role: str) -> str:
    """Add a member and return the address that signs in once; Invalid names wrong fields."""
    from parvis.data import transaction
    from parvis.people.actions import add_member
    from parvis.people.actor import SYSTEM
    from parvis.people.links import make_sign_in_link

    async with transaction():
        row = await add_member(SYSTEM, email=email, name=name or _name_from(email), role=role)
        return link_address(config, await make_sign_in_link(SYSTEM, row.id))


def _name_from(email: str) -> str:
    words = email.partition("@")[0].replace(".", " ").replace("_", " ").split()
    return " ".join(word.capitalize() for word in words) or email


def link_address(config: Config, token: str) -> str:
    """Return the address of a sign-in link."""
    return f"{config.site.url}/sign-in/{token}"


@command.command(help=_("Give a member another role of the site.") + " " + _WHO)
@in_instance
@click.argument("member", metavar="MEMBER")
@click.argument("role", type=click.Choice(ROLES))
@with_json
def role(directory: str, member: str, role: str, as_json: bool) -> None:
    """Change a role."""

    async def change(site: object) -> MemberRow:
        from parvis.people.actions import change_role
        from parvis.people.actor import SYSTEM

        return await change_role(SYSTEM, (await find(member)).id, role)

    row = in_site(configuration(directory), change)
    if as_json:
        say_json(_shown(row))
    else:
        say(_("{name} is now: {role}.").format(name=row.name, role=word(row.role)))


@command.command(
    help=_("Take a member's password away, end all sessions, and print a link that signs in once.")
    + " "
    + _WHO
)
@in_instance
@click.argument("member", metavar="MEMBER")
@with_json
def reset(directory: str, member: str, as_json: bool) -> None:
    """Reset a password."""
    _make_link(directory, member, as_json, forget_password=True)


@command.command(name="sign-in-link", help=_("Print a link that signs a member in once.") + " " + _WHO)
@in_instance
@click.argument("member", metavar="MEMBER")
@with_json
def sign_in_link(directory: str, member: str, as_json: bool) -> None:
    """Make a sign-in link."""
    _make_link(directory, member, as_json, forget_password=False)


def _make_link(directory: str, member: str, as_json: bool, *, forget_password: bool) -> None:
    config = configuration(directory)

    async def make(site: object) -> tuple[str, str]:
        from parvis.people.actions import reset_password
        from parvis.people.actor import SYSTEM
        from parvis.people.links import make_sign_in_link

        row = await find(member)
        token = await (reset_password if forget_password else make_sign_in_link)(SYSTEM, row.id)
        return row.email, link_address(config, token)

    email, link = in_site(config, make)
    _say_link(email, link, as_json)


def _say_link(email: str, link: str, as_json: bool) -> None:
    if as_json:
        say_json({"email": email, "sign_in_link": link})
    else:
        say(_("{email} signs in once, within 24 hours, at: {link}").format(email=email, link=link))


@command.command(name="list", help=_("List the members."))
@in_instance
@click.option("--role", "only", type=click.Choice(ROLES), help=_("Only those with this role."))
@with_json
def list_members(directory: str, only: str | None, as_json: bool) -> None:
    """List members by name."""

    async def read(site: object) -> list[dict[str, Any]]:
        from parvis.people.tables import Member

        columns = [getattr(Member, name) for name in _SHOWN]
        query = Member.select(*columns).order_by(Member.sort_name, Member.id)
        if only:
            query = query.where(Member.role == only)
        return [dict(row) for row in await query]

    rows = in_site(configuration(directory), read)
    if as_json:
        say_json(rows)
        return
    table([(row["email"], row["name"], word(row["role"]), word(row["state"])) for row in rows])


def _shown(row: MemberRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _SHOWN}


async def find(text: str) -> MemberRow:
    """Return the member meant by an address, a handle or a number; NotFound names what was asked for."""
    from parvis.people.tables import Member

    if "@" in text and not text.startswith("@"):
        row = await Member.with_email(text.strip().lower())
    else:
        row = await Member.with_handle(text.lstrip("@"))
        if row is None and text.isdigit():
            row = await Member.with_id(int(text))
    if row is None:
        raise NotFound(
            _l("There is no member {text}.", text=text), remedy=_l("List them with: parvis member list")
        )
    return row
