"""The icons of the interface: drawings of Lucide, brought together in one sprite of the names that are used."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from importlib import resources

from parvis.people.names import HUES
from parvis.spaces.icons import ICONS as SPACE_ICONS

__all__ = ("CORE_ICONS", "HUES", "SPACE_ICONS", "build_sprite", "drawings")

CORE_ICONS: tuple[str, ...] = (
    "arrow-left", "arrow-right", "arrow-up", "at-sign", "badge-check", "ban", "bell", "bold", "book-open",
    "bookmark", "briefcase", "building-2", "cake", "calendar", "calendar-days", "camera", "check",
    "chevron-down", "chevron-right", "circle-alert", "circle-check", "circle-question-mark", "circle-user",
    "circle-x", "clock", "clock-3", "cloud-off", "code", "copy", "database", "door-open", "download", "ellipsis",
    "external-link", "eye", "eye-off", "file-text", "fingerprint", "flag", "folder", "globe", "hand-heart",
    "hash", "heading", "history", "house", "image", "inbox", "info", "italic", "key-round", "keyboard", "languages",
    "layout-grid", "link", "list", "list-checks", "list-ordered", "lock", "lock-open", "log-in", "log-out", "mail",
    "map-pin", "menu", "message-circle", "message-square-text", "monitor", "moon", "package", "paperclip",
    "pause", "pencil", "phone", "pin", "pin-off", "plus", "power", "puzzle", "quote", "refresh-cw", "search",
    "send", "settings", "shield", "shield-alert", "shield-check", "sliders-horizontal", "smartphone", "star",
    "sun", "sun-moon", "trash-2", "triangle-alert", "undo-2", "upload", "user-minus", "user-plus", "user-round",
    "users", "users-round", "x", *SPACE_ICONS,
)  # fmt: skip
"""What the templates of the core and the palette of spaces draw; plugins add theirs by `PluginInfo.icons`."""


@cache
def drawings() -> dict[str, str]:
    """Return every drawing of Lucide by name, as the markup inside its `<svg>`."""
    text = resources.files("parvis.web.icons").joinpath("lucide.json").read_text(encoding="utf-8")
    found: dict[str, str] = json.loads(text)
    return found


def build_sprite(names: Iterable[str]) -> str:
    """Return one SVG with a symbol `i-<name>` for each name; a name Lucide lacks is a LookupError."""
    known = drawings()
    symbols = []
    for name in sorted(set(names)):
        if name not in known:
            raise LookupError(f"Lucide 1.62.0 has no icon named {name!r}; see https://lucide.dev/icons")
        symbols.append(f'<symbol id="i-{name}" viewBox="0 0 24 24">{known[name]}</symbol>')
    return f'<svg xmlns="http://www.w3.org/2000/svg">{"".join(symbols)}</svg>\n'
