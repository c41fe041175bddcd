"""The languages there are, their catalogues in memory, and the language and time zone of the one who asks.

Import these names from `parvis.services.i18n`.
"""

from __future__ import annotations

import gettext as stdlib_gettext
import logging
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from datetime import UTC, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from babel.messages.pofile import read_po

log = logging.getLogger("parvis.i18n")

LANGUAGES = {"fr": "Français", "en": "English"}
"""The languages one can choose, by code, each with its own name for itself."""
SOURCE = "en"
CORE = "parvis"
"""The domain of the core; a plugin's domain is its name."""

_Messages = dict[Any, Any]


class Catalog:
    """Everything known in one language: `all` holds the core and, below it, every plugin.

    Keys are the msgid, `(context, msgid)` with a context, and for plurals, whose value is a tuple,
    `(None, msgid)` or `(None, context, msgid)`.
    """

    __slots__ = ("all", "domains", "plural", "shown")

    def __init__(self) -> None:
        self.all: _Messages = {}
        self.domains: dict[str, _Messages] = {}
        # Texts without values as templates show them, by template and msgid.
        self.shown: dict[tuple[str | None, str], str] = {}
        self.plural: Callable[[int], int] = _english_plural


def _english_plural(number: int) -> int:
    return 0 if number == 1 else 1


# One instance a process (see parvis.site), so the catalogues are found without going through it: templates
# and lazy texts ask hundreds of times a page. The objects stay, `Catalogs.load` fills them anew.
_catalogs = {language: Catalog() for language in LANGUAGES}


class Catalogs:
    """Reads `locales/<language>.po` of the core and of every plugin into memory."""

    def __init__(self) -> None:
        self.languages = tuple(LANGUAGES)

    def load(self, folders: Mapping[str, Path] | None = None) -> None:
        """Read the catalogues again; `folders` are the plugins' package folders by name.

        A catalogue that cannot be read is logged and left out: its strings are shown in English.
        """
        sources = {**(folders or {}), CORE: Path(__file__).resolve().parent.parent}
        for language, catalog in _catalogs.items():
            domains = {name: _read(folder / "locales" / f"{language}.po") for name, folder in sources.items()}
            catalog.domains = {name: messages for name, (messages, _) in domains.items()}
            catalog.plural = domains[CORE][1] or _PLURALS.get(language, _english_plural)
            merged: _Messages = {}
            for messages in reversed(catalog.domains.values()):
                # Last in `sources`, first here: what the core says a plugin does not replace.
                merged = {**messages, **merged}
            catalog.all = merged
            catalog.shown.clear()

    def languages_of(self, domain: str) -> tuple[str, ...]:
        """Return the languages a domain has a catalogue for, English always among them."""
        return tuple(
            language for language in LANGUAGES
            if language == SOURCE or _catalogs[language].domains.get(domain)
        )  # fmt: skip


_PLURALS: dict[str, Callable[[int], int]] = {"fr": lambda number: 1 if number > 1 else 0}


def _read(path: Path) -> tuple[_Messages, Callable[[int], int] | None]:
    """Return the messages of a .po file and its plural rule; empty when there is no such file."""
    try:
        with path.open("rb") as file:
            parsed = read_po(file, abort_invalid=True)
    except FileNotFoundError:
        return {}, None
    except Exception:
        log.exception("the catalogue %s cannot be read; its strings are shown in English", path)
        return {}, None
    messages: _Messages = {}
    for message in parsed:
        if not message.id or message.fuzzy:
            continue
        if isinstance(message.id, tuple | list):
            forms = tuple(message.string or ())
            if forms and all(forms):
                messages[plural_key(message.id[0], message.context)] = forms
        elif message.string:
            messages[(message.context, message.id) if message.context else message.id] = message.string
    return messages, stdlib_gettext.c2py(parsed.plural_expr)


def plural_key(msgid: str, context: str | None = None) -> tuple[None, str] | tuple[None, str, str]:
    """Return the key of a text with plurals, apart from the same text without."""
    return (None, context, msgid) if context else (None, msgid)


# -- the locale of the one who asks --------------------------------------------------------------------------


class Locale:
    """A language and a time zone, made once and shared by every request that has both."""

    __slots__ = ("catalog", "language", "time_zone", "zone")

    def __init__(self, language: str, time_zone: str, zone: tzinfo) -> None:
        self.language = language
        self.time_zone = time_zone
        self.zone = zone
        self.catalog = _catalogs[language]


class LocaleToken:
    """Puts the former locale back, by `reset()` or at the end of a `with` block."""

    __slots__ = ("_token",)

    def __init__(self, token: Token[Locale]) -> None:
        self._token = token

    def reset(self) -> None:
        """Put the locale back that was in use before."""
        locale_in_use.reset(self._token)

    def __enter__(self) -> LocaleToken:
        return self

    def __exit__(self, *exc: object) -> None:
        self.reset()


@lru_cache(maxsize=2048)
def _locale(language: str, time_zone: str) -> Locale:
    if language not in LANGUAGES:
        log.warning("no language %r here: English is used", language)
        language = SOURCE
    zone: tzinfo = UTC
    if time_zone != "UTC":
        if is_time_zone(time_zone):
            zone = ZoneInfo(time_zone)
        else:
            log.warning("no time zone %r on this machine: UTC is used", time_zone)
            time_zone = "UTC"
    return Locale(language, time_zone, zone)


locale_in_use: ContextVar[Locale] = ContextVar("parvis_locale", default=_locale(SOURCE, "UTC"))  # noqa: B039


def use_locale(language: str, time_zone: str = "UTC") -> LocaleToken:
    """Speak this language in this time zone from here on, in this task; the token puts the former one back.

    What does not exist here becomes English and UTC: a page is better shown so than not at all.
    """
    return LocaleToken(locale_in_use.set(_locale(language, time_zone)))


def current_locale() -> Locale:
    """Return the locale in use in this task."""
    return locale_in_use.get()


def current_language() -> str:
    """Return the code of the language in use in this task, such as "fr"."""
    return locale_in_use.get().language


def is_time_zone(name: str) -> bool:
    """Whether this machine's time zone data knows a name such as Europe/Paris."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return False
    return bool(name)


@lru_cache(maxsize=1)
def time_zones() -> tuple[str, ...]:
    """Return the names of time zones one can choose from, those of places first to last and UTC."""
    return (*sorted(name for name in available_timezones() if name.partition("/")[0] in _AREAS), "UTC")


# Leaves out Etc/, SystemV/ and the short names of one country, which are kept for old programs.
_AREAS = frozenset(
    ["Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"]
)


def negotiate(accept_language: str, default: str = SOURCE) -> str:
    """Return the language of ours that a browser wants most by Accept-Language (RFC 9110, 12.5.4)."""
    best, weight = default, 0.0
    for item in accept_language[:1000].split(","):
        tag, _, rest = item.partition(";")
        language = tag.strip().lower().partition("-")[0]
        if language != "*" and language not in LANGUAGES:
            continue
        quality = 1.0
        name, _, value = rest.partition("=")
        if name.strip() == "q":
            try:
                quality = float(value)
            except ValueError:
                continue
        if quality > weight:
            best, weight = (default if language == "*" else language), quality
    return best
