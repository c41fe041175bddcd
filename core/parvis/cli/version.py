"""`parvis version`: which program this is."""

from __future__ import annotations

import platform

import click

from parvis import __version__
from parvis.cli.instance import with_json
from parvis.cli.say import gettext as _
from parvis.cli.say import say, say_json


@click.command(name="version", help=_("Print the versions of Parvis and Python."))
@with_json
def command(as_json: bool) -> None:
    """Print the versions that a bug report needs."""
    if as_json:
        say_json({"parvis": __version__, "python": platform.python_version()})
    else:
        say(f"parvis {__version__} (Python {platform.python_version()})")
