"""The `parvis` command; a verb is imported when it is used, so that the server's supervisor is small."""

from __future__ import annotations

import errno
import importlib
import logging
import os
import sys
import warnings
from collections.abc import Sequence

import click

from parvis.cli.say import gettext as _
from parvis.cli.say import told, warn
from parvis.config import Phrase as _l  # noqa: N813
from parvis.errors import ParvisError

COMMANDS = {
    "init": "parvis.cli.init",
    "serve": "parvis.cli.serve",
    "demo": "parvis.cli.demo",
    "migrate": "parvis.cli.migrate",
    "member": "parvis.cli.member",
    "plugin": "parvis.cli.plugin",
    "doctor": "parvis.cli.doctor",
    "config": "parvis.cli.configuration",
    "version": "parvis.cli.version",
}


class Verbs(click.Group):
    """A group whose commands are modules, imported on demand; each module's `command` is the command."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command."""
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = importlib.import_module(COMMANDS[cmd_name]).command
        return found


@click.command(
    cls=Verbs,
    help=_("Parvis: a company's own social network and lightweight intranet."),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("--traceback", is_flag=True, help=_("Show where in the program an error happened."))
def parvis(traceback: bool) -> None:
    """Collect the options that stand before the verb."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 it could not be done, 2 wrong usage, 130 interrupted."""
    # What an instance writes is personal: other users of the machine get nothing, whatever the shell's mask.
    os.umask(os.umask(0o077) | 0o027)
    # Piccolo warns, over several lines, of what our own errors say in one.
    warnings.filterwarnings("ignore", module="piccolo")
    words = list(sys.argv[1:] if arguments is None else arguments)
    traceback = "--traceback" in words
    # The option may stand anywhere: whoever needs it adds it to the line that failed.
    words = [word for word in words if word != "--traceback"]
    if not traceback:
        # Commands tell in one line what went wrong, so the same in many need not stand above it. `serve` sets up
        # logs of its own.
        logging.getLogger().addHandler(logging.NullHandler())
    try:
        code = parvis.main(args=words, prog_name="parvis", standalone_mode=False)
    except BaseException as error:
        if traceback and not isinstance(error, SystemExit | click.ClickException | click.exceptions.Exit):
            raise
        code = exit_code(error)
    sys.exit(code if isinstance(code, int) else 0)


def exit_code(error: BaseException) -> int:
    """Say what went wrong in one line and return the exit code."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, click.UsageError) and not error.format_message().startswith("Usage:"):
        from parvis.cli.usage import wrong_usage

        warn(told(wrong_usage(error)))
        return error.exit_code
    if isinstance(error, click.ClickException):
        # A group without a verb shows its help.
        error.show()
        return error.exit_code
    if isinstance(error, KeyboardInterrupt | click.Abort):
        warn(_("Interrupted."))
        return 130
    if isinstance(error, BrokenPipeError):
        # The reader of our output left (`| head`); Python would complain when it flushes at exit.
        sys.stdout = None
        return 1
    warn(explained(error))
    return 1


def explained(error: BaseException) -> str:
    """Return what happened and what to do, for any error."""
    return told(problem_of(error))


def problem_of(error: BaseException) -> ParvisError:
    """Return any error as one of ours, with what happened and what to do."""
    if isinstance(error, ParvisError):
        return error
    if isinstance(error, OSError):
        return _of_system(error)
    if type(error).__module__ == "sqlite3":
        from parvis.data import bound_engine
        from parvis.data.sqlite_faults import unavailable

        return unavailable(error, str(getattr(bound_engine(), "path", "")))
    return ParvisError(
        _l("Unexpected error: {kind}: {detail}.", kind=type(error).__name__, detail=str(error).rstrip(".")),
        remedy=_l("Run the command again with --traceback and report it."),
    )


def _of_system(error: OSError) -> ParvisError:
    file = error.filename or ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        message = _l("The disk is full: {file}", file=file) if file else _l("The disk is full.")
        return ParvisError(message, remedy=_l("Make room; nothing that was saved is lost."))
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ParvisError(
            _l("{file} may not be written or read by this account.", file=file),
            remedy=_l("Run Parvis as the owner of the instance."),
        )
    return ParvisError(
        _l("{file}: {detail}.", file=file, detail=error.strerror) if file else str(error),
        remedy=_l("Check that the path is right and that its disk can be used."),
    )


__all__ = ("COMMANDS", "exit_code", "explained", "main", "parvis", "problem_of")
