"""The pages the core itself is made of: home, a space's front, permalinks and what one may do with a content."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from parvis.content import access_content, allowed, may, pin, remove, undo_remove
from parvis.content.access import removed_content
from parvis.errors import NotFound
from parvis.people.cards import person_cards
from parvis.services.i18n import format_date, today
from parvis.services.i18n import gettext as _
from parvis.site import current
from parvis.spaces.access import access_space, access_space_id, is_readable
from parvis.web.cards import render_cards
from parvis.web.rendering import fragment, page, redirect, url
from parvis.web.request import Request
from parvis.web.space_head import space_head


@get("/", name="home")
async def home(request: Request) -> Response[Any]:
    """Show the reader's home, filled by plugins: the feed and what stands beside it."""
    day = format_date(today(), "full")
    return await page(
        request,
        "parvis/home.html",
        slots=("home.top", "home.main", "home.rail"),
        frame=(day,),
        space=None,
        today=day,
    )


@get("/spaces/{slug:str}", name="spaces.show")
async def show_space(request: Request, slug: FromPath[str]) -> Response[Any]:
    """Show the front of a space: its head, tabs, and what plugins put in it."""
    space = await access_space(request.actor, slug)
    entered = is_readable(request.actor, space)
    return await page(
        request,
        "parvis/space/show.html",
        slots=("space.main", "space.rail") if entered else (),
        entered=entered,
        **await space_head(request, space, tab="feed"),
    )


@get("/c/{content_id:int}", name="content.show")
async def show_content(request: Request, content_id: FromPath[int]) -> Response[Any]:
    """Show one content at its lasting address, with what plugins add after it."""
    try:
        row = await access_content(request.actor, content_id)
    except NotFound:
        return await _removed(request, content_id)
    declared = current().plugins.content_types.get(row.type)
    if declared is not None and declared.value.url is not None and row.root is None:
        address = declared.value.url(row)
        if address != request.scope["path"]:
            return redirect(request, address)
    if row.root is not None:
        return redirect(request, f"/c/{row.root}#c-{row.id}")
    (card,) = await render_cards(request, [row])
    people = await person_cards([row.author])
    if request.is_partial:
        return await fragment(request, "parvis/content/_card.html", content=row, card=card)
    return await page(
        request,
        "parvis/content/show.html",
        slots=("content.after",),
        content=row,
        card=card,
        title=row.title or _("Publication by %(name)s", name=people[row.author]["name"]),
        space=None,
    )


async def _removed(request: Request, content_id: int) -> Response[Any]:
    """Tell its author and its remover that a content was removed; NotFound for everybody else."""
    row, removed_by = await removed_content(request.actor, content_id)
    undo = _undo(row.id) if removed_by == request.actor.member else None
    return await page(
        request,
        "parvis/content/removed.html",
        status=410,
        content=row,
        undo=undo,
        title=row.title,
        space=None,
    )


def _undo(content_id: int) -> dict[str, Any]:
    return {"label": _("Undo"), "url": f"/c/{content_id}/undo", "fields": {}}


@get("/c/{content_id:int}/menu", name="content.menu")
async def content_menu(request: Request, content_id: FromPath[int]) -> Response[Any]:
    """Show what this reader may do with a content; asked for when its menu opens."""
    row = await access_content(request.actor, content_id)
    declared = current().plugins.content_types.get(row.type)
    edit_url = declared.value.edit_url(row) if declared is not None and declared.value.edit_url else None
    context: dict[str, Any] = {
        "content": row,
        "permalink": f"/c/{row.id}",
        "absolute": current().config.site.url.rstrip("/") + f"/c/{row.id}",
        "may": await may(request.actor, row),
        "edit_url": edit_url,
        "entries": await _content_entries(request, row),
    }
    if request.is_partial:
        return await fragment(request, "parvis/content/_menu.html", **context)
    return await page(request, "parvis/content/menu.html", **context)


async def _content_entries(request: Request, row: Any) -> list[dict[str, str]]:
    """Return the entries that plugins add to a content's menu, where the reader holds their permission."""
    entries = []
    for declared in current().plugins.navigation:
        item = declared.value
        if item.menu != "content":
            continue
        if item.permission is None or await allowed(request.actor, item.permission, row):
            entries.append(
                {"label": str(item.label), "icon": item.icon, "url": url(item.route, content_id=row.id)}
            )
    return entries


@post("/c/{content_id:int}/remove", name="content.remove", status_code=200)
async def remove_content(request: Request, content_id: FromPath[int]) -> Response[Any]:
    """Take a content away; the message offers to bring it back."""
    row = await remove(request.actor, content_id)
    undo = _undo(row.id)
    if request.is_partial:
        return await fragment(request, "parvis/content/_removed.html", content=row, undo=undo)
    return redirect(request, await _back(request, row), flash=_("The publication was removed."), action=undo)


@post("/c/{content_id:int}/undo", name="content.undo", status_code=200)
async def undo_removal(request: Request, content_id: FromPath[int]) -> Response[Any]:
    """Bring back what was just removed."""
    row = await undo_remove(request.actor, content_id)
    if request.is_partial:
        (card,) = await render_cards(request, [row])
        return await fragment(request, "parvis/content/_card.html", content=row, card=card)
    return redirect(request, f"/c/{row.id}", flash=_("The publication is back."))


@post("/c/{content_id:int}/pin", name="content.pin", status_code=200)
async def pin_content(request: Request, content_id: FromPath[int]) -> Response[Any]:
    """Keep a content at the top of its space."""
    return await _pin(request, content_id, pinned=True)


@post("/c/{content_id:int}/unpin", name="content.unpin", status_code=200)
async def unpin_content(request: Request, content_id: FromPath[int]) -> Response[Any]:
    """Let a pinned content go back to its place."""
    return await _pin(request, content_id, pinned=False)


async def _pin(request: Request, content_id: int, *, pinned: bool) -> Response[Any]:
    row = await pin(request.actor, content_id, pinned=pinned)
    told = _("Pinned at the top.") if pinned else _("No longer pinned.")
    if request.is_partial:
        (card,) = await render_cards(request, [row])
        return await fragment(request, "parvis/content/_card.html", toast=told, content=row, card=card)
    return redirect(request, await _back(request, row), flash=told)


async def _back(request: Request, row: Any) -> str:
    """Return where a reader goes after acting on a content: its space, or home."""
    if row.space is None:
        return "/"
    try:
        space = await access_space_id(request.actor, row.space)
    except NotFound:
        return "/"
    return f"/spaces/{space.slug}"


handlers = [
    home,
    show_space,
    show_content,
    content_menu,
    remove_content,
    undo_removal,
    pin_content,
    unpin_content,
]
