"""`parvis migrate`: bring the database's schema up to the program."""

from __future__ import annotations

import asyncio

import click

from parvis.cli.instance import configuration, in_instance, with_json
from parvis.cli.say import gettext as _
from parvis.cli.say import say, say_json


@click.command(name="migrate", help=_("Bring the database up to date. Changes of core and plugins run once."))
@in_instance
@click.option("--check", is_flag=True, help=_("Change nothing; end with 1 when changes wait."))
@with_json
def command(directory: str, check: bool, as_json: bool) -> None:
    """Run or list what is pending, core first, then the plugins that are on."""
    from parvis.cli.database import migrate_all, pending_everywhere

    config = configuration(directory)
    found = asyncio.run(pending_everywhere(config) if check else migrate_all(config))
    names = [f"{app} {step}" for app, steps in found.items() for step in steps]
    if as_json:
        say_json({"waiting" if check else "ran": found})
    elif not names:
        say(_("The database is up to date."))
    else:
        text = _("These changes wait: {names}") if check else _("These changes were made: {names}")
        say(text.format(names=", ".join(names)))
    if check and names:
        raise SystemExit(1)
