"""What stands around every page: the site, the reader, the menus; a few keyed reads, none per entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parvis.people.cards import person_cards
from parvis.services.counters import members_count
from parvis.site import current
from parvis.spaces.access import my_spaces
from parvis.spaces.decide import allowed

if TYPE_CHECKING:
    from parvis.web.request import Request


async def shell_context(request: Request) -> dict[str, Any]:
    """Return the context that the page shell needs, for a member or for nobody."""
    state = request.state_of
    actor = state.actor
    path = request.scope["path"]
    site = current()
    context: dict[str, Any] = {
        "site": {
            "name": site.config.site.name,
            "tagline": site.config.site.tagline,
            "logo_url": None,
            "initial": site.config.site.name[:1].upper(),
            "members_count": await members_count() if actor.member else 0,
        },
        "actor": actor,
        "me": None,
        "nav": [],
        "nav_spaces": [],
        "nav_modules": [],
        "nav_foot": [],
        "lang": state.language,
        "theme": state.theme,
        "shortcuts": actor.shortcuts,
        "flash": state.flash,
        "path": path,
        "request_id": state.request_id,
        "partial": request.is_partial,
        "slots": {},
        **_assets(),
    }
    if actor.member is not None:
        context["me"] = await _me(actor)
        context["nav_spaces"] = [
            {
                "name": space.name,
                "url": f"/spaces/{space.slug}",
                "icon": space.icon,
                "hue": space.hue,
                "count": 0,
                "current": path == f"/spaces/{space.slug}" or path.startswith(f"/spaces/{space.slug}/"),
            }
            for space in await my_spaces(actor)
        ]
        context["nav"] = await _menu(request, "main")
        context["nav_modules"] = await _menu(request, "member")
        context["nav_foot"] = await _menu(request, "admin")
    return context


def _assets() -> dict[str, list[str]]:
    """Return the stylesheets and scripts that enabled plugins add to every page, by their name's convention."""
    from parvis.web.rendering import renderer

    site = current()
    kept: tuple[int, dict[str, list[str]]] | None = site.stash.get("assets")
    if kept is not None and kept[0] == site.plugins.version:
        return kept[1]
    static = renderer().static
    names = sorted(site.plugins.enabled)
    found = {
        "stylesheets": [
            static.url(f"{name}/{name}.css") for name in names if static.has(f"{name}/{name}.css")
        ],
        "scripts": [static.url(f"{name}/{name}.js") for name in names if static.has(f"{name}/{name}.js")],
    }
    site.stash["assets"] = (site.plugins.version, found)
    return found


async def _me(actor: Any) -> dict[str, Any]:
    card = (await person_cards([actor.member])).get(actor.member)
    return {
        "id": actor.member,
        "name": actor.name,
        "first_name": actor.name.split(" ")[0],
        "handle": actor.handle,
        "url": f"/people/{actor.handle}",
        "avatar": card,
        "role": actor.role,
        "is_admin": actor.role == "administrator",
        "is_guest": actor.is_guest,
    }


async def _menu(request: Request, menu: str) -> list[dict[str, Any]]:
    from parvis.web.rendering import url

    path = request.scope["path"]
    entries = []
    for declared in current().plugins.navigation:
        item = declared.value
        if item.menu != menu:
            continue
        if item.permission is not None and not await allowed(request.actor, item.permission):
            continue
        address = url(item.route)
        entries.append(
            {
                "key": item.key,
                "label": str(item.label),
                "url": address,
                "icon": item.icon,
                "count": 0,
                "hot": False,
                "current": path == address or (address != "/" and path.startswith(address + "/")),
            }
        )
    return entries
