"""Who belongs to a space: joining and leaving, its members, their roles."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath, FromQuery

from parvis.errors import NotFound
from parvis.people.cards import person_cards
from parvis.people.directory import After, directory
from parvis.services.i18n import gettext as _
from parvis.spaces.access import access_space, is_readable
from parvis.spaces.actions import (
    add_space_member,
    change_space_role,
    join_space,
    leave_space,
    remove_space_member,
)
from parvis.spaces.members import entries_of, members_among, members_of
from parvis.spaces.tables import SpaceRow
from parvis.web.rendering import page, redirect, url
from parvis.web.request import Request
from parvis.web.space_head import space_head

MOST_CANDIDATES = 10
"""How many people found are offered to be added."""


@get("/spaces/{slug:str}/members", name="spaces.members")
async def show_members(
    request: Request,
    slug: FromPath[str],
    q: FromQuery[str] = "",
    add: FromQuery[str] = "",
    after: FromQuery[str] = "",
    after_id: FromQuery[int] = 0,
) -> Response[Any]:
    """List the members of a space the reader reads; who may add people searches for them here."""
    space = await access_space(request.actor, slug)
    if not is_readable(request.actor, space):
        return redirect(request, url("spaces.about", slug=space.slug))
    query, add = q.strip()[:100], add.strip()[:100]
    start = After.parse(after, after_id)
    rows, rest = await members_of(space, query=query, after=start)
    next_url = None
    if rest is not None:
        next_url = url("spaces.members", slug=slug, q=query or None, after=rest.name, after_id=rest.id)
    head = await space_head(request, space, tab="members")
    return await page(
        request,
        "parvis/space/members.html",
        q=query,
        entries=await entries_of(rows),
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
async def join(request: Request, slug: FromPath[str]) -> Response[Any]:
    """Enter an open space."""
    space = await join_space(request.actor, await access_space(request.actor, slug))
    told = _("You are a member of %(space)s now.", space=space.name)
    return redirect(request, url("spaces.show", slug=space.slug), flash=told)


@post("/spaces/{slug:str}/leave", name="spaces.leave", status_code=200)
async def leave(request: Request, slug: FromPath[str]) -> Response[Any]:
    """Leave a space."""
    space = await access_space(request.actor, slug)
    await leave_space(request.actor, space)
    return redirect(request, url("spaces.list"), flash=_("You left %(space)s.", space=space.name))


@post("/spaces/{slug:str}/members", name="spaces.members.add", status_code=200)
async def add_member(request: Request, slug: FromPath[str]) -> Response[Any]:
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
async def change_role(request: Request, slug: FromPath[str], member_id: FromPath[int]) -> Response[Any]:
    """Give a member another role in a space."""
    space = await access_space(request.actor, slug, "spaces.members")
    await change_space_role(request.actor, space, member_id, (await request.form_data()).text("role"))
    return redirect(request, url("spaces.members", slug=space.slug), flash=_("The role was changed."))


@post("/spaces/{slug:str}/members/{member_id:int}/remove", name="spaces.members.remove", status_code=200)
async def remove_member(request: Request, slug: FromPath[str], member_id: FromPath[int]) -> Response[Any]:
    """Take somebody out of a space."""
    space = await access_space(request.actor, slug, "spaces.members")
    await remove_space_member(request.actor, space, member_id)
    back = url("spaces.list") if member_id == request.actor.member else url("spaces.members", slug=space.slug)
    return redirect(request, back, flash=_("The person was taken out of the space."))


handlers = [show_members, join, leave, add_member, change_role, remove_member]
