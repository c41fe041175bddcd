"""`parvis plugin`: what is installed, in which state and why; switching on and off."""

from __future__ import annotations

import sys
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import click

from parvis.cli.instance import configuration, in_instance, in_site, with_json
from parvis.cli.say import gettext as _
from parvis.cli.say import say, say_json, table, told
from parvis.cli.words import word
from parvis.config import Phrase as _l  # noqa: N813
from parvis.errors import Conflict, NotFound

if TYPE_CHECKING:
    from parvis.site import Site


@click.group(name="plugin", help=_("List plugins, switch them on and off."))
def command() -> None:
    """Collect the verbs about plugins."""


@command.command(name="list", help=_("List the installed plugins with their states."))
@in_instance
@with_json
def list_plugins(directory: str, as_json: bool) -> None:
    """List all plugins."""
    found = in_site(configuration(directory), _described)
    if as_json:
        say_json(found)
    else:
        table(
            [
                (one["name"], word(one["state"]), one["version"], one["reason"] or one["summary"])
                for one in found
            ]
        )


@command.command(help=_("Show one plugin: state, reason, what it declares."))
@in_instance
@click.argument("name")
@with_json
def show(directory: str, name: str, as_json: bool) -> None:
    """Show one plugin."""
    found = in_site(configuration(directory), lambda site: _one(site, name))
    _show(found, as_json)


@command.command(help=_("Switch a plugin on; a running server follows within a second."))
@in_instance
@click.argument("name")
@with_json
def enable(directory: str, name: str, as_json: bool) -> None:
    """Enable one plugin; code that the server has not loaded yet comes in by a rolling reload."""
    config = configuration(directory)

    async def switch(site: Site) -> tuple[dict[str, Any], bool]:
        before = await _one(site, name)
        await site.plugins.enable(name)
        return await _one(site, name), before["state"] not in ("enabled", "disabled", "suspended")

    found, is_new = in_site(config, switch)
    _show(found, as_json)
    if is_new:
        from parvis.cli.running import reload_server

        reload_server(config)


@command.command(
    help=_("Switch a plugin off; its data is kept and a running server follows within a second.")
)
@in_instance
@click.argument("name")
@click.option("--yes", is_flag=True, help=_("Also when content that it hides becomes visible."))
@with_json
def disable(directory: str, name: str, yes: bool, as_json: bool) -> None:
    """Disable one plugin; whoever sits at a terminal is asked before what it hides becomes visible."""
    config = configuration(directory)
    confirmed = yes or not in_site(config, lambda site: _hides(site, name)) or _asked(name)

    async def switch(site: Site) -> dict[str, Any]:
        await site.plugins.disable(name, confirm=confirmed)
        return await _one(site, name)

    _show(in_site(config, switch), as_json)


async def _hides(site: Site, name: str) -> bool:
    """Whether content that this plugin hides would become visible without it."""
    plugin = await _one(site, name)
    return bool(plugin["guards"]) and plugin["state"] != "disabled"


def _asked(name: str) -> bool:
    """Ask the one at the terminal; Aborted by a no, Conflict where nobody can answer."""
    if not sys.stdin.isatty():
        raise Conflict(
            _l(
                "{name} hides content. Without it, everyone who may read that content otherwise will see it.",
                name=name,
            ),
            remedy=_l("If that is meant, run the command again with --yes."),
        )
    question = _(
        "{name} hides content. Without it, everyone who may read that content otherwise will see it."
    )
    # On stderr: with --json the result alone is on stdout.
    return click.confirm(question.format(name=name) + " " + _("Switch it off?"), abort=True, err=True)


async def _described(site: Site) -> list[dict[str, Any]]:
    """Return the plugins as texts in the language of the terminal."""
    return [_plain(plugin) for plugin in await site.plugins.describe()]


def _plain(value: Any) -> Any:
    """Return what JSON can hold: lazy texts and reasons as text."""
    if value is None or isinstance(value, bool | int | float):
        return value
    # A reason is a dataclass that says itself in the reader's language.
    if is_dataclass(value) and type(value).__str__ is object.__str__:
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    return str(value)


async def _one(site: Site, name: str) -> dict[str, Any]:
    for plugin in await _described(site):
        if plugin["name"] == name:
            return plugin
    raise NotFound(
        _l("No plugin {name} is installed.", name=name), remedy=_l("List them with: parvis plugin list")
    )


# What people are shown of a plugin, in this order; JSON holds everything.
_SHOWN = {
    "label": _l("name"),
    "summary": _l("what it does"),
    "version": _l("version"),
    "state": _l("state"),
    "reason": _l("reason"),
    "distribution": _l("package"),
    "core_range": _l("needs parvis-core"),
    "guards": _l("hides content of the types"),
    "tables": _l("tables, with their rows"),
    "content_types": _l("types of content"),
    "filters": _l("filters of content"),
    "permissions": _l("permissions"),
    "settings": _l("settings"),
    "slots": _l("offers the slots"),
    "fills": _l("fills the slots"),
    "events": _l("events"),
    "mounts": _l("addresses outside its own"),
    "hooks": _l("hooks"),
    "routes": _l("addresses"),
}


def _show(plugin: dict[str, Any], as_json: bool) -> None:
    if as_json:
        say_json(plugin)
        return
    for key, label in _SHOWN.items():
        value = plugin[key]
        if key == "state":
            value = word(value)
        elif isinstance(value, dict):
            value = ", ".join(f"{table} ({'–' if rows is None else rows})" for table, rows in value.items())
        elif isinstance(value, list):
            value = ", ".join(value)
        if value:
            say(_("{label}: {value}").format(label=told(label), value=value))
