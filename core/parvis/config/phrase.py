"""Messages of configuration, which stands below the translation service."""

from __future__ import annotations

from collections.abc import Callable


class Phrase:
    """An English message with its values, put into the reader's language by whoever shows it.

    Configuration stands below the translation service, so it cannot call gettext; `str()` gives English.
    """

    __slots__ = ("msgid", "values")

    def __init__(self, msgid: str, **values: object) -> None:
        self.msgid = msgid
        self.values = values

    def translated(self, translate: Callable[[str], str]) -> str:
        """Return the message through `translate`, values that are phrases themselves included."""
        values = {
            name: value.translated(translate) if isinstance(value, Phrase) else value
            for name, value in self.values.items()
        }
        return translate(self.msgid).format_map(values)

    def __str__(self) -> str:
        return self.translated(str)
