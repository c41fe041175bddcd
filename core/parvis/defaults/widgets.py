"""What the core puts beside the feed: who is new, spaces to discover, who is in charge of a space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from parvis import Fragment, PluginInfo, hookimpl
from parvis.people.cards import person_cards
from parvis.people.directory import newest_members
from parvis.services.i18n import lazy_gettext as _l
from parvis.spaces.access import is_readable, visible_spaces
from parvis.spaces.members import people_in_charge
from parvis.web.rendering import SlotPage

info = PluginInfo(label=_l("Beside the feed"), summary=_l("Newcomers, spaces to discover, people in charge."))
MOST = 3


@hookimpl
def register_fragments() -> Sequence[Fragment]:
    return (
        Fragment(
            slot="home.rail",
            template="parvis/widget/_newcomers.html",
            load=load_newcomers,
            keep=same_people,
            weight=20,
        ),
        Fragment(
            slot="home.rail",
            template="parvis/widget/_spaces.html",
            load=load_spaces,
            keep=same_people,
            weight=40,
        ),
        Fragment(slot="space.rail", template="parvis/widget/_in_charge.html", load=load_in_charge, weight=20),
    )


async def same_people(page: SlotPage) -> object:
    """Keep what shows people and spaces for an hour of the clock, as long as nobody joins or leaves a space.

    Names and kinds are in the shell's key already.
    """
    standing = page.actor.standing
    return (standing, datetime.now(UTC).hour) if standing is not None else None


async def load_newcomers(page: SlotPage) -> Mapping[str, Any] | None:
    """Return the people who came last; guests see only those of their spaces, so they are shown none."""
    if page.actor.is_guest:
        return None
    rows = await newest_members(page.actor, MOST)
    cards = await person_cards([row.id for row in rows])
    people = [cards[row.id] for row in rows if row.id in cards]
    return {"people": people} if people else None


async def load_spaces(page: SlotPage) -> Mapping[str, Any] | None:
    """Return some open spaces the reader is not in yet; guests are led nowhere."""
    if page.actor.is_guest:
        return None
    found = [
        space
        for space in await visible_spaces(page.actor)
        if space.role is None and is_readable(page.actor, space)
    ]
    return {"spaces": found[:MOST]} if found else None


async def load_in_charge(page: SlotPage) -> Mapping[str, Any] | None:
    """Return the owners and moderators of the page's space."""
    space = page.subject["space"]
    rows = (await people_in_charge(space))[:5]
    cards = await person_cards([row.member for row in rows])
    return {"space": space, "people": [cards[row.member] for row in rows if row.member in cards]}
