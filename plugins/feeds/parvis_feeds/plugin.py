"""The feed: a composer, the posts of everybody and of each space. This module is its table of contents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from parvis import ContentType, Fragment, NavItem, Permission, PluginInfo, hookimpl
from parvis.services.i18n import lazy_gettext as _l
from parvis.web import SlotPage

from parvis_feeds import forms, routes
from parvis_feeds.actions import TYPE, render_outdated
from parvis_feeds.demo import seed
from parvis_feeds.tables import Post

info = PluginInfo(
    label=_l("Feed"),
    summary=_l("Write, read, pin and find what happens in the company and in each space."),
    scope="space",
    slots=("feeds.card",),
    icons=(
        "message-square-text",
        "image",
        "paperclip",
        "pin",
        "ellipsis",
        "eye",
        "send",
        "x",
        "megaphone",
        "lock",
    ),
    tables=("feeds_post",),
    migrations="parvis_feeds.migrations",
    weight=20,
)


@hookimpl
def register_routes() -> Sequence[Any]:
    return routes.handlers


@hookimpl
def register_content_types() -> Sequence[ContentType]:
    return (
        ContentType(
            name=TYPE,
            label=_l("Publication"),
            icon="message-square-text",
            load_many=Post.by_ids,
            card_template="feeds/_post.html",
            excerpt=lambda post: post["excerpt"],
            edit_url=lambda row: f"/feeds/{row.id}/edit",
            erase=Post.erase,
        ),
    )


@hookimpl
def register_permissions() -> Sequence[Permission]:
    return (
        Permission(
            name="feeds.publish",
            label=_l("Publish in a space"),
            space_roles=("owner", "moderator", "member", "guest"),
        ),
        Permission(
            name="feeds.publish_to_everyone",
            label=_l("Publish to the whole company"),
            roles=("administrator", "moderator", "member"),
        ),
    )


@hookimpl
def register_navigation() -> Sequence[NavItem]:
    return (NavItem(menu="compose", key="publish", label=_l("Publish"), icon="plus", route="feeds.compose"),)


@hookimpl
def register_fragments() -> Sequence[Fragment]:
    return tuple(
        fragment
        for slot in ("home.main", "space.main")
        for fragment in (
            Fragment(
                slot=slot, template="feeds/_collapsed.html", load=load_composer, keep=same_composer, weight=10
            ),
            Fragment(slot=slot, template="feeds/_feed.html", load=load_feed, weight=20),
        )
    )


async def same_composer(page: SlotPage) -> object:
    """Return what the closed composer shows beside the reader's own menus: the space, and whether one may write."""
    space = page.subject.get("space")
    return (space.id if space else 0, await forms.may_write(page.request, space))


async def load_composer(page: SlotPage) -> Mapping[str, Any]:
    """Return the closed composer of the page's space, or of home."""
    space = page.subject.get("space")
    return {"space": space, "may_write": await forms.may_write(page.request, space)}


async def load_feed(page: SlotPage) -> Mapping[str, Any]:
    """Return the feed of the page's space, or of home."""
    return await routes.feed_context(page.request, page.subject.get("space"))


@hookimpl
async def startup(app: Any) -> None:
    await render_outdated()


@hookimpl
async def seed_demo(demo: Any) -> None:
    await seed(demo)
