"""The head of a space: its mark, tabs and faces, the same on each of its pages."""

from __future__ import annotations

from typing import Any

from parvis.people.cards import person_cards
from parvis.services.i18n import gettext as _
from parvis.site import current
from parvis.spaces.access import is_readable
from parvis.spaces.decide import allowed
from parvis.spaces.members import faces_of
from parvis.spaces.tables import SpaceRow
from parvis.web.rendering import url
from parvis.web.request import Request


def cover_url(space: SpaceRow, size: int) -> str | None:
    """Return the address of a space's cover in a width in pixels, or None without one."""
    return f"/f/{space.cover}?size={size}" if space.cover is not None else None


async def space_head(request: Request, space: SpaceRow, *, tab: str) -> dict[str, Any]:
    """Return what the head of a space shows: its tabs, some faces, and what the reader may do with it."""
    actor = request.actor
    entered = is_readable(actor, space)
    cards = await person_cards(await faces_of(space)) if entered else {}
    return {
        "space": space,
        "cover_url": cover_url(space, 1600),
        "tabs": await _tabs(request, space, tab, entered=entered),
        "faces": list(cards.values()),
        "may_join": space.role is None and space.kind == "open" and not actor.is_guest,
        "may_leave": space.role is not None,
        "may_edit": await allowed(actor, "spaces.edit", space),
        "may_add": await allowed(actor, "spaces.members", space),
    }


async def _tabs(request: Request, space: SpaceRow, tab: str, *, entered: bool) -> list[dict[str, Any]]:
    """Return the tabs of a space: its feed, those of plugins, its members and what it is for."""

    def entry(key: str, label: str, icon: str, address: str, count: int | None = None) -> dict[str, Any]:
        return {
            "key": key,
            "label": label,
            "icon": icon,
            "url": address,
            "count": count,
            "current": key == tab,
        }

    found = [entry("feed", _("Feed"), "message-square-text", url("spaces.show", slug=space.slug))]
    if entered:
        for declared in current().plugins.navigation:
            item = declared.value
            if item.menu != "space":
                continue
            if item.permission is None or await allowed(request.actor, item.permission, space):
                found.append(entry(item.key, str(item.label), item.icon, url(item.route, slug=space.slug)))
        people = url("spaces.members", slug=space.slug)
        found.append(entry("members", _("Members"), "users-round", people, space.members_count))
    found.append(entry("about", _("About"), "info", url("spaces.about", slug=space.slug)))
    return found
