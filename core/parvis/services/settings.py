"""Settings that administrators, owners and members change at run time, typed by what plugins declared.

Those of the site are in memory: reading one costs a dict lookup. Other processes notice a change by the version in
`site_counter`, which `refresh()` reads each second.
"""

from __future__ import annotations

import json
import logging
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from piccolo.columns import JSON, BigInt, BigSerial, Text

from parvis.data import PreparedSQL, Table, after_commit, transaction
from parvis.declarations import Setting
from parvis.errors import Invalid
from parvis.services.audit import record
from parvis.services.counters import bump_counter, site_counters
from parvis.services.i18n import lazy_gettext as _l

log = logging.getLogger("parvis.settings")

LONGEST = 2_000
"""Characters of a text setting that declares no maximum."""
OWN = "own_settings"
"""The counter of what spaces and members set for themselves: kept cards do not depend on those."""
_MOST_KEPT = 10_000


class SettingRow(Table, tablename="setting"):
    """One value that differs from its declaration's default, for the site, one space or one member."""

    id = BigSerial(primary_key=True)
    scope = Text()
    subject = BigInt(default=0)
    name = Text()
    value = JSON()


_OF_SITE = PreparedSQL("SELECT name, value FROM setting WHERE scope = 'site'", types={"value": "json"})
_OF_SUBJECT = PreparedSQL(
    "SELECT name, value FROM setting WHERE scope = :scope AND subject = :subject",
    short=True,
    types={"value": "json"},
)
_PUT = PreparedSQL(
    "INSERT INTO setting (scope, subject, name, value) VALUES (:scope, :subject, :name, :value)"
    " ON CONFLICT (scope, subject, name) DO UPDATE SET value = excluded.value"
)
_DROP = PreparedSQL("DELETE FROM setting WHERE scope = :scope AND subject = :subject AND name = :name")


class SettingsStore:
    """Every declared setting of one process, with its value."""

    def __init__(self) -> None:
        self._declared: dict[str, Setting] = {}
        self._site: dict[str, Any] = {}
        self._of_subjects: OrderedDict[tuple[str, int], dict[str, Any]] = OrderedDict()
        self._counters: dict[str, int] = {}
        self._read_at: tuple[int | None, ...] = ()

    @property
    def version(self) -> int:
        """Grows with each change of a setting of the site; what is kept with settings in it has this in its key."""
        return self._counters.get("settings", 0)

    @property
    def cards(self) -> int:
        """Grows when people or spaces change in a way that cards show."""
        return self._counters.get("cards", 0)

    async def load(self, declared: Mapping[str, Any]) -> None:
        """Take the declarations, plain or wrapped with their plugin, and read the values of the site."""
        self._declared = {name: getattr(one, "value", one) for name, one in declared.items()}
        await self._read(await site_counters())

    async def refresh(self) -> bool:
        """Notice what another process changed; returns whether a setting did."""
        counters = await site_counters()
        if _versions(counters) != self._read_at:
            await self._read(counters)
            return True
        self._counters = counters
        return False

    def learn_counter(self, name: str, value: int) -> None:
        """Hear at once of a counter this process raised itself; never goes back."""
        if value > self._counters.get(name, 0):
            self._counters[name] = value

    async def _read(self, counters: dict[str, int]) -> None:
        # The counters were read before the values: a change in between is read again, never missed.
        site = {row["name"]: row["value"] for row in await _OF_SITE()}
        self._site, self._counters, self._read_at = site, counters, _versions(counters)
        self._of_subjects.clear()

    def declaration(self, name: str) -> Setting:
        """Return how a setting was declared; LookupError for one that no enabled plugin declares."""
        try:
            return self._declared[name]
        except KeyError:
            raise LookupError(f"no setting is called {name!r}") from None

    def get(self, name: str) -> Any:
        """Return the value of a setting of the site."""
        setting = self._scoped(name, "site")
        return _fitting(setting, self._site)

    async def get_for(self, name: str, subject: int) -> Any:
        """Return the value of a setting for one space or member, by its declared scope."""
        setting = self.declaration(name)
        if setting.scope == "site":
            raise LookupError(f"the setting {name!r} is one of the site")
        key = (setting.scope, subject)
        values = self._of_subjects.get(key)
        if values is None:
            version = self._counters.get(OWN)
            values = {row["name"]: row["value"] for row in await _OF_SUBJECT(scope=key[0], subject=subject)}
            if version == self._counters.get(OWN):
                self._of_subjects[key] = values
                if len(self._of_subjects) > _MOST_KEPT:
                    self._of_subjects.popitem(last=False)
        return _fitting(setting, values)

    async def set(self, name: str, value: object, actor: int | None, subject: int = 0) -> Any:
        """Check a value, as typed in a form or already of its type, keep it, and return it.

        Raises Invalid with the setting's name as the field. A change of the site's is audited.
        """
        setting = self.declaration(name)
        checked = read_value(setting, value)
        async with transaction():
            await _PUT(scope=setting.scope, subject=subject, name=name, value=json.dumps(checked))
            await self._changed(setting, subject, checked, actor)
        return checked

    async def reset(self, name: str, actor: int | None, subject: int = 0) -> None:
        """Go back to the declared default."""
        setting = self.declaration(name)
        async with transaction():
            await _DROP(scope=setting.scope, subject=subject, name=name)
            await self._changed(setting, subject, None, actor)

    async def _changed(self, setting: Setting, subject: int, value: Any, actor: int | None) -> None:
        await bump_counter("settings" if setting.scope == "site" else OWN)
        after_commit(lambda: self._learn(setting, subject, value))
        if setting.scope == "site":
            former = _fitting(setting, self._site)
            now = setting.default if value is None else value
            await record("setting.changed", actor, f"setting:{setting.name}", {"from": former, "to": now})

    def _learn(self, setting: Setting, subject: int, value: Any) -> None:
        if setting.scope != "site":
            self._of_subjects.pop((setting.scope, subject), None)
        elif value is None:
            self._site.pop(setting.name, None)
        else:
            self._site[setting.name] = value

    def _scoped(self, name: str, scope: str) -> Setting:
        setting = self.declaration(name)
        if setting.scope != scope:
            raise LookupError(f"the setting {name!r} is one of each {setting.scope}: use get_for()")
        return setting


def _versions(counters: Mapping[str, int]) -> tuple[int | None, ...]:
    return counters.get("settings"), counters.get(OWN)


def _fitting(setting: Setting, values: Mapping[str, Any]) -> Any:
    """Return the kept value while it still fits its declaration, else the default."""
    if setting.name not in values:
        return setting.default
    value = values[setting.name]
    try:
        return read_value(setting, value)
    except Invalid:
        log.warning(
            "the kept value of the setting %s does not fit any more: its default is used", setting.name
        )
        return setting.default


def read_value(setting: Setting, value: object) -> Any:
    """Return a value of the declared type from what a form, a command or the database gave; Invalid otherwise."""
    if setting.type is bool:
        return _bool(setting, value)
    if setting.type is int:
        return _int(setting, value)
    if setting.type is str:
        return _str(setting, value)
    choices = setting.type if isinstance(setting.type, tuple) else ()
    if value not in choices:
        raise Invalid({setting.name: _l("Choose one of the values offered.")})
    return value


def _bool(setting: Setting, value: object) -> bool:
    if isinstance(value, bool):
        return value
    # A box that is not ticked is not sent at all.
    known = {
        None: False,
        "": False,
        "off": False,
        "false": False,
        "0": False,
        "on": True,
        "true": True,
        "1": True,
    }
    if (value is None or isinstance(value, str)) and value in known:
        return known[value]
    raise Invalid({setting.name: _l("Answer yes or no.")})


def _int(setting: Setting, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise Invalid({setting.name: _l("Write a whole number.")})
    try:
        number = int(value)
    except ValueError:
        raise Invalid({setting.name: _l("Write a whole number.")}) from None
    low = -(2**53) if setting.minimum is None else setting.minimum
    high = 2**53 if setting.maximum is None else setting.maximum
    if not low <= number <= high:
        raise Invalid({setting.name: _l("Write a number from %(low)s to %(high)s.", low=low, high=high)})
    return number


def _str(setting: Setting, value: object) -> str:
    if not isinstance(value, str):
        raise Invalid({setting.name: _l("Write a text.")})
    longest = LONGEST if setting.maximum is None else setting.maximum
    shortest = setting.minimum or 0
    text = value.strip()
    if len(text) > longest:
        raise Invalid({setting.name: _l("Write at most %(longest)s characters.", longest=longest)})
    if len(text) < shortest:
        raise Invalid({setting.name: _l("Write at least %(shortest)s characters.", shortest=shortest)})
    return text
