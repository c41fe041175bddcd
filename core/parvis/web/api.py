"""The JSON interface of the core: the same doors as the pages, for programs."""

from __future__ import annotations

from typing import Any

from litestar import get
from litestar.params import FromPath, FromQuery

from parvis.content import Before, ContentRow, access_content, feed, files_of, source_of
from parvis.errors import NotFound
from parvis.people.access import access_member
from parvis.people.cards import person_cards
from parvis.people.directory import After, directory
from parvis.spaces.access import access_space, is_readable, visible_spaces
from parvis.spaces.tables import SpaceRow
from parvis.web.file_pages import shown
from parvis.web.request import Request


@get("/api/v1/me", name="api.me")
async def me(request: Request) -> dict[str, Any]:
    """Return who is asking."""
    actor = request.actor
    return {
        "id": actor.member,
        "name": actor.name,
        "handle": actor.handle,
        "role": actor.role,
        "language": request.language,
    }


@get("/api/v1/contents", name="api.contents")
async def contents(
    request: Request,
    space: FromQuery[str | None] = None,
    type: FromQuery[str | None] = None,
    before: FromQuery[str | None] = None,
    limit: FromQuery[int] = 25,
) -> dict[str, Any]:
    """Return one stretch of the feed, newest first; `next` goes into `before` for the rest."""
    found = await access_space(request.actor, space) if space else None
    if found is not None and not is_readable(request.actor, found):
        raise NotFound()
    stretch = await feed(
        request.actor,
        space=found.id if found is not None else None,
        type=type,
        before=Before.parse(before),
        limit=max(1, min(limit, 100)),
    )
    people = await person_cards([row.author for row in stretch.rows])
    return {
        "contents": [_content(row, people) for row in stretch.rows],
        "next": str(stretch.next) if stretch.next else None,
    }


@get("/api/v1/contents/{content_id:int}", name="api.content")
async def content(request: Request, content_id: FromPath[int]) -> dict[str, Any]:
    """Return one content with its source and files."""
    row = await access_content(request.actor, content_id)
    people = await person_cards([row.author])
    kept = await source_of(row.id)
    files = (await files_of([row.id]))[row.id]
    return {**_content(row, people), "source": kept["source"], "files": [shown(file) for file in files]}


@get("/api/v1/people", name="api.people")
async def people(
    request: Request, q: FromQuery[str] = "", after: FromQuery[str] = "", after_id: FromQuery[int] = 0
) -> dict[str, Any]:
    """Return one page of the directory as the reader sees it; `next` goes into `after` and `after_id`."""
    found = await directory(request.actor, query=q, after=After.parse(after, after_id))
    cards = await person_cards([row.id for row in found.people])
    rest = {"after": found.next.name, "after_id": found.next.id} if found.next else None
    return {"people": [_person(cards[row.id]) for row in found.people], "next": rest}


@get("/api/v1/people/{handle:str}", name="api.person")
async def person(request: Request, handle: FromPath[str]) -> dict[str, Any]:
    """Return one person the reader sees."""
    row = await access_member(request.actor, handle)
    return _person((await person_cards([row.id]))[row.id])


@get("/api/v1/spaces", name="api.spaces")
async def spaces(request: Request) -> dict[str, Any]:
    """Return the spaces the reader knows of."""
    return {"spaces": [_space(space) for space in await visible_spaces(request.actor)]}


@get("/api/v1/spaces/{slug:str}", name="api.space")
async def space(request: Request, slug: FromPath[str]) -> dict[str, Any]:
    """Return one space the reader knows of."""
    return _space(await access_space(request.actor, slug))


def _content(row: ContentRow, people: dict[int, Any]) -> dict[str, Any]:
    author = people.get(row.author)
    return {
        "id": row.id,
        "type": row.type,
        "title": row.title,
        "author": {"id": row.author, "name": author["name"], "handle": author["handle"]} if author else None,
        "space": row.space,
        "state": row.state,
        "version": row.version,
        "language": row.language,
        "published": row.published,
        "edited": row.edited,
        "url": f"/c/{row.id}",
    }


def _person(card: dict[str, Any]) -> dict[str, Any]:
    return {name: card.get(name) for name in ("id", "handle", "name", "job", "team", "site")}


def _space(space: SpaceRow) -> dict[str, Any]:
    return {
        "id": space.id,
        "slug": space.slug,
        "name": space.name,
        "description": space.description,
        "kind": space.kind,
        "role": space.role,
        "members": space.members_count,
    }


handlers = [me, contents, content, people, person, spaces, space]
