"""`parvis init DIR`: a new instance, with a commented configuration, secrets and a data folder."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from parvis.cli.database import make_folders
from parvis.cli.instance import with_json
from parvis.cli.say import gettext as _
from parvis.cli.say import language as terminal_language
from parvis.cli.say import say, say_json
from parvis.config import CONFIG_FILE, LANGUAGES, SECRETS_FILE, load_config, masked
from parvis.config import Phrase as _l  # noqa: N813
from parvis.errors import ConfigError, ParvisError

IGNORED = "/secrets.toml\n/data/\n/parvis.pid\n"


class FolderTaken(ParvisError):
    """The folder holds something that `init` will not write over."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the new instance's configuration shall say."""

    name: str = "Parvis"
    language: str = "fr"
    time_zone: str = "Europe/Paris"
    url: str = "http://localhost:8000"
    database_url: str = "sqlite:///data/parvis.db"
    tagline: str = ""


@click.command(
    name="init", help=_("Make a new instance in DIR. It gets a configuration, secrets and a data folder.")
)
@click.argument("directory", metavar="DIR", required=False, envvar="PARVIS_DIR")
@click.option("--dir", "other", metavar="DIR", help=_("The same as DIR."))
@click.option("--name", default="Parvis", show_default=True, help=_("What the community is called."))
@click.option("--language", type=click.Choice(LANGUAGES), help=_("Its language; without it the terminal's."))
@click.option("--time-zone", default="Europe/Paris", show_default=True, help=_("Its time zone."))
@click.option("--url", default="http://localhost:8000", show_default=True, help=_("Its public address."))
@click.option(
    "--database-url", default="sqlite:///data/parvis.db", show_default=True, help=_("Its database.")
)
@click.option(
    "--admin-email", metavar="ADDRESS", help=_("Add a first administrator and print a sign-in link.")
)
@with_json
def command(
    directory: str | None,
    other: str | None,
    name: str,
    language: str | None,
    time_zone: str,
    url: str,
    database_url: str,
    admin_email: str | None,
    as_json: bool,
) -> None:
    """Make the instance, and its first administrator when asked to."""
    folder = Path(other or directory or ".").absolute()
    wishes = Wishes(name, language or terminal_language(), time_zone, url, database_url)
    made = make_instance(folder, wishes)
    link = first_administrator(folder, admin_email) if admin_email else None
    if as_json:
        say_json({"directory": str(folder), "made": made, "sign_in_link": link})
        return
    say(_("Parvis made an instance in {folder}: {files}").format(folder=folder, files=", ".join(made)))
    if link:
        say(_("{email} signs in once, within 24 hours, at: {link}").format(email=admin_email, link=link))
    else:
        say(
            _("Add an administrator: parvis member add --role administrator --dir {folder}").format(
                folder=folder
            )
        )
    say(_("Start it: parvis serve --dir {folder}").format(folder=folder))


def make_instance(folder: Path, wishes: Wishes) -> list[str]:
    """Write a new instance's files and return their names; an instance without secrets gets new ones.

    Raises FolderTaken when the folder is an instance already or holds other files, ConfigError for wrong
    wishes; nothing is left behind then.
    """
    _check_folder(folder)
    new_folder = not folder.exists()
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    files = {
        CONFIG_FILE: (
            config_text(wishes),
            0o600 if masked(wishes.database_url) != wishes.database_url else 0o640,
        ),
        SECRETS_FILE: (secrets_text(), 0o600),
        ".gitignore": (IGNORED, 0o644),
    }
    made = []
    try:
        for name, (text, mode) in files.items():
            if not (folder / name).exists():
                write_new(folder / name, text, mode)
                made.append(name)
        make_folders(load_config(folder, {}))
    except (ConfigError, OSError):
        for name in made:
            (folder / name).unlink(missing_ok=True)
        if new_folder:
            shutil.rmtree(folder)
        raise
    return [*made, "data/"]


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise FolderTaken(_l("{folder} is a file.", folder=folder), remedy=_l("Choose another folder."))
    if (folder / CONFIG_FILE).exists():
        if (folder / SECRETS_FILE).exists():
            raise FolderTaken(
                _l("{folder} holds a Parvis instance already.", folder=folder),
                remedy=_l(
                    "Start it with: parvis serve --dir {folder}. Or choose another folder.", folder=folder
                ),
            )
        return
    # Hidden files come with a new home folder; anything else belongs to somebody.
    strangers = sorted(item.name for item in folder.glob("*") if not item.name.startswith("."))
    if strangers and strangers != ["lost+found"]:
        raise FolderTaken(
            _l("{folder} is not empty: it holds {name}.", folder=folder, name=strangers[0]),
            remedy=_l("Choose an empty or a new folder."),
        )


def write_new(path: Path, text: str, mode: int) -> None:
    """Write a file that does not exist yet, with its mode from the first byte on."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            os.fchmod(handle, mode)
            stream.write(text)
            stream.flush()
            os.fsync(handle)
    except OSError:
        # Half a file would pass for a whole one at the next try.
        path.unlink()
        raise


def secrets_text() -> str:
    """Return a new secrets.toml."""
    return (
        f"# {_('Signs cookies and links. Keep it secret, and in your backups.')}\n"
        f'secret_key = "{secrets.token_urlsafe(48)}"\n'
    )


def config_text(wishes: Wishes) -> str:
    """Return a commented parvis.toml in the language of the instance; what stands in # is the default."""
    from parvis.cli.template import TEMPLATES

    values: Mapping[str, str] = {
        "name": wishes.name,
        "tagline": wishes.tagline,
        "language": wishes.language,
        "time_zone": wishes.time_zone,
        "url": wishes.url,
        "database_url": wishes.database_url,
    }
    text = TEMPLATES[wishes.language if wishes.language in TEMPLATES else "en"]
    for key, value in values.items():
        text = text.replace(f"<{key}>", json.dumps(value, ensure_ascii=False))
    return text


def first_administrator(folder: Path, email: str) -> str:
    """Add an administrator to a new instance and return the address that signs in once."""
    from parvis.cli.instance import configuration, in_site
    from parvis.cli.member import add_with_link

    config = configuration(str(folder))
    return in_site(config, lambda site: add_with_link(config, email=email, name="", role="administrator"))
