"""`parvis config show`: what the instance is configured to be, file and variables together."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from parvis.cli.instance import in_instance, with_json
from parvis.cli.say import gettext as _
from parvis.cli.say import say, say_json
from parvis.config import DERIVED, SECTIONS, Config, load_config, masked


@click.group(name="config", help=_("Show the configuration."))
def command() -> None:
    """Collect the verbs about configuration."""


@command.command(help=_("Show every setting as it holds: file and PARVIS_* variables together, no secrets."))
@in_instance
@with_json
def show(directory: str, as_json: bool) -> None:
    """Print the settings; the database's password is masked and the secret key left out."""
    found = shown(load_config(directory, secrets=False))
    if as_json:
        say_json(found)
        return
    say(f"# {found.pop('directory')}")
    for section, settings in found.items():
        say(f"\n[{section}]")
        for name, value in settings.items():
            say(f"{name} = {toml_value(value)}")


def shown(config: Config) -> dict[str, Any]:
    """Return the settings that may be seen."""
    found: dict[str, Any] = {"directory": str(config.directory)}
    for name in SECTIONS:
        section = asdict(getattr(config, name))
        found[name] = {key: value for key, value in section.items() if key not in DERIVED}
    found["database"]["url"] = masked(config.database.url)
    found["limits"] = {name: f"{limit.count}/{limit.seconds}s" for name, limit in config.limits.items()}
    return found


def toml_value(value: object) -> str:
    """Return a value as TOML writes it."""
    import json

    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_value(one) for one in value) + "]"
    return json.dumps(value, ensure_ascii=False)
