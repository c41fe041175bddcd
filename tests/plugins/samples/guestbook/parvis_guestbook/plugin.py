"""A guest book: the plugin that the hook reference takes its examples from."""

from __future__ import annotations

from litestar import get
from parvis import (
    AuthProvider,
    ContentType,
    Decision,
    Fragment,
    NavItem,
    Permission,
    PluginInfo,
    Setting,
    hold,
    hookimpl,
)

from parvis_guestbook import hookspecs

info = PluginInfo(
    label="Guest book",
    summary="Visitors leave a line.",
    slots=("guestbook.page",),
    events=("guestbook.signed",),
    icons=("book-open",),
    tables=("guestbook_entry",),
)

heard: list[str] = []


@get("/guestbook", name="guestbook.page")
async def show_book() -> str:
    return "The guest book"


async def entries(ids):
    return {entry: {"text": f"Entry {entry}"} for entry in ids}


async def latest(page):
    return {"entries": []}


async def by_badge(form, request):
    return None


# -- register_hookspecs --
@hookimpl
def register_hookspecs():
    return hookspecs


# -- end --


# -- register_routes --
@hookimpl
def register_routes():
    return [show_book]


# -- end --


# -- register_content_types --
@hookimpl
def register_content_types():
    return [
        ContentType(
            name="guestbook.entry",
            label="Entry",
            icon="book-open",
            load_many=entries,
            card_template="guestbook/_entry.html",
        )
    ]


# -- end --


# -- register_permissions --
@hookimpl
def register_permissions():
    return [
        Permission(name="guestbook.sign", label="Sign the guest book", roles=("member",)),
        Permission(name="guestbook.close", label="Close the guest book", roles=("administrator",)),
    ]


# -- end --


# -- register_settings --
@hookimpl
def register_settings():
    return [Setting(name="guestbook.open", label="Open for new entries", type=bool, default=True)]


# -- end --


# -- register_navigation --
@hookimpl
def register_navigation():
    return [
        NavItem(
            menu="main",
            key="guestbook",
            label="Guest book",
            icon="book-open",
            route="guestbook.page",
            weight=70,
        )
    ]


# -- end --


# -- register_fragments --
@hookimpl
def register_fragments():
    return [Fragment(slot="home.rail", template="guestbook/_latest.html", load=latest, weight=50)]


# -- end --


# -- register_auth_providers --
@hookimpl
def register_auth_providers():
    return [
        AuthProvider(
            name="guestbook.badge",
            label="Badge",
            template="guestbook/_badge.html",
            sign_in=by_badge,
            weight=200,
        )
    ]


# -- end --


# -- prepare_rendering --
@hookimpl
def prepare_rendering(jinja):
    jinja.filters["initials"] = lambda name: "".join(part[0] for part in name.split())


# -- end --


# -- identify --
@hookimpl
async def identify(request):
    return {"badge": "visitor"} if request.get("badge") else None


# -- end --


# -- decide --
@hookimpl
async def decide(permission, subjects):
    if permission == "guestbook.sign":
        return [Decision.DENY if subject == "closed" else None for subject in subjects]
    return None


# -- end --


# -- review_content --
@hookimpl
async def review_content(draft):
    if "http" in draft.text:
        return hold("Links are read by a moderator first.")
    return None


# -- end --


# -- startup --
@hookimpl
async def startup(app):
    heard.append("startup")


# -- end --


# -- on_event --
@hookimpl
async def on_event(event):
    heard.append(event.name)


# -- end --


# -- seed_demo --
@hookimpl
async def seed_demo(demo):
    demo.append("guest book")


# -- end --
