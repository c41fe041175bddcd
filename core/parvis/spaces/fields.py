"""The fields of a space: cleaned and checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from parvis.people.names import HUES, clean_line, clean_text
from parvis.services.i18n import lazy_gettext as _l
from parvis.spaces.icons import ICONS
from parvis.spaces.roles import SPACE_KINDS

RESERVED_SLUGS = frozenset({"new", "all", "mine", "edit"})
_LONGEST_NAME, _LONGEST_DESCRIPTION = 80, 500
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?")


def is_slug(slug: str) -> bool:
    """Return whether this can stand in the address of a space."""
    return _SLUG.fullmatch(slug) is not None


def space_fields(values: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, object]]:
    """Return cleaned columns of a space and faults by field."""
    fields = {
        "name": clean_line(str(values.get("name") or "")),
        "description": clean_text(str(values.get("description") or "")),
        "kind": str(values.get("kind") or "open"),
        "icon": str(values.get("icon") or "users"),
        "hue": str(values.get("hue") or "pine"),
    }
    faults: dict[str, object] = {}
    if not fields["name"]:
        faults["name"] = _l("Write a name.")
    elif len(fields["name"]) > _LONGEST_NAME:
        faults["name"] = _l("This is too long: 80 characters at most.")
    if len(fields["description"]) > _LONGEST_DESCRIPTION:
        faults["description"] = _l("This is too long: 500 characters at most.")
    if fields["kind"] not in SPACE_KINDS:
        faults["kind"] = _l("Choose one of the three kinds.")
    if fields["icon"] not in ICONS:
        faults["icon"] = _l("Choose one of the icons.")
    if fields["hue"] not in HUES:
        faults["hue"] = _l("Choose one of the colours.")
    return fields, faults
