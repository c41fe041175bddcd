"""The feed over HTTP: read on, write, write again."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath, FromQuery
from markupsafe import escape
from parvis.content import Before, access_content, feed_keys, listed_types
from parvis.errors import Conflict, Invalid, NotFound
from parvis.services.i18n import gettext as _
from parvis.services.markup import current_markup
from parvis.spaces import access_space, is_readable
from parvis.web import (
    Bulk,
    Request,
    former_page,
    fragment,
    joined_cards,
    page,
    redirect,
    render_cards,
    url,
)

from parvis_feeds import forms
from parvis_feeds.actions import TYPE, rewrite_post, write_post
from parvis_feeds.tables import Post

ALL, MINE = "all", "mine"


async def feed_context(request: Request, space: Any | None = None) -> dict[str, Any]:
    """Return the cards of one stretch of the feed and where the next starts: `show` and `before` of the address."""
    show = request.query_params.get("show", ALL)
    before = Before.parse(request.query_params.get("before"))
    found = await feed_keys(
        request.actor,
        space=space.id if space is not None else None,
        mine=show == MINE,
        type=show if "." in show else None,
        before=before,
    )
    rows = [*found.top, *found.rows]
    base = f"/spaces/{space.slug}" if space is not None else "/"
    asked = {"space": space.slug if space is not None else None, "show": None if show == ALL else show}
    place = str(found.next) if found.next else None
    cards = await joined_cards(request, rows)
    kinds = listed_types()
    return {
        "kept_as": (base, show, before is None, bool(cards), place is None),
        "space": space,
        "cards": cards,
        "show": show,
        "kinds": kinds if len(kinds) > 1 else [],
        "first": before is None,
        "base": base,
        "next_url": _bulk("next_url", _with(base, show=asked["show"], before=place)) if place else None,
        "next_part": _bulk(
            "next_part", url("feeds.more", space=asked["space"], show=asked["show"], before=place)
        )
        if place
        else None,
    }


def _bulk(name: str, text: str) -> Bulk:
    return Bulk(name, escape(text).encode())


def _with(path: str, **query: str | None) -> str:
    asked = "&".join(f"{name}={value}" for name, value in query.items() if value)
    return f"{path}?{asked}" if asked else path


@get("/feeds/more", name="feeds.more")
async def more(request: Request, space: FromQuery[str | None] = None) -> Response[Any]:
    """Answer with the next stretch of a feed; without script the same address leads to the whole page."""
    found = await access_space(request.actor, space) if space else None
    if found is not None and not is_readable(request.actor, found):
        raise NotFound()
    context = await feed_context(request, found)
    if not request.is_partial:
        query = {name: request.query_params.get(name) for name in ("show", "before")}
        return redirect(request, _with(context["base"], **query))
    return await fragment(request, "feeds/_more.html", **context)


@get("/feeds/compose", name="feeds.compose")
async def compose(request: Request, space: FromQuery[str | None] = None) -> Response[Any]:
    """Show the open composer."""
    found = await access_space(request.actor, space) if space else None
    return await _composer(request, await forms.composer_context(request, space=found))


async def _composer(request: Request, context: dict[str, Any], status: int = 200) -> Response[Any]:
    if request.is_partial:
        return await fragment(request, "feeds/_composer.html", status=status, **context)
    return await page(request, "feeds/compose.html", status=status, **context)


@post("/feeds/posts", name="feeds.publish", status_code=200)
async def publish_post(request: Request) -> Response[Any]:
    """Publish what the composer sent; wrong fields come back with what was typed."""
    space = None
    fields: Any = {}
    try:
        text, fields = await forms.read_post(request)
        wrong = text.faults()
        if not fields["audience"]:
            wrong["audience"] = _("Choose who reads this.")
        if wrong:
            raise Invalid(wrong)
        if fields["audience"] != forms.EVERYONE:
            space = await access_space(request.actor, fields["audience"])
        row = await write_post(request.actor, text, space=space, key=fields["key"] or None)
    except Invalid as error:
        values = {**(error.values or fields)}
        if values.get("preview"):
            values["preview_html"] = await current_markup().render_async(values.get("text", ""))
        context = await forms.composer_context(request, space=space, values=values, errors=error.fields)
        return await _composer(request, context, status=422 if error.fields else 200)
    told = _("Published.") if row.state == "published" else _("Kept for a moderator to look at.")
    # The new card comes on top of the feed it was written above; from anywhere else the way leads to it.
    stood = former_page(request).partition("?")[0]
    here = space if space is not None and stood == f"/spaces/{space.slug}" else None
    if not request.is_partial or (here is None and stood != "/"):
        return redirect(request, f"/c/{row.id}", flash=told)
    cards = await render_cards(request, [row]) if row.state == "published" else []
    context = {**await forms.composer_context(request, space=here), "cards": cards}
    return await fragment(request, "feeds/_published.html", toast=told, **context)


@post("/feeds/preview", name="feeds.preview", status_code=200)
async def preview(request: Request) -> Response[Any]:
    """Show a text as it will look, through the same renderer."""
    form = await request.form_data()
    html = await current_markup().render_async(form.text("text", limit=200_000, strip=False))
    return await fragment(request, "feeds/_preview.html", preview=html)


@get("/feeds/{content_id:int}/edit", name="feeds.edit")
async def show_editor(request: Request, content_id: FromPath[int]) -> Response[Any]:
    """Show the editor of a post to who may change it."""
    row = await _own_post(request, content_id)
    values = {"title": row.title, "text": await Post.source_of(row.object or 0), "version": row.version}
    return await _editor(request, await forms.editor_context(request, row, values=values))


@post("/feeds/{content_id:int}/edit", name="feeds.save", status_code=200)
async def save_post(request: Request, content_id: FromPath[int]) -> Response[Any]:
    """Save a post again; when somebody saved first both texts are shown and nothing is lost."""
    row = await _own_post(request, content_id)
    fields: Any = {}
    try:
        text, fields = await forms.read_post(request)
        await rewrite_post(request.actor, content_id, text, version=fields["version"] or 0)
    except Conflict:
        fields["version"] = row.version
        theirs = await Post.source_of(row.object or 0)
        context = await forms.editor_context(request, row, values=fields, theirs=theirs)
        return await _editor(request, context, status=409)
    except Invalid as error:
        values = {"version": row.version, **(error.values or fields)}
        if values.get("preview"):
            values["preview_html"] = await current_markup().render_async(values.get("text", ""))
        context = await forms.editor_context(request, row, values=values, errors=error.fields)
        return await _editor(request, context, status=422 if error.fields else 200)
    return redirect(request, f"/c/{content_id}", flash=_("Saved."))


async def _own_post(request: Request, content_id: int) -> Any:
    row = await access_content(request.actor, content_id, "content.edit")
    if row.type != TYPE:
        raise NotFound()
    return row


async def _editor(request: Request, context: dict[str, Any], status: int = 200) -> Response[Any]:
    if request.is_partial:
        return await fragment(request, "feeds/_editor.html", status=status, **context)
    return await page(request, "feeds/edit.html", status=status, **context)


handlers = [more, compose, publish_post, preview, show_editor, save_post]
