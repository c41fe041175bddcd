"""Whether an actor may do something: one answer a subject, asked once at the door.

Any Deny of a plugin wins, else any Allow, else the role table of the declared permissions. An Allow never
widens reading: the subject was read through the access rule before anybody asks here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from parvis.declarations import Decision
from parvis.errors import Forbidden, SignInRequired
from parvis.services.i18n import lazy_gettext as _l
from parvis.site import current
from parvis.spaces.access import my_roles

if TYPE_CHECKING:
    from parvis.declarations import Permission
    from parvis.people.actor import Actor


async def decide(actor: Actor, permission: str, subjects: Sequence[Any]) -> list[bool]:
    """Answer for each subject whether the actor may; asked once a page and permission.

    A subject is a ContentRow, a space row, or None for the site itself. Unknown permissions are refused.
    """
    declared = current().plugins.permissions.get(permission)
    if declared is None or not subjects:
        return [False] * len(subjects)
    if actor.role == "system":
        return [True] * len(subjects)
    if actor.scopes is not None and permission not in actor.scopes:
        return [False] * len(subjects)
    denied = [False] * len(subjects)
    granted = [False] * len(subjects)
    for answer in await current().plugins.ask_all(
        "decide", actor=actor, permission=permission, subjects=subjects
    ):
        if answer.failed or len(answer.value) not in (0, len(subjects)):
            # A plugin that cannot answer for its own permission refuses it; about others it is ignored.
            if answer.plugin == declared.plugin:
                denied = [True] * len(subjects)
            continue
        for index, decision in enumerate(answer.value):
            denied[index] |= decision is Decision.DENY
            granted[index] |= decision is Decision.ALLOW
    roles = await my_roles(actor)
    return [
        not denied[index] and (granted[index] or by_roles(declared.value, actor, subject, roles))
        for index, subject in enumerate(subjects)
    ]


def by_roles(permission: Permission, actor: Actor, subject: Any, roles: dict[int, str]) -> bool:
    """Answer from the role table: site role, role in the subject's space, or authorship."""
    if actor.role in permission.roles:
        return True
    if subject is None:
        return False
    if permission.author and actor.member is not None and getattr(subject, "author", None) == actor.member:
        return True
    space = getattr(subject, "space", None) if hasattr(subject, "space") else getattr(subject, "id", None)
    return space is not None and roles.get(space) in permission.space_roles


async def allowed(actor: Actor, permission: str, subject: Any = None) -> bool:
    """Answer for one subject whether the actor may."""
    return (await decide(actor, permission, [subject]))[0]


async def demand(actor: Actor, permission: str, subject: Any = None) -> None:
    """Raise Forbidden (or SignInRequired for nobody) unless the actor may."""
    if await allowed(actor, permission, subject):
        return
    if actor.member is None and actor.role != "system":
        raise SignInRequired()
    raise Forbidden(_l("You may not do this here."), remedy=_l("Ask a person in charge of the space."))
