"""Dates, numbers, sizes and lists as they are written in the language in use; Babel knows how.

Import these names from `parvis.services.i18n`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

import babel
from babel import dates, lists, numbers, units

from parvis.services.languages import locale_in_use
from parvis.site import current

Style = Literal["full", "long", "medium", "short"]

FOR_TEMPLATES = (
    "format_date",
    "format_duration",
    "format_list",
    "format_local",
    "format_moment",
    "format_month",
    "format_number",
    "format_percent",
    "format_relative",
    "format_size",
    "format_time",
)

# English as it is written in Europe: day before month and a clock of 24 hours, as in French, so that 3/4
# never means two days in one company.
_BABEL = {"fr": babel.Locale.parse("fr"), "en": babel.Locale.parse("en_GB")}
# What CLDR calls atTime; Babel gives only the form with a comma.
_AT = {"fr": "{1} à {0}", "en": "{1} at {0}"}


def to_local(moment: datetime) -> datetime:
    """Return a moment in the time zone in use; a naive one is taken as UTC, as everything is stored."""
    return _in_zone(moment, locale_in_use.get().zone)


def _in_zone(moment: datetime, zone: tzinfo) -> datetime:
    return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).astimezone(zone)


def today() -> date:
    """Return the day it is in the time zone in use."""
    return datetime.now(locale_in_use.get().zone).date()


def format_date(value: date, style: Style = "long") -> str:
    """Return a day, or the day of a moment in the time zone in use: “23 November 2026” when long."""
    day = to_local(value).date() if isinstance(value, datetime) else value
    return _day(day, style, locale_in_use.get().language)


@lru_cache(maxsize=4096)
def _day(day: date, style: Style, language: str) -> str:
    return dates.format_date(day, style, locale=_BABEL[language])


def format_month(value: date) -> str:
    """Return the month of a day with its year: “November 2026”."""
    day = to_local(value).date() if isinstance(value, datetime) else value
    return dates.format_skeleton("yMMMM", datetime(day.year, day.month, 1, tzinfo=UTC), locale=_babel())


def format_time(moment: datetime, style: Style = "short") -> str:
    """Return the time of day of a moment in the time zone in use: “14:05” when short."""
    local = to_local(moment)
    return dates.format_time(local.time(), style, tzinfo=local.tzinfo, locale=_babel())


def format_local(moment: datetime, style: Style = "long") -> str:
    """Return day and time of a moment in the time zone in use; seconds are left out."""
    return _moment(to_local(moment), style, locale_in_use.get().language)


def format_moment(moment: datetime, style: Style = "long") -> str:
    """Return day and time of a moment in the site's zone, the same for every reader of a language.

    Kept cards are written with this one; script then says it in the reader's own zone.
    """
    return _moment(_in_zone(moment, _site_zone()), style, locale_in_use.get().language)


def _site_zone() -> tzinfo:
    try:
        return ZoneInfo(current().config.site.time_zone)
    except RuntimeError:  # no instance is open: a command before it, or a test
        return locale_in_use.get().zone


def _moment(local: datetime, style: Style, language: str) -> str:
    found = _BABEL[language]
    long = style in ("full", "long")
    pattern = _AT[language] if long else str(dates.get_datetime_format(style, locale=found))
    time = dates.format_time(local.time(), "short", locale=found)
    return pattern.replace("'", "").replace("{0}", time).replace("{1}", _day(local.date(), style, language))


def format_relative(moment: datetime, now: datetime | None = None) -> str:
    """Return how long ago a moment was, up to a week, then its day: for pages without script."""
    passed = (now or datetime.now(UTC)) - _in_zone(moment, UTC)
    if abs(passed) >= timedelta(days=7):
        return format_date(moment)
    return dates.format_timedelta(-passed, add_direction=True, threshold=1.0, locale=_babel())


def format_duration(seconds: float) -> str:
    """Return how long something lasts, in its largest unit: “5 minutes”."""
    return dates.format_timedelta(timedelta(seconds=seconds), threshold=1.0, locale=_babel())


def format_number(value: float, digits: int | None = None) -> str:
    """Return a number with local separators; `digits` after the point are rounded to and always shown."""
    if digits is None and isinstance(value, int) and -1000 < value < 1000:
        return str(value)
    pattern = None if digits is None else "#,##0" + ("." + "0" * digits if digits else "")
    return numbers.format_decimal(value, format=pattern, locale=_babel())


def format_percent(share: float, digits: int = 0) -> str:
    """Return a share of 1 in per cent."""
    number = "#,##0" + ("." + "0" * digits if digits else "")
    pattern = numbers.format_percent(0, locale=_babel()).replace("0", number)
    return numbers.format_percent(share, format=pattern, locale=_babel())


_UNITS = ("digital-byte", "digital-kilobyte", "digital-megabyte", "digital-gigabyte", "digital-terabyte")


def format_size(size: int) -> str:
    """Return a number of bytes in decimal units, as disks count: “1.4 MB”, in French “1,4 Mo”."""
    value, step = float(size), 0
    while value >= 999.5 and step < len(_UNITS) - 1:
        value, step = value / 1000, step + 1
    pattern = "#,##0" if step == 0 or value >= 10 else "#,##0.#"
    length: Literal["short", "long"] = "short" if step else "long"
    return units.format_unit(value, _UNITS[step], length, format=pattern, locale=_babel())


def format_list(items: Iterable[object], style: Literal["standard", "or", "unit"] = "standard") -> str:
    """Return several things as one phrase: “Ana, Bo and Cy”."""
    return lists.format_list([str(item) for item in items], style, locale=_babel())


def _babel() -> babel.Locale:
    return _BABEL[locale_in_use.get().language]
