"""What plugins return from declare hooks: frozen, keyword-only descriptions with no behaviour of their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

Scope = Literal["site", "space"]
Text = Any  # a str or a lazily translated string
LoadMany = Callable[[Sequence[int]], Awaitable[Mapping[int, Any]]]


@dataclass(frozen=True, kw_only=True)
class PluginInfo:
    """A plugin's manifest beside its package metadata.

    `slots` and `events` name what the plugin offers to others; `mounts` are URL roots outside its own;
    `guards` are the content types whose reading it restricts; `icons` are Lucide names it draws.
    """

    label: Text
    summary: Text = ""
    scope: Scope = "site"
    slots: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()
    guards: tuple[str, ...] = ()
    icons: tuple[str, ...] = ()
    weight: int = 100
    tables: tuple[str, ...] = ()
    migrations: str | None = None


@dataclass(frozen=True, kw_only=True)
class ContentType:
    """A kind of content: the spine keeps who, where, when and for whom, the plugin keeps the substance.

    `load_many(object ids)` knows no reader and returns the substance by id in one prepared query.
    `url(row)` may be None: the permalink `/c/<id>` is then the address.
    """

    name: str
    label: Text
    icon: str
    load_many: LoadMany
    card_template: str
    url: Callable[[Any], str] | None = None
    edit_url: Callable[[Any], str] | None = None
    search_text: Callable[[Any], str] | None = None
    excerpt: Callable[[Any], str] | None = None
    listed: bool = True
    can_comment: bool = True
    feed: bool = True
    restore: Callable[[Any], Awaitable[None]] | None = None
    erase: Callable[[Sequence[int]], Awaitable[None]] | None = None


@dataclass(frozen=True, kw_only=True)
class ContentFilter:
    """Narrows reading: a row of `types` is shown only where `where` holds.

    `where` is a Piccolo clause or SQL text over the alias `content` with `Param`s; `values(actor)` binds them once a
    request.
    """

    name: str
    types: tuple[str, ...]
    where: Any
    values: Callable[[Any], Awaitable[Mapping[str, Any]]] | None = None


@dataclass(frozen=True, kw_only=True)
class Permission:
    """A verb that is decided at a door.

    `roles` are the site roles that hold it everywhere, `space_roles` the roles that hold it in their space;
    `author` says that the author of the subject holds it on his own.
    """

    name: str
    label: Text
    roles: tuple[str, ...] = ()
    space_roles: tuple[str, ...] = ()
    author: bool = False


SettingScope = Literal["site", "space", "member"]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A typed setting from which the form is generated; `type` is bool, int, str or a tuple of choices."""

    name: str
    label: Text
    type: type | tuple[str, ...]
    default: Any
    scope: SettingScope = "site"
    hint: Text = ""
    minimum: int | None = None
    maximum: int | None = None


Menu = Literal["main", "space", "member", "admin", "content", "compose"]


@dataclass(frozen=True, kw_only=True)
class NavItem:
    """An entry of a menu; `route` is a handler's name, `permission` hides it from who may not use it.

    The first entry of the menu "compose" is the button + of small screens and the key N.
    """

    menu: Menu
    key: str
    label: Text
    icon: str
    route: str
    permission: str | None = None
    weight: int = 100


@dataclass(frozen=True, kw_only=True)
class Fragment:
    """A piece of page in a slot.

    Page slots: `load(page)` returns the template's context or None to show nothing. `kept_as` in that context is a
    tuple of everything the template shows beside the page's shell and its bulks (`parvis.web.Bulk`): what was
    rendered for an equal one is used again.
    Card slots: `per="content"` is kept with the card and `load(rows)` returns contexts by content id;
    `per="reader"` fills a hole for one reader and `load(actor, rows)` does the same. Loads are batched.
    `keep(page)` of a page fragment names everything it shows beside the page's shell: its HTML is kept until that
    changes, and `load` is not asked meanwhile. None keeps nothing.
    """

    slot: str
    template: str
    load: Callable[..., Awaitable[Any]] | None = None
    per: Literal["page", "content", "reader"] = "page"
    keep: Callable[..., Awaitable[Any]] | None = None
    weight: int = 100


@dataclass(frozen=True, kw_only=True)
class AuthProvider:
    """A way to sign in, shown on the sign-in page; `sign_in(form, request)` returns a member id or None."""

    name: str
    label: Text
    template: str
    sign_in: Callable[..., Awaitable[int | None]]
    weight: int = 100


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened, told after commit to every plugin that listens; carries names and ids only."""

    name: str
    content: int | None = None
    space: int | None = None
    actor: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


class Decision(StrEnum):
    """An answer to `decide`: any Deny wins, else any Allow, else the role table."""

    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, kw_only=True)
class Review:
    """An answer to `review_content`; the strictest wins and the reason is shown to the author."""

    verdict: Literal["accept", "hold", "reject"]
    reason: Text = ""


ACCEPT = Review(verdict="accept")


def hold(reason: Text) -> Review:
    """Keep the draft until a moderator has looked at it."""
    return Review(verdict="hold", reason=reason)


def reject(reason: Text) -> Review:
    """Refuse the draft; its author keeps the text."""
    return Review(verdict="reject", reason=reason)


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What `review_content` sees: a text about to be published or changed."""

    type: str
    title: str
    text: str
    author: int
    space: int | None
    audience: int
    language: str
    content: int | None = None
