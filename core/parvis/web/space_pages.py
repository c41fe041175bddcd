"""Spaces: the list, opening and changing one, its members, and what it is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Response, get, post

from parvis.content.files import attach_to_space
from parvis.data import transaction
from parvis.errors import Conflict, Invalid, NotFound, TooLarge
from parvis.people.cards import person_cards
from parvis.people.directory import After, directory
from parvis.people.names import HUES
from parvis.services.i18n import gettext as _
from parvis.site import current
from parvis.spaces.access import access_space, is_readable, visible_spaces
from parvis.spaces.actions import (
    add_space_member,
    change_space_role,
    edit_space,
    join_space,
    leave_space,
    open_space,
    remove_space_member,
    set_cover,
)
from parvis.spaces.decide import allowed, demand
from parvis.spaces.fields import ICONS
from parvis.spaces.members import faces_of, members_among, members_of, people_in_charge
from parvis.spaces.tables import SpaceMemberRow, SpaceRow
from parvis.web.file_pages import receive_upload
from parvis.web.rendering import page, redirect, url
from parvis.web.request import Form, Request

FIELDS = ("name", "description", "kind", "icon", "hue")
MOST_CANDIDATES = 10


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


@get("/spaces", name="spaces.list")
async def list_spaces(request: Request, show: str = "all") -> Response[Any]:
    """List the spaces the reader knows of, or his own."""
    show = "mine" if show == "mine" else "all"
    spaces = [
        space for space in await visible_spaces(request.actor) if show == "all" or space.role is not None
    ]
    return await page(
        request,
        "parvis/space/list.html",
        show=show,
        spaces=spaces,
        covers={space.id: cover_url(space, 800) for space in spaces if space.cover is not None},
        may_open=await allowed(request.actor, "spaces.open"),
    )


@get("/spaces/new", name="spaces.new")
async def new_space(request: Request) -> Response[Any]:
    """Show the form that opens a space."""
    await demand(request.actor, "spaces.open")
    return await _form(request, None, {"kind": "open", "icon": "users", "hue": "pine"})


async def _form(
    request: Request,
    space: SpaceRow | None,
    values: Mapping[str, Any],
    errors: Mapping[str, object] | None = None,
) -> Response[Any]:
    shown = {"name": "", "description": "", "slug": "", "version": 0, **values}
    return await page(
        request,
        "parvis/space/form.html",
        status=422 if errors else 200,
        space=space,
        values=shown,
        errors={name: str(text) for name, text in (errors or {}).items()},
        cover_url=cover_url(space, 800) if space is not None else None,
        space_icons=ICONS,
        hues=HUES,
    )


@post("/spaces/new", name="spaces.open", status_code=200)
async def save_new_space(request: Request) -> Response[Any]:
    """Open a space with what was typed and go there."""
    form = await request.form_data()
    values = {name: form.text(name) for name in FIELDS}
    try:
        space = await open_space(request.actor, values)
    except Invalid as fault:
        return await _form(request, None, values, fault.fields)
    try:
        await _save_cover(request, space, form)
    except Invalid as fault:
        # The space is there; its settings say what is wrong with the picture.
        return await _form(request, space, _values(space), fault.fields)
    return redirect(request, url("spaces.show", slug=space.slug), flash=_("The space is open."))


def _values(space: SpaceRow) -> dict[str, Any]:
    return {name: getattr(space, name) for name in (*FIELDS, "slug", "version")}


@get("/spaces/{slug:str}/edit", name="spaces.edit")
async def edit_form(request: Request, slug: str) -> Response[Any]:
    """Show the settings of a space."""
    space = await access_space(request.actor, slug, "spaces.edit")
    return await _form(request, space, _values(space))


@post("/spaces/{slug:str}/edit", name="spaces.edit.save", status_code=200)
async def save_space(request: Request, slug: str) -> Response[Any]:
    """Save the settings of a space; what is wrong comes back at its field, with what was typed."""
    space = await access_space(request.actor, slug, "spaces.edit")
    form = await request.form_data()
    values: dict[str, Any] = {name: form.text(name) for name in (*FIELDS, "slug")}
    version = form.number("version") or 0
    try:
        # The picture first: browsers cannot keep a chosen file in a form that comes back.
        await _save_cover(request, space, form)
        space = await edit_space(request.actor, space, version, values)
    except Invalid as fault:
        return await _form(request, space, {**values, "version": version}, fault.fields)
    except Conflict as fault:
        return await _form(request, space, {**values, "version": version}, {"name": fault})
    return redirect(request, url("spaces.show", slug=space.slug), flash=_("The space was saved."))


async def _save_cover(request: Request, space: SpaceRow, form: Form) -> None:
    """Take the cover that was sent, or take the present one away."""
    if form.checked("drop_cover"):
        await set_cover(request.actor, space, None)
        return
    for upload in form.files("cover"):
        try:
            file = await receive_upload(request, upload, shape="cover")
        except (Invalid, TooLarge) as fault:
            told = next(iter(fault.fields.values()), fault) if isinstance(fault, Invalid) else fault
            raise Invalid({"cover": told}) from fault
        if not file.is_picture:
            raise Invalid({"cover": _("Choose a picture: JPEG, PNG, WebP or GIF.")})
        async with transaction():
            await attach_to_space(request.actor, space.id, file.id)
            await set_cover(request.actor, space, file.id)
        return


@get("/spaces/{slug:str}/about", name="spaces.about")
async def show_about(request: Request, slug: str) -> Response[Any]:
    """Say what a space is for and who is in charge; whoever knows of it may read that."""
    space = await access_space(request.actor, slug)
    return await page(
        request,
        "parvis/space/about.html",
        in_charge=await _entries(await people_in_charge(space)),
        created=space.created,
        **await space_head(request, space, tab="about"),
    )


async def _entries(rows: Sequence[SpaceMemberRow]) -> list[dict[str, Any]]:
    cards = await person_cards([row.member for row in rows])
    return [{"person": cards[row.member], "role": row.role, "joined": row.joined} for row in rows]


@get("/spaces/{slug:str}/members", name="spaces.members")
async def show_members(
    request: Request, slug: str, q: str = "", add: str = "", after: str = "", after_id: int = 0
) -> Response[Any]:
    """List the members of a space the reader reads; who may add people searches for them here."""
    space = await access_space(request.actor, slug)
    if not is_readable(request.actor, space):
        return redirect(request, url("spaces.about", slug=space.slug))
    query, add = q.strip()[:100], add.strip()[:100]
    start = After(after[:200], after_id) if after else None
    rows, rest = await members_of(space, query=query, after=start)
    next_url = None
    if rest is not None:
        next_url = url("spaces.members", slug=slug, q=query or None, after=rest.name, after_id=rest.id)
    head = await space_head(request, space, tab="members")
    return await page(
        request,
        "parvis/space/members.html",
        q=query,
        entries=await _entries(rows),
        next_url=next_url,
        may_manage=head["may_add"],
        add=add if head["may_add"] else "",
        candidates=await _candidates(request, space, add) if add and head["may_add"] else [],
        **head,
    )


async def _candidates(request: Request, space: SpaceRow, query: str) -> list[dict[str, Any]]:
    """Return people the reader sees who match and are not in the space yet."""
    found = await directory(request.actor, query=query, size=50)
    ids = [row.id for row in found.people]
    inside = await members_among(space, ids)
    wanted = [id_ for id_ in ids if id_ not in inside][:MOST_CANDIDATES]
    cards = await person_cards(wanted)
    return [cards[id_] for id_ in wanted]


@post("/spaces/{slug:str}/join", name="spaces.join", status_code=200)
async def join(request: Request, slug: str) -> Response[Any]:
    """Enter an open space."""
    space = await join_space(request.actor, await access_space(request.actor, slug))
    told = _("You are a member of %(space)s now.", space=space.name)
    return redirect(request, url("spaces.show", slug=space.slug), flash=told)


@post("/spaces/{slug:str}/leave", name="spaces.leave", status_code=200)
async def leave(request: Request, slug: str) -> Response[Any]:
    """Leave a space."""
    space = await access_space(request.actor, slug)
    await leave_space(request.actor, space)
    return redirect(request, url("spaces.list"), flash=_("You left %(space)s.", space=space.name))


@post("/spaces/{slug:str}/members", name="spaces.members.add", status_code=200)
async def add_member(request: Request, slug: str) -> Response[Any]:
    """Add somebody to a space."""
    space = await access_space(request.actor, slug, "spaces.members")
    form = await request.form_data()
    member = form.number("member")
    if member is None:
        raise NotFound()
    added = await add_space_member(request.actor, space, member, form.text("role") or "member")
    person = (await person_cards([member]))[member]["name"]
    told = _("%(name)s was added.", name=person) if added else _("%(name)s is a member already.", name=person)
    return redirect(request, url("spaces.members", slug=space.slug), flash=told)


@post("/spaces/{slug:str}/members/{member_id:int}/role", name="spaces.members.role", status_code=200)
async def change_role(request: Request, slug: str, member_id: int) -> Response[Any]:
    """Give a member another role in a space."""
    space = await access_space(request.actor, slug, "spaces.members")
    await change_space_role(request.actor, space, member_id, (await request.form_data()).text("role"))
    return redirect(request, url("spaces.members", slug=space.slug), flash=_("The role was changed."))


@post("/spaces/{slug:str}/members/{member_id:int}/remove", name="spaces.members.remove", status_code=200)
async def remove_member(request: Request, slug: str, member_id: int) -> Response[Any]:
    """Take somebody out of a space."""
    space = await access_space(request.actor, slug, "spaces.members")
    await remove_space_member(request.actor, space, member_id)
    back = url("spaces.list") if member_id == request.actor.member else url("spaces.members", slug=space.slug)
    return redirect(request, back, flash=_("The person was taken out of the space."))


handlers = [
    list_spaces,
    new_space,
    save_new_space,
    edit_form,
    save_space,
    show_about,
    show_members,
    join,
    leave,
    add_member,
    change_role,
    remove_member,
]
