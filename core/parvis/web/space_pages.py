"""Spaces: the list, opening and changing one, and what it is for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath, FromQuery

from parvis.content.files import attach_to_space
from parvis.data import transaction
from parvis.errors import Conflict, Invalid, TooLarge
from parvis.people.names import HUES
from parvis.services.i18n import gettext as _
from parvis.spaces.access import access_space, visible_spaces
from parvis.spaces.actions import (
    edit_space,
    open_space,
    set_cover,
)
from parvis.spaces.decide import allowed, demand
from parvis.spaces.icons import ICONS
from parvis.spaces.members import entries_of, people_in_charge
from parvis.spaces.tables import SpaceRow
from parvis.web.file_pages import receive_upload
from parvis.web.rendering import page, redirect, url
from parvis.web.request import Form, Request
from parvis.web.space_head import cover_url, space_head

FIELDS = ("name", "description", "kind", "icon", "hue")


@get("/spaces", name="spaces.list")
async def list_spaces(request: Request, show: FromQuery[str] = "all") -> Response[Any]:
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
async def edit_form(request: Request, slug: FromPath[str]) -> Response[Any]:
    """Show the settings of a space."""
    space = await access_space(request.actor, slug, "spaces.edit")
    return await _form(request, space, _values(space))


@post("/spaces/{slug:str}/edit", name="spaces.edit.save", status_code=200)
async def save_space(request: Request, slug: FromPath[str]) -> Response[Any]:
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
async def show_about(request: Request, slug: FromPath[str]) -> Response[Any]:
    """Say what a space is for and who is in charge; whoever knows of it may read that."""
    space = await access_space(request.actor, slug)
    return await page(
        request,
        "parvis/space/about.html",
        in_charge=await entries_of(await people_in_charge(space)),
        created=space.created,
        **await space_head(request, space, tab="about"),
    )


handlers = [
    list_spaces,
    new_space,
    save_new_space,
    edit_form,
    save_space,
    show_about,
]
