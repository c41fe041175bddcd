"""What stands around every page: the site, the reader, the menus; a few keyed reads, none per entry."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from parvis.people.cards import person_cards
from parvis.services.counters import members_count
from parvis.services.kept import Kept
from parvis.site import current
from parvis.spaces.access import my_spaces
from parvis.spaces.decide import allowed

if TYPE_CHECKING:
    from parvis.declarations import NavItem
    from parvis.spaces.tables import MySpace
    from parvis.web.request import Request


SHELLS_BYTES = 8 * 1024 * 1024
"""How much memory the kept shells of one process take at most, at about 10 kB each."""

_NUMBERS = count(1)


async def shell_context(request: Request) -> dict[str, Any]:
    """Return the context that the page shell needs, for a member or for nobody; built again when any of it changed.

    `shell_key` in it stands for everything it was made of, as long as it is kept.
    """
    state = request.state_of
    actor = state.actor
    site = current()
    path = request.scope["path"]
    spaces = await my_spaces(actor) if actor.member is not None else []
    items = await _items(request) if actor.member is not None else []
    members = await members_count() if actor.member is not None else 0
    key = (
        actor.member, actor.version, actor.role, actor.shortcuts, state.language, state.theme, path, members,
        site.plugins.version, site.settings.version, site.settings.cards, request.is_partial,
        tuple(spaces), tuple(item.key for item in items),
    )  # fmt: skip
    kept: Kept[dict[str, Any]] | None = site.stash.get("shells")
    if kept is None:
        kept = site.stash["shells"] = Kept(SHELLS_BYTES)
    found = kept.get(key)
    if found is None:
        found = await _shell(request, spaces, items, members)
        # A number of its own: it stands in the keys of what is kept, which are looked up many times a page.
        found["shell_key"] = next(_NUMBERS)
        kept.put(key, found, 10_000)
    return {**found, "flash": state.flash, "request_id": state.request_id}


async def _shell(
    request: Request, spaces: list[MySpace], items: list[NavItem], members: int
) -> dict[str, Any]:
    state = request.state_of
    actor = state.actor
    path = request.scope["path"]
    site = current()
    return {
        "site": {
            "name": site.config.site.name,
            "tagline": site.config.site.tagline,
            "logo_url": None,
            "initial": site.config.site.name[:1].upper(),
            "members_count": members,
        },
        "me": await _me(actor) if actor.member is not None else None,
        "nav": _menu(items, "main", path),
        "nav_spaces": [
            {
                "name": space.name,
                "url": f"/spaces/{space.slug}",
                "icon": space.icon,
                "hue": space.hue,
                "count": 0,
                "current": path == f"/spaces/{space.slug}" or path.startswith(f"/spaces/{space.slug}/"),
            }
            for space in spaces
        ],
        "nav_modules": _menu(items, "member", path),
        "nav_foot": _menu(items, "admin", path),
        "nav_compose": next(iter(_menu(items, "compose", path)), None),
        "lang": state.language,
        "theme": state.theme,
        "shortcuts": actor.shortcuts,
        "path": path,
        "partial": request.is_partial,
        "slots": {},
        **_assets(),
    }


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


async def _items(request: Request) -> list[NavItem]:
    """Return the entries of the menus that this reader is shown."""
    return [
        declared.value
        for declared in current().plugins.navigation
        if declared.value.menu in ("main", "member", "admin", "compose")
        and (declared.value.permission is None or await allowed(request.actor, declared.value.permission))
    ]


def _menu(items: list[NavItem], menu: str, path: str) -> list[dict[str, Any]]:
    from parvis.web.rendering import url

    entries = []
    for item in items:
        if item.menu == menu:
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
