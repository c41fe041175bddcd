"""The review of drafts: every plugin may hold or refuse a text before it is published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parvis.declarations import ACCEPT, Draft, Review
from parvis.errors import Invalid
from parvis.services.i18n import lazy_gettext as _l
from parvis.site import current

if TYPE_CHECKING:
    from parvis.people.actor import Actor


async def review(draft: Draft, actor: Actor) -> Review:
    """Ask every plugin about a draft; the strictest answer wins, and one that fails holds the text."""
    strictest = ACCEPT
    order = ("accept", "hold", "reject")
    for answer in await current().plugins.ask_all("review_content", draft=draft, actor=actor):
        if answer.failed:
            verdict = Review(verdict="hold", reason=_l("A check could not be made; a moderator will look."))
        else:
            verdict = answer.value or ACCEPT
        if order.index(verdict.verdict) > order.index(strictest.verdict):
            strictest = verdict
    if strictest.verdict == "reject":
        raise Invalid({"text": strictest.reason or _l("This text was refused.")})
    return strictest
