"""Why a plugin is not running: kept in the database as code and particulars, shown in the reader's language."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from parvis.services.i18n import lazy_gettext as _l

TEXTS: dict[str, Any] = {
    "import": _l("It raised an error while it was imported: {error}"),
    "no-info": _l("It has no manifest: plugin.py needs info = PluginInfo(…)."),
    "bad-name": _l(
        "Its name {name} is not usable: lower-case letters, digits and _, and no name of the core."
    ),
    "no-range": _l("Its package does not say which parvis-core it needs; it must depend on parvis-core>=…"),
    "range": _l("It needs parvis-core {range}, and this is {version}."),
    "not-a-range": _l("The range of parvis-core it needs cannot be read: {range}"),
    "unknown-hook": _l("It fills a hook that does not exist: {hook}. {hint}"),
    "bad-hook": _l("Its hook {hook} does not fit: {error}"),
    "wrapper": _l("Its hook {hook} is a wrapper; hooks of plugins only answer."),
    "not-async": _l("Its hook {hook} must be async def."),
    "not-plain": _l("Its hook {hook} must be a plain function, not async def."),
    "declare": _l("It raised an error in {hook}: {error}"),
    "wrong-kind": _l("Its {hook} returned {found}, where {wanted} is expected."),
    "prefix": _l("It declares {what} {name}, which must begin with {wanted}."),
    "root": _l("It declares the address {path}, outside its own: {wanted}."),
    "mount": _l("It declares the mount {path}, which belongs to the core."),
    "taken": _l("It declares {what} {name}, which {other} declares already."),
    "template": _l("It names the template {template}, which must stand in templates/{name}/."),
    "no-template": _l("It names the template {template}, which does not exist."),
    "slot": _l("It fills the slot {slot}, which {owner} does not offer."),
    "guards": _l("Its filter {filter} narrows {types}, which must also stand in PluginInfo(guards=…)."),
    "table": _l("It has the table {table}, which must also stand in PluginInfo(tables=…)."),
    "default": _l("Its setting {name} has a default that does not fit its type."),
    "migration": _l("Its data could not be brought up to date and nothing was changed: {error}"),
    "newer-data": _l("Its data was written by a newer version: {error}"),
    "errors": _l("It failed {count} times within {seconds} s, last in {what}: {error}"),
    "blocked": _l("It kept the whole site waiting for {seconds} s in {what}."),
    "missing": _l("Its package is not installed any more."),
    "update": _l("Its data must be brought up to date first: switch it on again, or run parvis migrate."),
    "reload": _l("It is on as soon as the service has been reloaded."),
    "safe-mode": _l("The site was started in safe mode, with the core alone."),
}

# What a declaration is called in those texts; kept in English, shown in the reader's language.
KINDS: dict[str, Any] = {
    "the content type": _l("the content type"),
    "the content filter": _l("the content filter"),
    "the permission": _l("the permission"),
    "the setting": _l("the setting"),
    "the sign-in provider": _l("the sign-in provider"),
    "the menu entry": _l("the menu entry"),
    "the slot": _l("the slot"),
    "the event": _l("the event"),
    "the table": _l("the table"),
    "the address": _l("the address"),
    "the route": _l("the route"),
    "the hook": _l("the hook"),
    "a sequence": _l("a sequence"),
    "its declarations": _l("its declarations"),
}


@dataclass(frozen=True)
class Reason:
    """One reason: a code of TEXTS and the particulars that fill its places."""

    code: str
    details: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the reason in the current language."""
        text = TEXTS.get(self.code)
        if text is None:
            return self.code
        return str(text).format(**{name: KINDS.get(value, value) for name, value in self.details.items()})

    def dump(self) -> str:
        """Return the form that is kept in the database."""
        return json.dumps([self.code, self.details], ensure_ascii=False)

    @classmethod
    def load(cls, text: str) -> Reason | None:
        """Return what `dump` wrote; None for no reason."""
        if not text:
            return None
        code, details = json.loads(text)
        return cls(code, details)


class Fault(Exception):
    """A plugin cannot run; carries the reason and is turned into a quarantine, never shown as it is."""

    def __init__(self, code: str, **details: object) -> None:
        self.reason = Reason(code, {key: str(value) for key, value in details.items()})
        super().__init__(str(self.reason))


def told(error: BaseException) -> str:
    """Return an error in one line: its kind and message."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
