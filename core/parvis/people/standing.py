"""What follows from a member's place in spaces, groups and audiences, kept as long as nobody's place changes.

The database itself counts those changes: triggers raise the counter `standing` in the transaction that changes a
place, whoever writes it. A session is read together with that counter, so that what was kept under it is as true as
what a query would find.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from parvis.data import in_transaction
from parvis.services.kept import Kept
from parvis.site import current

if TYPE_CHECKING:
    from parvis.people.actor import Actor

T = TypeVar("T")

KEPT_BYTES = 4 * 1024 * 1024
"""How much memory is kept for this in one process, at about 100 bytes an entry of a list."""


async def by_standing(actor: Actor, name: str, find: Callable[[], Awaitable[list[T]]]) -> list[T]:
    """Return what `find` finds for this actor: once a request, and from what is kept where that is still true.

    Nothing is kept of a transaction, which may be rolled back. The list is shared: callers do not change it.
    """
    found: list[T] | None = actor.memo.get(name)
    if found is not None:
        return found
    if actor.standing is None or in_transaction():
        found = await find()
    else:
        stash = current().stash
        kept: Kept[list[T]] | None = stash.get("standing")
        if kept is None:
            kept = stash["standing"] = Kept(KEPT_BYTES)
        key = (name, actor.member, actor.role, actor.standing)
        found = kept.get(key)
        if found is None:
            found = await find()
            kept.put(key, found, 300 + 100 * len(found))
    actor.memo[name] = found
    return found
