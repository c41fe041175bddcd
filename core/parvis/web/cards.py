"""Cards: rendered once a version and kept, with holes where one reader's own things go.

A card holds no form, token or permission of one reader, so that one rendering serves everybody who may read it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from parvis.content.access import readable_contents
from parvis.content.files import files_of
from parvis.content.tables import ContentKey, ContentRow
from parvis.people.cards import person_cards
from parvis.services.kept import Kept
from parvis.site import current
from parvis.spaces.cards import space_cards
from parvis.web.bulk import Bulk
from parvis.web.rendering import renderer
from parvis.web.request import Request

KEPT_BYTES = 24 * 1024 * 1024
"""How much memory the rendered cards and lists of one process take at most."""

_HOLE = re.compile(r"<!--hole:([a-z.]+)-->")


@dataclass(frozen=True, slots=True)
class Card:
    """A rendered card: the text between its holes, and the slot of each hole."""

    parts: tuple[bytes, ...]
    holes: tuple[str, ...]
    size: int


def _kept() -> Kept[Card]:
    stash = current().stash
    found: Kept[Card] | None = stash.get("cards")
    if found is None:
        found = stash["cards"] = Kept(KEPT_BYTES)
    return found


async def render_cards(request: Request, rows: Sequence[ContentRow | ContentKey]) -> list[Markup]:
    """Return the card of each row as this reader sees it, in order; rows were read through the access rule.

    Rows of a type whose plugin is not enabled show a neutral placeholder.
    """
    return [Markup(card.decode()) for card in await _cards(request, rows)]


async def joined_cards(request: Request, rows: Sequence[ContentRow | ContentKey]) -> Bulk:
    """Return the cards of a list in one piece, for the template's `cards`.

    A list without readers' holes is kept whole: many read the same one.
    """
    kept = _kept()
    key = ("list", tuple(rows), _epoch(request))
    whole = kept.get(key)
    if whole is not None:
        return Bulk("cards", whole.parts[0])
    joined = b"\n".join(await _cards(request, rows))
    if not any(card is None or card.holes for card in (kept.get(_key(row, key[2])) for row in rows)):
        kept.put(key, Card((joined,), (), len(joined)), len(joined) + 2000)
    return Bulk("cards", joined)


def _epoch(request: Request) -> tuple[Any, ...]:
    """Return what all cards of a page depend on."""
    site = current()
    return (
        request.language,
        site.plugins.version,
        site.settings.version,
        site.settings.cards,
        renderer().static.build,
    )


def _key(row: ContentRow | ContentKey, epoch: tuple[Any, ...]) -> tuple[Any, ...]:
    return (row.id, row.version, row.touched, row.state, row.is_pinned, epoch)


async def _cards(request: Request, rows: Sequence[ContentRow | ContentKey]) -> list[bytes]:
    epoch = _epoch(request)
    kept = _kept()
    found: dict[int, Card] = {}
    missing: list[ContentRow | ContentKey] = []
    for row in rows:
        card = kept.get(_key(row, epoch))
        if card is None:
            missing.append(row)
        else:
            found[row.id] = card
    if missing:
        whole = await _whole(request, missing)
        for full, card in zip(whole, await _render(request, whole), strict=True):
            kept.put(_key(full, epoch), card, card.size)
            found[full.id] = card
    rows = [row for row in rows if row.id in found]
    filled = await _fill(request, rows, found)
    return [_join(found[row.id], row.id, filled) for row in rows]


async def _whole(request: Request, rows: Sequence[ContentRow | ContentKey]) -> list[ContentRow]:
    """Return the whole rows of those whose card is not kept; what went away meanwhile is left out."""
    if all(isinstance(row, ContentRow) for row in rows):
        return [row for row in rows if isinstance(row, ContentRow)]
    found = await readable_contents(request.actor, [row.id for row in rows])
    return [found[row.id] for row in rows if row.id in found]


def _join(card: Card, content: int, filled: Mapping[str, Mapping[int, str]]) -> bytes:
    if not card.holes:
        return card.parts[0]
    text = [card.parts[0]]
    for slot, part in zip(card.holes, card.parts[1:], strict=True):
        text.append(filled.get(slot, {}).get(content, "").encode())
        text.append(part)
    return b"".join(text)


async def _render(request: Request, rows: Sequence[ContentRow]) -> list[Card]:
    """Render cards for everybody: one load a type, one of people, spaces, files and counters for all."""
    site = current()
    by_type: dict[str, list[ContentRow]] = {}
    for row in rows:
        by_type.setdefault(row.type, []).append(row)
    substance: dict[int, Any] = {}
    for name, group in by_type.items():
        declared = site.plugins.content_types.get(name)
        if declared is None:
            continue
        ids = [row.object for row in group if row.object is not None]
        answer = await site.plugins.call(
            declared.plugin, f"load {name}", declared.value.load_many, ids, limit=1.0
        )
        if not answer.failed:
            substance.update(
                {row.id: answer.value[row.object] for row in group if row.object in answer.value}
            )
    shared = {
        "people": await person_cards([row.author for row in rows]),
        "spaces": await space_cards([row.space for row in rows if row.space is not None]),
        "files": await files_of([row.id for row in rows]),
        "slots": await _content_slots(rows),
    }
    return [_card(request, row, substance.get(row.id), shared) for row in rows]


def _card(request: Request, row: ContentRow, body: Any, shared: Mapping[str, Any]) -> Card:
    declared = current().plugins.content_types.get(row.type)
    context = {
        "content": row,
        "url": renderer().url,
        "permalink": f"/c/{row.id}",
        "author": shared["people"].get(row.author),
        "space": shared["spaces"].get(row.space),
        "files": shared["files"].get(row.id, []),
        "pictures": [file for file in shared["files"].get(row.id, []) if file.is_picture],
        "documents": [file for file in shared["files"].get(row.id, []) if not file.is_picture],
        "kept": shared["slots"].get(row.id, {}),
        "hole": _hole,
        "body": body,
        "lang": request.language,
        "type": declared.value if declared else None,
    }
    template = (
        declared.value.card_template if declared and body is not None else "parvis/content/_placeholder.html"
    )
    text = renderer().render(template, context)
    pieces = _HOLE.split(text)
    parts = tuple(part.encode() for part in pieces[::2])
    return Card(parts, tuple(pieces[1::2]), sum(map(len, parts)) + 200)


def _hole(slot: str) -> Markup:
    """Leave a place in a card for what only one reader sees; nothing when no plugin fills it."""
    if any(declared.value.per == "reader" for declared in current().plugins.fragments.get(slot, ())):
        return Markup(f"<!--hole:{slot}-->")
    return Markup("")


async def _content_slots(rows: Sequence[ContentRow]) -> dict[int, dict[str, Markup]]:
    """Render what plugins add to cards for every reader alike, one batched load a fragment."""
    site = current()
    found: dict[int, dict[str, Markup]] = {}
    for slot, fragments in site.plugins.fragments.items():
        for declared in fragments:
            if declared.value.per != "content" or declared.value.load is None:
                continue
            answer = await site.plugins.call(
                declared.plugin, f"fragment {slot}", declared.value.load, rows, limit=0.3
            )
            if answer.failed:
                continue
            for content, context in answer.value.items():
                html = Markup(renderer().render(declared.value.template, context))
                slots = found.setdefault(content, {})
                slots[slot] = slots.get(slot, Markup("")) + html
    return found


async def _fill(
    request: Request, rows: Sequence[ContentRow | ContentKey], cards: Mapping[int, Card]
) -> dict[str, dict[int, str]]:
    """Render the readers' own parts for all holes of a page, one batched load a fragment."""
    site = current()
    wanted = {slot for row in rows for slot in cards[row.id].holes}
    filled: dict[str, dict[int, str]] = {}
    for slot in sorted(wanted):
        for declared in site.plugins.fragments.get(slot, ()):
            if declared.value.per != "reader" or declared.value.load is None:
                continue
            answer = await site.plugins.call(
                declared.plugin, f"fragment {slot}", declared.value.load, request.actor, rows, limit=0.3
            )
            if answer.failed:
                continue
            template = renderer().env.get_template(declared.value.template)
            texts = filled.setdefault(slot, {})
            for content, context in answer.value.items():
                texts[content] = texts.get(content, "") + template.render(context)
    return filled
