"""The directory and profiles: finding people, reading about them, changing one's own page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath, FromQuery

from parvis.content.files import attach_to_member
from parvis.data import transaction
from parvis.errors import Conflict, Invalid, NotFound, TooLarge
from parvis.people.access import access_member
from parvis.people.actor import Actor
from parvis.people.cards import person_cards
from parvis.people.directory import After, Facet, directory, reports_of
from parvis.people.fields import MOST_SKILLS
from parvis.people.profile_actions import demand_self, edit_profile, rename_handle, set_picture
from parvis.people.tables import MemberRow
from parvis.services.i18n import gettext as _
from parvis.spaces.access import spaces_of
from parvis.web.file_pages import receive_upload
from parvis.web.rendering import fragment, page, redirect, url
from parvis.web.request import Form, Request

FIELDS = ("name", "job", "team", "site", "phone", "pronouns", "about")
"""The fields of a profile that are one text each."""


@get("/people", name="people.directory")
async def show_directory(
    request: Request,
    q: FromQuery[str] = "",
    site: FromQuery[str] = "",
    team: FromQuery[str] = "",
    after: FromQuery[str] = "",
    after_id: FromQuery[int] = 0,
) -> Response[Any]:
    """List the people the reader sees, by family name, a page at a time."""
    query, site, team = q.strip()[:100], site[:100], team[:100]
    start = After.parse(after, after_id)
    found = await directory(request.actor, query=query, site=site, team=team, after=start)
    cards = await person_cards([row.id for row in found.people])
    filters = {"q": query or None, "site": site or None, "team": team or None}
    more = None
    if found.next is not None:
        more = url("people.directory", **filters, after=found.next.name, after_id=found.next.id)
    context: dict[str, Any] = {
        "people": [{**cards[row.id], "letter": _letter(row)} for row in found.people],
        "total": found.total,
        "q": query,
        "chosen_site": site,
        "chosen_team": team,
        "sites": _choices(
            found.sites, site, lambda value: url("people.directory", **{**filters, "site": value})
        ),
        "teams": _choices(
            found.teams, team, lambda value: url("people.directory", **{**filters, "team": value})
        ),
        "more_url": more,
        "first": start is None,
    }
    if request.is_partial:
        name = "parvis/people/_results.html" if start is None else "parvis/people/_more.html"
        return await fragment(request, name, **context)
    return await page(request, "parvis/people/directory.html", **context)


def _letter(row: MemberRow) -> str:
    """Return the letter under which somebody stands in the list."""
    return row.sort_name[:1].upper() if row.sort_name[:1].isalpha() else "#"


def _choices(facets: list[Facet], chosen: str, address: Any) -> list[dict[str, Any]]:
    """Return the values of a filter; the chosen one leads back to all."""
    return [
        {
            "name": facet.name,
            "count": facet.count,
            "current": facet.name == chosen,
            "url": address(None if facet.name == chosen else facet.name),
        }
        for facet in facets
    ]


@get("/people/{handle:str}", name="people.profile")
async def show_profile(request: Request, handle: FromPath[str]) -> Response[Any]:
    """Show one person the reader sees: who it is, how to reach, which spaces they share."""
    row = await access_member(request.actor, handle)
    return await page(
        request,
        "parvis/people/profile.html",
        slots=("profile.main", "profile.rail"),
        **await _profile(request.actor, row),
    )


async def _profile(actor: Actor, row: MemberRow) -> dict[str, Any]:
    under = await reports_of(actor, row.id)
    cards = await person_cards([row.id, *([row.manager] if row.manager else []), *under])
    manager = None
    if row.manager is not None and await _sees(actor, row.manager):
        manager = cards.get(row.manager)
    return {
        "person": cards[row.id],
        "member": row,
        "manager": manager,
        "reports": [cards[id_] for id_ in under if id_ in cards],
        "spaces": [
            {
                "name": space.name,
                "url": f"/spaces/{space.slug}",
                "icon": space.icon,
                "hue": space.hue,
                "role": role,
            }
            for space, role in await spaces_of(actor, row.id)
        ],
        "may_edit": actor.member == row.id or actor.is_administrator,
        "is_me": actor.member == row.id,
    }


async def _sees(actor: Actor, member: int) -> bool:
    try:
        await access_member(actor, member)
    except NotFound:
        return False
    return True


@get("/people/{handle:str}/edit", name="people.edit")
async def show_editor(request: Request, handle: FromPath[str]) -> Response[Any]:
    """Show the form of one's own profile, or of anybody's to administrators."""
    row = await access_member(request.actor, handle)
    demand_self(request.actor, row.id)
    values = {name: getattr(row, name) for name in FIELDS}
    return await _editor(request, row, {**values, "skills": ", ".join(row.skills), "handle": row.handle})


async def _editor(
    request: Request, row: MemberRow, values: Mapping[str, Any], *, errors: Mapping[str, object] | None = None
) -> Response[Any]:
    return await page(
        request,
        "parvis/people/edit.html",
        status=422 if errors else 200,
        person=(await person_cards([row.id]))[row.id],
        member=row,
        version=values.get("version", row.version),
        values=values,
        errors={name: str(text) for name, text in (errors or {}).items()},
        most_skills=MOST_SKILLS,
    )


@post("/people/{handle:str}/edit", name="people.edit.save", status_code=200)
async def save_profile(request: Request, handle: FromPath[str]) -> Response[Any]:
    """Save a profile with its picture and address; what is wrong comes back at its field, with what was typed."""
    row = await access_member(request.actor, handle)
    demand_self(request.actor, row.id)
    form = await request.form_data()
    values: dict[str, Any] = {name: form.text(name, strip=False) for name in (*FIELDS, "skills", "handle")}
    try:
        # The picture first: browsers cannot keep a chosen file in a form that comes back.
        await _save_picture(request, row, form)
        row = await edit_profile(request.actor, row.id, form.number("version") or 0, values)
        if wanted := values["handle"].strip():
            handle = await rename_handle(request.actor, row.id, wanted)
    except Invalid as fault:
        # What was saved before the fault keeps; the form carries the version it stands on now.
        return await _editor(request, row, {**values, "version": row.version}, errors=fault.fields)
    except Conflict as fault:
        return await _editor(request, row, values, errors={"form": fault})
    return redirect(request, url("people.profile", handle=handle), flash=_("The profile was saved."))


async def _save_picture(request: Request, row: MemberRow, form: Form) -> None:
    """Take the picture that was sent, or go back to initials."""
    if form.checked("remove_picture"):
        await set_picture(request.actor, row.id, None)
        return
    for upload in form.files("picture"):
        try:
            file = await receive_upload(request, upload, shape="square")
        except (Invalid, TooLarge) as fault:
            told = next(iter(fault.fields.values()), fault) if isinstance(fault, Invalid) else fault
            raise Invalid({"picture": told}) from fault
        if not file.is_picture:
            raise Invalid({"picture": _("Choose a picture: JPEG, PNG, WebP or GIF.")})
        async with transaction():
            await attach_to_member(request.actor, row.id, file.id)
            await set_picture(request.actor, row.id, file.id)
        return


handlers = [show_directory, show_profile, show_editor, save_profile]
