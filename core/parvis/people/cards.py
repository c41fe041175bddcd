"""How a person is drawn beside what he wrote: face or initials, name, job."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from parvis.data import PreparedSQL
from parvis.people.names import hue_of, initials_of

AVATAR_SIZES = ("40", "80", "192")
"""The sizes in pixels in which a face is shown, of the variants its picture has."""

_CARDS = PreparedSQL(
    "SELECT id, handle, name, job, team, site, picture, state FROM member WHERE id = any(:ids)", short=True
)


async def person_cards(ids: Iterable[int | None]) -> dict[int, dict[str, Any]]:
    """Return what templates draw of people, by id, in one query.

    It knows no reader: the caller read what these people wrote, or the people, through the access rule.
    """
    wanted = sorted({id_ for id_ in ids if id_ is not None})
    return {row["id"]: _card(row) for row in await _CARDS(ids=wanted)} if wanted else {}


def _card(row: dict[str, Any]) -> dict[str, Any]:
    picture = row.pop("picture")
    handle = row["handle"]
    row["url"] = f"/people/{handle}"
    row["initials"] = initials_of(row["name"])
    row["hue"] = hue_of(handle)
    row["avatar"] = {size: f"/f/{picture}?size={size}" for size in AVATAR_SIZES} if picture else None
    return row
