"""Errors that Parvis raises on purpose; each becomes a page, a fragment or RFC 9457 JSON in one place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class ParvisError(Exception):
    """Base of every error with a message for the person concerned and an HTTP status."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "error"

    def __init__(self, message: object = "", *, remedy: object = "") -> None:
        super().__init__(message)
        # Both may be lazily translated strings: they are turned into text when shown.
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return " ".join(part for part in (str(self.message), str(self.remedy)) if part)


class SignInRequired(ParvisError):
    """The page exists only for signed-in members."""

    status = 401
    code = "sign-in-required"


class Forbidden(ParvisError):
    """A reader who may see the thing may not do this with it."""

    status = 403
    code = "forbidden"


class NotFound(ParvisError):
    """Nothing here for this reader; forbidden reading looks the same on purpose."""

    status = 404
    code = "not-found"


class Conflict(ParvisError):
    """Somebody else saved first, or the thing is no longer in the state the action needs."""

    status = 409
    code = "conflict"


class TooLarge(ParvisError):
    """What was sent passes a size limit."""

    status = 413
    code = "too-large"


class Invalid(ParvisError):
    """Fields came back wrong; `fields` maps a field's name to what to mend, `values` keeps what was typed."""

    status = 422
    code = "invalid"

    def __init__(
        self,
        fields: Mapping[str, object],
        *,
        message: object = "",
        values: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.fields = dict(fields)
        self.values = dict(values or {})

    def __str__(self) -> str:
        return str(self.message) or "; ".join(f"{name}: {text}" for name, text in self.fields.items())


class TooMany(ParvisError):
    """A rate limit was reached; `retry_after` is in seconds."""

    status = 429
    code = "too-many-requests"

    def __init__(self, message: object = "", *, retry_after: int = 60) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(ParvisError):
    """A part of the service cannot answer now."""

    status = 503
    code = "unavailable"


class DatabaseUnavailable(Unavailable):
    """The database is locked, read-only, full or out of reach."""


class NewerDatabase(ParvisError):
    """The database was written by a newer program than this one."""


class StorageFull(Unavailable):
    """The disk or the quota has no room left."""

    status = 507
    code = "storage-full"


class ConfigError(ParvisError):
    """A setting of parvis.toml or a PARVIS_* variable is wrong; the message names key, value and remedy."""


class PluginError(ParvisError):
    """A plugin broke a rule of the house; the message names the plugin."""

    def __init__(self, plugin: str, message: object, *, remedy: object = "") -> None:
        super().__init__(message, remedy=remedy)
        self.plugin = plugin

    def __str__(self) -> str:
        return f"{self.plugin}: {super().__str__()}"
