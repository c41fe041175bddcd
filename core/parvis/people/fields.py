"""The fields of a profile and of preferences: cleaned, checked, and what is derived from them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from parvis.people.names import clean_line, clean_text, fold, search_text, sort_name_of
from parvis.services.i18n import LANGUAGES, is_time_zone
from parvis.services.i18n import lazy_gettext as _l

Theme = Literal["auto", "light", "dark"]
THEMES: tuple[Theme, ...] = ("auto", "light", "dark")
RESERVED_HANDLES = frozenset({"new", "edit", "me", "all", "admin", "export", "parvis"})
"""Handles that are words of addresses."""
MOST_SKILLS = 30

# Enough to catch a typing error; whether an address exists only a mail can tell.
_EMAIL = re.compile(r"[^@\s\x00-\x1f<>,;]{1,64}@[^@\s\x00-\x1f<>,;]{1,185}\.[^@\s\x00-\x1f<>,;.]{1,63}")
_LONGEST = {"name": 100, "job": 120, "team": 80, "site": 80, "phone": 40, "pronouns": 40}
_LONGEST_ABOUT = 2000
_LONGEST_SKILL = 50


def is_email(email: str) -> bool:
    """Return whether a normalised address could be one."""
    return _EMAIL.fullmatch(email) is not None


def profile_fields(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, object]]:
    """Return cleaned profile columns with those derived from them, and faults by field."""
    fields: dict[str, Any] = {}
    faults: dict[str, object] = {}
    for name, longest in _LONGEST.items():
        fields[name] = clean_line(str(values.get(name) or ""))
        if len(fields[name]) > longest:
            faults[name] = _l("This is too long.")
    if not fields["name"]:
        faults["name"] = _l("Write a name.")
    fields["about"] = clean_text(str(values.get("about") or ""))
    if len(fields["about"]) > _LONGEST_ABOUT:
        faults["about"] = _l("This is too long: 2,000 characters at most.")
    skills = values.get("skills") or ()
    fields["skills"] = _clean_skills(skills.split(",") if isinstance(skills, str) else skills)
    if len(fields["skills"]) > MOST_SKILLS or any(len(skill) > _LONGEST_SKILL for skill in fields["skills"]):
        faults["skills"] = _l("Name at most 30 skills of 50 characters each.")
    fields["sort_name"] = sort_name_of(fields["name"])
    fields["search"] = search_text(
        fields["name"], fields["job"], fields["team"], fields["site"], *fields["skills"]
    )
    return fields, faults


def _clean_skills(skills: Sequence[str]) -> list[str]:
    """Return skills once each, whatever their case and accents, in the order given."""
    found: dict[str, str] = {}
    for skill in skills:
        line = clean_line(str(skill))
        if line:
            found.setdefault(fold(line), line)
    return list(found.values())


def preference_faults(language: str | None, time_zone: str | None) -> dict[str, object]:
    """Return what is wrong with a language and a time zone; None follows the site."""
    faults: dict[str, object] = {}
    if language is not None and language not in LANGUAGES:
        faults["language"] = _l("Parvis does not speak this language yet.")
    if time_zone is not None and not is_time_zone(time_zone):
        faults["time_zone"] = _l("There is no such time zone.")
    return faults
