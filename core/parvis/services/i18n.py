"""Words in the reader's language: `gettext as _` and its family, lazy texts, and what templates get.

The source is English, so English needs no catalogue. A lookup is one dict lookup. Languages and the locale in
use stand in `languages`, dates and numbers in `formats` beside this; their names are given here too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from jinja2 import pass_context
from markupsafe import Markup, escape

from parvis.services import formats
from parvis.services.formats import (
    format_date,
    format_duration,
    format_list,
    format_local,
    format_moment,
    format_month,
    format_number,
    format_percent,
    format_relative,
    format_size,
    format_time,
    to_local,
    today,
)
from parvis.services.languages import (
    CORE,
    LANGUAGES,
    Catalog,
    Catalogs,
    Locale,
    LocaleToken,
    current_language,
    current_locale,
    is_time_zone,
    locale_in_use,
    negotiate,
    time_zones,
    use_locale,
)

if TYPE_CHECKING:
    import jinja2

__all__ = (
    "CORE",
    "LANGUAGES",
    "Catalogs",
    "LazyText",
    "Locale",
    "LocaleToken",
    "current_language",
    "current_locale",
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
    "gettext",
    "install",
    "is_time_zone",
    "lazy_gettext",
    "lazy_ngettext",
    "lazy_pgettext",
    "negotiate",
    "ngettext",
    "npgettext",
    "pgettext",
    "time_zones",
    "to_local",
    "today",
    "use_locale",
)

# -- translating ---------------------------------------------------------------------------------------------


def gettext(msgid: str, /, **values: Any) -> str:
    """Return a text in the language in use, with `%(name)s` filled from `values` when there are any."""
    text: str = locale_in_use.get().catalog.all.get(msgid, msgid)
    return text % values if values else text


def pgettext(context: str, msgid: str, /, **values: Any) -> str:
    """Return a text whose msgid means different things in different places."""
    text: str = locale_in_use.get().catalog.all.get((context, msgid), msgid)
    return text % values if values else text


def ngettext(singular: str, plural: str, number: int, /, **values: Any) -> str:
    """Return the form of a text for a number, with `%(name)s` filled; `%(num)s` is the number itself."""
    catalog = locale_in_use.get().catalog
    text = _form(catalog.all.get((None, singular)), catalog, singular, plural, number)
    return text % {"num": format_number(number), **values}


def npgettext(context: str, singular: str, plural: str, number: int, /, **values: Any) -> str:
    """Return the form for a number of a text that means different things in different places."""
    catalog = locale_in_use.get().catalog
    text = _form(catalog.all.get((None, context, singular)), catalog, singular, plural, number)
    return text % {"num": format_number(number), **values}


def _form(forms: tuple[str, ...] | None, catalog: Catalog, singular: str, plural: str, number: int) -> str:
    if forms is None:
        return singular if number == 1 else plural
    return forms[min(catalog.plural(abs(number)), len(forms) - 1)]


class LazyText:
    """A text translated when it is shown, for what is written down before anyone asks: labels, errors, forms.

    Compares with a str by what it says in the language in use.
    """

    __slots__ = ("_args", "_find", "_values")

    def __init__(self, find: Callable[..., str], args: tuple[Any, ...], values: Mapping[str, Any]) -> None:
        self._find = find
        self._args = args
        self._values = values

    def __str__(self) -> str:
        return self._find(*self._args, **self._values)

    def __html__(self) -> str:
        return str(escape(str(self)))

    def __repr__(self) -> str:
        return f"LazyText({self._args[-1]!r})"

    def __mod__(self, values: Mapping[str, Any]) -> LazyText:
        """Fill `%(name)s` places, still lazily."""
        return LazyText(self._find, self._args, {**self._values, **values})

    def format(self, *args: Any, **values: Any) -> LazyText:
        """Fill `{name}` places, still lazily."""
        return LazyText(lambda: str(self).format(*args, **values), (), {})

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other) if isinstance(other, str | LazyText) else NotImplemented

    def __hash__(self) -> int:
        return hash(str(self))

    def __bool__(self) -> bool:
        return bool(str(self))

    def __len__(self) -> int:
        return len(str(self))

    def __contains__(self, part: str) -> bool:
        return part in str(self)

    def __add__(self, other: object) -> str:
        return str(self) + str(other)

    def __radd__(self, other: object) -> str:
        return str(other) + str(self)


def lazy_gettext(msgid: str, /, **values: Any) -> LazyText:
    """Return a text that is translated each time it is shown."""
    return LazyText(gettext, (msgid,), values)


def lazy_pgettext(context: str, msgid: str, /, **values: Any) -> LazyText:
    """Return a text with a context that is translated each time it is shown."""
    return LazyText(pgettext, (context, msgid), values)


def lazy_ngettext(singular: str, plural: str, number: int, /, **values: Any) -> LazyText:
    """Return a text with a number that is translated each time it is shown."""
    return LazyText(ngettext, (singular, plural, number), values)


# -- templates -----------------------------------------------------------------------------------------------


def install(env: jinja2.Environment) -> None:
    """Give templates `_`, `gettext`, `ngettext`, `pgettext`, `npgettext`, `{% trans %}` and the formats.

    A template under `polls/` finds its words in the catalogue of polls first, then anywhere. As with Jinja's
    newstyle functions, values are escaped and a text is always a format: a percent sign is written `%%`.
    """

    @pass_context
    def gettext_(context: Any, msgid: str, /, **values: Any) -> str:
        if values or not context.eval_ctx.autoescape:
            return _filled(context, _found(context, msgid, msgid), values)
        # Most texts have no values: what they become is kept, since a page asks for a hundred of them.
        shown = locale_in_use.get().catalog.shown
        key = (context.name, msgid)
        text = shown.get(key)
        if text is None:
            text = shown[key] = _filled(context, _found(context, msgid, msgid), values)
        return text

    @pass_context
    def pgettext_(context: Any, meaning: str, msgid: str, /, **values: Any) -> str:
        return _filled(context, _found(context, (meaning, msgid), msgid), {"context": meaning, **values})

    @pass_context
    def ngettext_(context: Any, singular: str, plural: str, num: int, /, **values: Any) -> str:
        forms = _found(context, (None, singular), None)
        text = _form(forms, locale_in_use.get().catalog, singular, plural, num)
        return _filled(context, text, {"num": format_number(num), **values})

    @pass_context
    def npgettext_(context: Any, meaning: str, singular: str, plural: str, num: int, /, **values: Any) -> str:
        forms = _found(context, (None, meaning, singular), None)
        text = _form(forms, locale_in_use.get().catalog, singular, plural, num)
        return _filled(context, text, {"num": format_number(num), "context": meaning, **values})

    env.add_extension("jinja2.ext.i18n")
    env.policies["ext.i18n.trimmed"] = True
    env.newstyle_gettext = True  # type: ignore[attr-defined]
    env.globals.update(
        _=gettext_, gettext=gettext_, ngettext=ngettext_, pgettext=pgettext_, npgettext=npgettext_
    )
    env.globals.update({name: getattr(formats, name) for name in formats.FOR_TEMPLATES})


def _found(context: Any, key: Any, default: Any) -> Any:
    catalog = locale_in_use.get().catalog
    own = catalog.domains.get((context.name or "").partition("/")[0])
    if own is not None and key in own:
        return own[key]
    return catalog.all.get(key, default)


def _filled(context: Any, text: str, values: Mapping[str, Any]) -> str:
    # The text is ours, from a template or a catalogue; Markup escapes the values it is filled with.
    return (Markup(text) if context.eval_ctx.autoescape else text) % values  # noqa: S704
