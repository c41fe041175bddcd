"""`parvis demo`: a living community on an embedded database, made if it is missing, opened if it is there."""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import sys
import time
import tomllib
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import click

from parvis.cli.init import FolderTaken, Wishes, make_instance
from parvis.cli.port import check_port
from parvis.cli.say import gettext as _
from parvis.cli.say import language, say, translate_now, warn
from parvis.cli.serve import address_of, announcing, warn_about_workers
from parvis.config import LANGUAGES, Config, check_settings, is_loopback, load_config
from parvis.config import Phrase as _l  # noqa: N813
from parvis.errors import ParvisError

if TYPE_CHECKING:
    from parvis.site import Site

# Says that a folder was made by this command and may be remade by it; holds how far it got.
MARKER = ".parvis-demo"
SEEDING, COMPLETE = "seeding", "complete"
ACCOUNTS = ("admin@demo.example", "member@demo.example")
PASSWORD = "parvis-demo"  # noqa: S105 - told to everybody on purpose


class DemoFailed(ParvisError):
    """A plugin could not start, or could not add its part to the demo."""


@click.command(
    name="demo",
    help=_("Open the demo community. It is made when it is missing, and found again later."),
)
@click.option("--host", default="127.0.0.1", show_default=True, help=_("The address to listen at."))
@click.option("--port", default=8000, show_default=True, help=_("The port to listen at."))
@click.option(
    "--dir", "directory", default="demo", show_default=True, metavar="DIR", help=_("Where it is kept.")
)
@click.option("--fresh", is_flag=True, help=_("Throw the demo away and make it anew."))
@click.option("--lang", type=click.Choice(LANGUAGES), help=_("The language of visitors; French without it."))
@click.option("--workers", default=1, show_default=True, help=_("The number of web processes."))
def command(host: str, port: int, directory: str, fresh: bool, lang: str | None, workers: int) -> None:
    """Make or open the demo, then serve it."""
    from parvis.server import serve

    folder = Path(directory).absolute()
    # The company is French, and so is its interface unless told otherwise; each visitor can change it.
    chosen = lang or "fr"
    environ = demo_environment(host, port, workers, lang)
    # Whatever is wrong is told before anything is made or thrown away.
    check_settings(environ)
    check_port(host, port)
    if is_to_be_made(folder, fresh=fresh):
        make_demo(folder, chosen, environ)
    config = load_config(folder, environ)
    warn_about_workers(config)
    if not is_loopback(host):
        warn(
            _(
                "The password of every demo account is public, and {host} is reached from other machines."
            ).format(host=host)
        )
    serve(config, migrate=True, ready=announcing(config, lambda: greet(config)))


def demo_environment(host: str, port: int, workers: int, lang: str | None) -> dict[str, str]:
    """Return the settings of the demo as variables; PARVIS_* of a real instance do not reach it."""
    kept = ("PARVIS_LANG", "PARVIS_LOG_", "PARVIS_SAFE_MODE")
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PARVIS_") or name.startswith(kept)
    }
    environ.update(PARVIS_SERVER_HOST=host, PARVIS_SERVER_PORT=str(port), PARVIS_SERVER_WORKERS=str(workers))
    name = "localhost" if is_loopback(host) or host in ("0.0.0.0", "::") else host  # noqa: S104
    environ["PARVIS_SITE_URL"] = f"http://{f'[{name}]' if ':' in name else name}:{port}"
    if not is_loopback(host):
        # Nobody knows under which name other machines reach this one.
        environ["PARVIS_SERVER_ALLOWED_HOSTS"] = "*"
    if lang:
        environ["PARVIS_SITE_LANGUAGE"] = lang
    return environ


def marked(folder: Path) -> str:
    """Return how far the demo in a folder got; empty when the folder is no demo."""
    try:
        return (folder / MARKER).read_text(encoding="utf-8").strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""


def is_to_be_made(folder: Path, *, fresh: bool) -> bool:
    """Whether the demo must be made; what is left of an interrupted or unwanted one is removed.

    Raises FolderTaken when the folder holds something else: only what this command made is ever removed.
    """
    state = marked(folder)
    if state == COMPLETE and not fresh:
        return False
    if state:
        if state != COMPLETE:
            say(_("The demo in {folder} was left unfinished: it is made anew.").format(folder=folder))
        shutil.rmtree(folder)
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FolderTaken(
            _l("{folder} is not empty and was not made by parvis demo.", folder=folder),
            remedy=_l("Choose another folder with --dir."),
        )
    return True


def make_demo(folder: Path, language: str, environ: Mapping[str, str]) -> None:
    """Make the instance and fill it, in a process of its own that takes its memory along when it ends."""
    started = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    # First of all, so that a half-made demo is known as one.
    mark(folder, SEEDING)
    say(_("Making the demo in {folder}").format(folder=folder))
    make_instance(folder, company_wishes(language))
    # Made with every plugin, also when it is to be shown in safe mode first.
    config = load_config(folder, {**environ, "PARVIS_SAFE_MODE": "0"})
    child = multiprocessing.get_context("fork").Process(target=_fill, args=(config,))
    child.start()
    try:
        child.join()
    except KeyboardInterrupt:
        child.join(5)
        raise
    if child.exitcode:
        # The child said why. What it began is no community, and its folder may be in the way of a second try.
        shutil.rmtree(folder, ignore_errors=True)
        sys.exit(1 if child.exitcode < 0 else child.exitcode)
    mark(folder, COMPLETE)
    say(
        _("The demo is ready after {seconds} s, in {folder}").format(
            seconds=round(time.monotonic() - started), folder=folder
        )
    )


def company_wishes(language: str) -> Wishes:
    """Return the configuration of the demo's company; visitors get the language that was chosen."""
    text = (resources.files("parvis.demo") / "company.toml").read_text(encoding="utf-8")
    company = tomllib.loads(text)["company"]
    return Wishes(
        name=company["name"], tagline=company["tagline"], language=language, time_zone=company["time_zone"]
    )


def mark(folder: Path, state: str) -> None:
    """Write how far the demo got, at once or not at all."""
    new = folder / f"{MARKER}.new"
    new.write_text(state + "\n", encoding="utf-8")
    new.replace(folder / MARKER)


def _fill(config: Config) -> None:
    """Seed the demo in this process and end it; an error is said in one line."""
    from parvis.cli import exit_code

    try:
        _seed(config)
        code = 0
    except KeyboardInterrupt:
        # Ctrl-C reached the parent too, which says so.
        code = 130
    except BaseException as error:
        # Shown with --traceback alone.
        logging.getLogger("parvis").error("the demo could not be made", exc_info=error)
        code = exit_code(error)
    sys.stdout.flush()
    os._exit(code)


def _seed(config: Config) -> None:
    import asyncio

    async def fill() -> None:
        from parvis.app import open_site
        from parvis.cli.database import prepare_database
        from parvis.demo import seed
        from parvis.services.i18n import use_locale

        await prepare_database(config, migrate=True)
        async with open_site(config) as site:
            try:
                refuse_missing_parts(site)
                await seed(progress_bar(sys.stderr.isatty()))
                refuse_missing_parts(site)
            except ParvisError as error:
                use_locale(language(), config.site.time_zone)
                translate_now(error)
                raise

    asyncio.run(fill())


def refuse_missing_parts(site: Site) -> None:
    """Raise DemoFailed when a plugin could not start or could not add its part: the demo would lack it for good.

    Plugins are told to add it, so their errors are counted and come back to nobody else.
    """
    for name, row in sorted(site.plugins.rows.items()):
        if row.state == "quarantined":
            raise _failed(name, row.reason)
        counted = site.plugins.calls.of(name).get("seed_demo")
        if counted is not None and counted.errors:
            raise _failed(name, counted.last_error)


def _failed(plugin: str, reason: object) -> DemoFailed:
    return DemoFailed(
        _l("The demo was not made: the module {name} failed. {reason}", name=plugin, reason=reason),
        remedy=_l("Mend or uninstall it, then run the command again. --traceback shows where it failed."),
    )


def progress_bar(is_terminal: bool) -> Callable[[str, int, int], None]:
    """Return what draws progress: one moving line a step on a terminal, its beginning and end elsewhere."""
    labels = {
        "people": _("Adding people"),
        "portraits": _("Adding portraits"),
        "spaces": _("Opening spaces"),
        "posts": _("Writing posts"),
        "pictures": _("Adding pictures"),
    }

    def progress(what: str, done: int, total: int) -> None:
        label = labels.get(what, what)
        if is_terminal:
            filled = 25 * done // max(total, 1)
            bar = "█" * filled + "░" * (25 - filled)
            end = "\n" if done >= total else ""
            print(f"\r  {label:<24} {bar} {done:>4}/{total}", end=end, file=sys.stderr, flush=True)
        elif done >= total:
            print(f"  {label:<24} {total}", file=sys.stderr, flush=True)

    return progress


def greet(config: Config) -> None:
    """Print where the demo is and who may sign in."""
    say()
    say(f"  {address_of(config)}")
    say()
    for account in ACCOUNTS:
        say(f"  {account}")
    say("  " + _("all passwords: {password}").format(password=PASSWORD))
    say()
    say("  " + _("Ctrl-C ends the demo; the same command opens it again."))
