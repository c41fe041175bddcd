"""Every hook of Parvis, in the order of a plugin's life; specifications only, no logic.

Declare and prepare hooks are plain functions; ask and tell hooks are `async def` and awaited by the core.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler

    from parvis.declarations import (
        AuthProvider,
        ContentFilter,
        ContentType,
        Decision,
        Draft,
        Event,
        Fragment,
        NavItem,
        Permission,
        Review,
        Setting,
    )

hookspec = pluggy.HookspecMarker("parvis")
hookimpl = pluggy.HookimplMarker("parvis")

# -- declare: read once when the plugin is loaded; a bad answer quarantines the plugin ------------------------


@hookspec
def register_hookspecs() -> Any:
    """Return a module or class of this plugin's own hookspecs, for other plugins to fill."""


@hookspec
def register_routes() -> Sequence[ControllerRouterHandler]:
    """Return Litestar handlers under the plugin's own URL roots."""
    return ()


@hookspec
def register_content_types() -> Sequence[ContentType]:
    """Return the kinds of content that this plugin keeps the substance of."""
    return ()


@hookspec
def register_content_filters() -> Sequence[ContentFilter]:
    """Return clauses that narrow who reads what."""
    return ()


@hookspec
def register_permissions() -> Sequence[Permission]:
    """Return the verbs this plugin asks about at its doors, with the roles that hold them by default."""
    return ()


@hookspec
def register_settings() -> Sequence[Setting]:
    """Return typed settings from which forms are generated."""
    return ()


@hookspec
def register_navigation() -> Sequence[NavItem]:
    """Return entries of the main, space, member, admin and content menus."""
    return ()


@hookspec
def register_fragments() -> Sequence[Fragment]:
    """Return pieces of page for slots of the core or of other plugins."""
    return ()


@hookspec
def register_auth_providers() -> Sequence[AuthProvider]:
    """Return ways to sign in, tried in order of weight."""
    return ()


# -- prepare: called once while the application is assembled ---------------------------------------------------


@hookspec
def prepare_rendering(jinja: Any, markdown: Any) -> None:
    """Add filters and globals to the Jinja environment, or rules to the Markdown parser."""


# -- ask: awaited while a request waits, with a limit of 1 s ----------------------------------------------------


@hookspec
async def identify(request: Any) -> Any:
    """Return the Actor behind a request, or None to let the next plugin answer; the first answer stops."""


@hookspec
async def decide(actor: Any, permission: str, subjects: Sequence[Any]) -> Sequence[Decision | None]:
    """Return Allow, Deny or None for each subject, in order; any Deny wins, else any Allow, else the role table."""
    return ()


@hookspec
async def review_content(draft: Draft, actor: Any) -> Review | None:
    """Return accept, hold or reject for a text about to be saved; the strictest answer wins."""


# -- tell: the answer is not waited for -------------------------------------------------------------------------


@hookspec
async def startup(app: Any) -> None:
    """Prepare what the plugin needs once before serving; a failure is logged and counted."""


@hookspec
async def on_event(event: Event) -> None:
    """Hear of something after it was committed; handlers skip what they did already."""


@hookspec
async def seed_demo(demo: Any) -> None:
    """Add this plugin's part of the demonstration community to a fresh instance."""
