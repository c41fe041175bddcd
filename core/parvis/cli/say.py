"""What the command line says: in the language of the terminal, for people or as JSON, errors on one line."""

from __future__ import annotations

import functools
import json
import os
import re
import sys
from importlib import resources
from typing import Any

from parvis.config import LANGUAGES, Phrase
from parvis.errors import Invalid, ParvisError, PluginError


@functools.cache
def language() -> str:
    """Return the language of the messages: PARVIS_LANG, else the terminal's, else English."""
    for name in ("PARVIS_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        found = os.environ.get(name, "")[:2].lower()
        if found:
            return found if found in LANGUAGES else "en"
    return "en"


@functools.cache
def _catalog(chosen: str) -> dict[str, str]:
    """Return the messages of a language; English stands in the code itself."""
    file = resources.files("parvis") / "locales" / f"{chosen}.po"
    if chosen == "en" or not file.is_file():
        return {}
    from babel.messages.pofile import read_po

    with file.open("rb") as stream:
        entries = read_po(stream, locale=chosen)
    return {
        entry.id: str(entry.string)
        for entry in entries
        if isinstance(entry.id, str) and entry.string and not entry.fuzzy
    }


def gettext(message: str) -> str:
    """Return a message in the terminal's language."""
    return _catalog(language()).get(message, message)


def told(problem: object) -> str:
    """Return an error, a phrase or a text as one line in the terminal's language."""
    if isinstance(problem, Invalid):
        parts = [f"{name}: {told(text)}" for name, text in problem.fields.items()]
        return " ".join([*([told(problem.message)] if problem.message else []), *parts])
    if isinstance(problem, ParvisError):
        message, remedy = told(problem.message) or type(problem).__name__, told(problem.remedy)
        if isinstance(problem, PluginError):
            message = f"{problem.plugin}: {message}"
        if remedy and message[-1] not in ".!?:":
            message += "."
        return f"{message} {remedy}".strip()
    text = problem.translated(gettext) if isinstance(problem, Phrase) else str(problem)
    # No-break spaces stay: French puts them before its punctuation.
    return re.sub(r"[ \t\r\n]+", " ", text).strip()


def translate_now(error: ParvisError) -> None:
    """Turn the lazily translated texts of an error into text while the site that translates them is open."""
    error.message, error.remedy = told(error.message), told(error.remedy)
    if isinstance(error, Invalid):
        error.fields = {name: told(text) for name, text in error.fields.items()}


def say(text: str = "") -> None:
    """Print a line for the reader."""
    print(text, flush=True)


def warn(text: str) -> None:
    """Print a line on stderr that leaves the result as it is."""
    print(f"parvis: {text}", file=sys.stderr, flush=True)


def say_json(value: Any) -> None:
    """Print a result for programs: one JSON document, UTF-8, keys in their order."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=str), flush=True)


def table(rows: list[tuple[str, ...]]) -> None:
    """Print rows in columns that are as wide as their longest cell."""
    if not rows:
        return
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
