"""Pages and fragments: one environment of templates, one way to answer with a page, one with a part of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from litestar import Response
from litestar.response import Redirect
from markupsafe import Markup

from parvis.services.kept import Kept
from parvis.services.secrets import mask
from parvis.site import current
from parvis.web.bulk import MARK, Bulk, filled, pieces_of, places_in, put_together
from parvis.web.environment import Renderer
from parvis.web.flash import flash_cookie
from parvis.web.request import Request
from parvis.web.shell import shell_context

if TYPE_CHECKING:
    from parvis.declarations import Fragment

HTML = "text/html"  # Litestar adds the charset
# Left as they are in an address; all else is percent-encoded, since headers hold ASCII (RFC 9110, 5.5).
_IN_ADDRESSES = "/#%[]=:;$&()+,!?*@'~"


@dataclass(frozen=True, slots=True)
class SlotPage:
    """What a page fragment's `load` is given: the request and what the page is about."""

    request: Request
    subject: Mapping[str, Any]

    @property
    def actor(self) -> Any:
        """Who reads the page."""
        return self.request.actor


def renderer() -> Renderer:
    """Return the renderer of the open site."""
    found: Renderer = current().stash["renderer"]
    return found


def url(name: str, /, **params: Any) -> str:
    """Return the address of a handler by its name."""
    return renderer().url(name, **params)


async def base_context(request: Request) -> dict[str, Any]:
    """Return what every template finds: site, reader, menus, language, theme, token, message."""
    found: dict[str, Any] | None = request.scope.get("parvis_context")  # type: ignore[assignment]
    if found is None:
        state = request.state_of
        found = await shell_context(request)
        found["csrf"] = mask(state.secret)
        request.scope["parvis_context"] = found  # type: ignore[typeddict-unknown-key]
    return found


async def load_slots(request: Request, slots: Sequence[str], subject: Mapping[str, Any]) -> dict[str, Bulk]:
    """Load and render every fragment of these page slots; one that fails is left out and counted."""
    fragments = current().plugins.fragments
    page_of = SlotPage(request, subject)
    base = await base_context(request)
    found: dict[str, Bulk] = {}
    for slot in slots:
        # One after the other: tasks would cost more than the short reads they could overlap.
        parts = [await _load_one(declared, page_of, base) for declared in fragments.get(slot, ())]
        found[slot] = Bulk(slot, b"".join(parts))
    return found


async def _load_one(declared: Any, page_of: SlotPage, base: Mapping[str, Any]) -> bytes:
    fragment_: Fragment = declared.value

    async def build() -> bytes:
        key: Any = await fragment_.keep(page_of) if fragment_.keep is not None else None
        if key is not None:
            key = (fragment_.template, base["shell_key"], key)
            if (kept := _frames().get(key)) is not None:
                stored: bytes = kept[0]
                return stored
        context = await fragment_.load(page_of) if fragment_.load is not None else {}
        body = b"" if context is None else _body(fragment_.template, base, {**page_of.subject, **context})
        if key is not None:
            _frames().put(key, [body], len(body) + 500)
        return body

    what = f"fragment {fragment_.slot}"
    answer = await current().plugins.call(declared.plugin, what, build, limit=None)
    body: bytes = b"" if answer.failed else answer.value
    return body


def _body(template: str, base: Mapping[str, Any], context: dict[str, Any]) -> bytes:
    """Render a fragment around its bulks, or fill what was rendered for the same `kept_as`."""
    same = context.pop("kept_as", None)
    if same is None:
        full = {**base, **context}
        return put_together(renderer().render(template, full), full)
    key = (template, base["shell_key"], "around", same)
    pieces = _frames().get(key)
    if pieces is None:
        text = renderer().render(template, {**base, **context})
        pieces = pieces_of(text)
        _frames().put(key, pieces, len(text) + 500)
    return filled(pieces, places_in(context))


FRAMES_BYTES = 16 * 1024 * 1024
"""How much memory the kept frames of one process take at most."""


def _frames() -> Kept[list[Any]]:
    stash = current().stash
    found: Kept[list[Any]] | None = stash.get("frames")
    if found is None:
        found = stash["frames"] = Kept(FRAMES_BYTES)
    return found


async def page(
    request: Request,
    template: str,
    /,
    *,
    status: int = 200,
    slots: Sequence[str] = (),
    frame: tuple[Any, ...] | None = None,
    **context: Any,
) -> Response[bytes]:
    """Answer with a whole page; `slots` are filled from plugins' fragments before it is rendered.

    With `frame` the page around its slots is kept for the reader: the tuple holds everything in `context` that the
    template shows. Slots and the form token are never kept.
    """
    base = await base_context(request)
    slotted = await load_slots(request, slots, context) if slots else {}
    if frame is None or base["flash"] is not None or status != 200:
        full = {**base, **context, "partial": False, "slots": slotted}
        return _answer(request, put_together(renderer().render(template, full), full), status)
    empty = tuple(slot for slot in slots if not slotted[slot])
    key = (template, base["shell_key"], frame, empty, renderer().static.build)
    frames = _frames()
    pieces = frames.get(key)
    if pieces is None:
        csrf = Markup(f"{MARK}csrf{MARK}")
        full = {**base, **context, "partial": False, "slots": slotted, "csrf": csrf}
        text = renderer().render(template, full)
        pieces = pieces_of(text)
        frames.put(key, pieces, len(text) + 500)
    places = {slot: bulk.body for slot, bulk in slotted.items()}
    places["csrf"] = base["csrf"].encode()
    return _answer(request, filled(pieces, places), status)


async def fragment(
    request: Request, template: str, /, *, status: int = 200, toast: str | None = None, **context: Any
) -> Response[bytes]:
    """Answer with one part of a page, as htmx swaps it; `toast` is announced in the status region."""
    base = await base_context(request)
    full = {**base, "slots": {}, **context, "partial": True}
    text = renderer().render(template, full)
    if toast:
        text += renderer().render("parvis/ui/_toast_partial.html", {**base, "text": toast, "action": None})
    return _answer(request, put_together(text, full), status)


def _answer(request: Request, body: bytes, status: int) -> Response[bytes]:
    headers = {"Vary": "HX-Request-Type, Cookie", "Cache-Control": "private, no-store"}
    return Response(body, media_type=HTML, status_code=status, headers=headers)


def redirect(
    request: Request, path: str, *, flash: Any = None, action: Mapping[str, Any] | None = None
) -> Response[Any]:
    """Send the reader on after a POST (303), with a message shown once on the next page.

    htmx follows through `HX-Redirect`, since a fetch would swallow the new address.
    """
    if request.is_partial:
        address = quote(path, safe=_IN_ADDRESSES)
        response: Response[Any] = Response(b"", status_code=204, headers={"HX-Redirect": address})
    else:
        response = Redirect(path, status_code=303)
    if flash is not None:
        response.set_cookie(flash_cookie(str(flash), action, secure=request.state_of.secure))
    return response
