"""Wrong usage of the command line, told in one line and in the language of the terminal; click's own is English."""

from __future__ import annotations

import difflib
import re

import click

from parvis.config import Phrase
from parvis.config import Phrase as _l  # noqa: N813
from parvis.errors import ParvisError


class WrongUsage(ParvisError):
    """The words behind `parvis` are not a command of it; the exit code is 2."""


def wrong_usage(error: click.ClickException) -> WrongUsage:
    """Return click's error as one of ours: what is wrong, and what to write instead."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    remedy = _l("See: {command} --help", command=context.command_path if context else "parvis")
    return WrongUsage(_problem(error), remedy=_instead(error, context) or remedy)


def _problem(error: click.ClickException) -> Phrase:
    # Later versions of click have a class for it, named NoSuchCommand.
    command = getattr(error, "command_name", None)
    if command is not None:
        return _l("There is no command {name}.", name=command)
    if isinstance(error, click.MissingParameter):
        return _l("{name} is missing.", name=_name(error))
    if isinstance(error, click.NoSuchOption):
        return _l("There is no option {name}.", name=error.option_name)
    if isinstance(error, click.BadOptionUsage) and "requires" in error.message:
        return _l("{name} needs a value.", name=error.option_name)
    extra = re.search(r"unexpected extra arguments? \((.*)\)", error.message)
    if extra is not None:
        return _l("{words} is too much.", words=extra[1])
    if isinstance(error, click.BadParameter) and error.param is not None:
        # Click keeps the value in its sentence alone: 'abc' is not a valid integer.
        value = re.match(r"'(.*)' is not ", error.message)
        given = f"{_name(error)} = {value[1]!r}" if value else _name(error)
        if isinstance(error.param.type, click.Choice):
            return _l("{setting}: {problem}", setting=given, problem=_l("not one of the choices."))
        if error.param.type is click.INT:
            return _l("{setting}: {problem}", setting=given, problem=_l("not a number."))
    return _l("The command was not understood: {detail}", detail=error.format_message())


def _name(error: click.BadParameter) -> str:
    """Return an option as it is typed (`--role`), an argument as the help calls it (`MEMBER`)."""
    if isinstance(error.param, click.Option):
        return error.param.opts[-1]
    return (error.param.name or "").upper() if error.param is not None else ""


def _instead(error: click.ClickException, context: click.Context | None) -> Phrase | None:
    """Return what may have been meant."""
    kind = error.param.type if isinstance(error, click.BadParameter) and error.param is not None else None
    if isinstance(kind, click.Choice):
        return _l("Choose one of: {names}.", names=", ".join(map(str, kind.choices)))
    near: list[str] = []
    if isinstance(error, click.NoSuchOption):
        near = list(error.possibilities or ())
    elif hasattr(error, "command_name") and context is not None and isinstance(context.command, click.Group):
        near = difflib.get_close_matches(error.command_name, context.command.list_commands(context), 1)
    return _l("Did you mean {name}?", name=near[0]) if near else None
