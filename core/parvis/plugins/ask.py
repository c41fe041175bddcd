"""How a plugin asks others through its own hookspecs: isolated, timed and limited like the core's own hooks."""

from __future__ import annotations

from typing import Any

from parvis.plugins.calls import Answer
from parvis.site import current

__all__ = ("Answer", "ask_all", "ask_first", "tell")


async def ask_all(hook: str, /, **arguments: Any) -> list[Answer]:
    """Ask every enabled plugin that fills the hook, in order; an answer that `failed` has no value.

    Who returns None has no opinion and is left out. LookupError for a hook that nobody specifies.
    """
    return await current().plugins.ask_all(hook, **arguments)


async def ask_first(hook: str, /, **arguments: Any) -> Answer | None:
    """Return the first answer that is not None, passing over plugins that fail; None when nobody answers."""
    return await current().plugins.ask_first(hook, **arguments)


async def tell(hook: str, /, **arguments: Any) -> None:
    """Tell every enabled plugin that fills the hook, in order; failures are logged and counted."""
    await current().plugins.tell(hook, **arguments)
