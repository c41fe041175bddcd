"""Which instance a command works on, and how it opens it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from parvis.cli.say import gettext as _
from parvis.cli.say import language, translate_now
from parvis.config import Config, load_config
from parvis.errors import ParvisError

if TYPE_CHECKING:
    from parvis.site import Site

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


def in_instance(function: F) -> F:
    """Give a command `--dir`: PARVIS_DIR unless said, else the current folder."""
    return click.option(
        "--dir",
        "directory",
        envvar="PARVIS_DIR",
        default=".",
        metavar="DIR",
        help=_("The instance's folder; without it PARVIS_DIR, else the current folder."),
    )(function)


def with_json(function: F) -> F:
    """Give a command `--json`."""
    return click.option("--json", "as_json", is_flag=True, help=_("Report as JSON, for programs."))(function)


def configuration(directory: str, overrides: Mapping[str, object] | None = None) -> Config:
    """Return the checked configuration; `overrides` are PARVIS_* values of options, None if not given."""
    environ = dict(os.environ)
    environ.update({name: str(value) for name, value in (overrides or {}).items() if value is not None})
    return load_config(directory, environ)


def in_site(config: Config, work: Callable[[Site], Awaitable[T]]) -> T:
    """Open the instance, run `work` in the language of the terminal, and close it again."""

    async def opened() -> T:
        from parvis.cli.database import prepare_database

        await prepare_database(config, migrate=False)
        from parvis.app import open_site
        from parvis.services.i18n import use_locale

        async with open_site(config) as site:
            use_locale(language(), config.site.time_zone)
            try:
                return await work(site)
            except ParvisError as error:
                translate_now(error)
                raise

    return asyncio.run(opened())
