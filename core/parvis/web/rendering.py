"""Pages and fragments: one environment of templates, one way to answer with a page, one with a part of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import jinja2
from litestar import Response
from litestar.response import Redirect
from markupsafe import Markup, escape

from parvis.services import i18n
from parvis.services.secrets import mask
from parvis.site import current
from parvis.web.flash import flash_cookie
from parvis.web.icons import CORE_ICONS, build_sprite
from parvis.web.kept import Kept
from parvis.web.request import Request
from parvis.web.shell import shell_context
from parvis.web.static import StaticFiles

if TYPE_CHECKING:
    from litestar import Litestar

    from parvis.declarations import Fragment
    from parvis.plugins import PluginRegistry

HTML = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class SlotPage:
    """What a page fragment's `load` is given: the request and what the page is about."""

    request: Request
    subject: Mapping[str, Any]

    @property
    def actor(self) -> Any:
        """Who reads the page."""
        return self.request.actor


class _Owned(jinja2.PrefixLoader):
    """Finds templates by their owner's prefix and leaves them their whole name: `feeds/_post.html`.

    A template's name tells whose catalogue its words are looked up in first.
    """

    load = jinja2.BaseLoader.load


class Renderer:
    """The templates, static files and addresses of one open site."""

    def __init__(self, registry: PluginRegistry, theme: Path, site_folder: Path) -> None:
        self.static = StaticFiles()
        self.routes: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._registry = registry
        core = Path(str(resources.files("parvis.web")))
        sources = {"parvis": core / "templates" / "parvis"}
        for name, folder in registry.folders.items():
            if (folder / "templates" / name).is_dir():
                sources[name] = folder / "templates" / name
        original = _Owned({name: jinja2.FileSystemLoader(path) for name, path in sources.items()})
        self.env = jinja2.Environment(
            loader=jinja2.ChoiceLoader(
                [
                    jinja2.FileSystemLoader([site_folder / "templates", theme / "templates"]),
                    original,
                    _Owned({"original": original}),
                ]
            ),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            cache_size=-1,
        )
        self._add_static(core, theme)
        self._add_globals()

    def _add_static(self, core: Path, theme: Path) -> None:
        icons: set[str] = set(CORE_ICONS)
        for info in self._registry.infos.values():
            icons.update(info.icons)
        everything = self._registry.everything
        icons.update(declared.value.icon for declared in everything.content_types.values())
        icons.update(declared.value.icon for declared in everything.navigation)
        self.static.add("parvis/icons.svg", build_sprite(sorted(icons)).encode())
        self.static.add_folder("parvis", core / "static")
        self.static.add_folder("theme", theme, layer="theme", only=_THEME_FILES)
        for name, folder in self._registry.folders.items():
            self.static.add_folder(name, folder / "static" / name, layer="plugins")
        self._sprite = self.static.url("parvis/icons.svg")

    def _add_globals(self) -> None:
        i18n.install(self.env)
        self.env.globals.update(
            static=self.static.url,
            icon=self.icon,
            url=self.url,
            when=when,
            fragments=_fragments,
            date=i18n.format_date,
            number=i18n.format_number,
            size=i18n.format_size,
        )
        # For HTML that was sanitised when it was written, and for nothing else.
        self.env.filters["trusted_html"] = Markup

    def icon(self, name: str, size: int = 20, cls: str = "") -> Markup:
        """Return an icon of the sprite, hidden from screen readers: a word always stands beside it."""
        return Markup(
            f'<svg class="icon {escape(cls)}" width="{size:d}" height="{size:d}" aria-hidden="true">'
            f'<use href="{self._sprite}#i-{escape(name)}"></use></svg>'
        )

    def learn_routes(self, app: Litestar) -> None:
        """Keep the path of every named handler, so that an address costs no search."""
        for route in app.routes:
            for handler in getattr(route, "route_handlers", ()) or [getattr(route, "route_handler", None)]:
                if handler is not None and handler.name:
                    parts = [part if isinstance(part, str) else part.name for part in route.path_components]
                    names = tuple(part.name for part in route.path_components if not isinstance(part, str))
                    path = "/" + "/".join(f"{{{part}}}" if part in names else part for part in parts)
                    self.routes.setdefault(handler.name, (path, names))

    def url(self, name: str, /, **params: Any) -> str:
        """Return the address of a handler; what its path does not name becomes the query."""
        try:
            path, names = self.routes[name]
        except KeyError:
            raise LookupError(f"there is no handler named {name!r}") from None
        if names:
            path = path.format(**{key: quote(str(params[key]), safe="") for key in names})
        query = "&".join(
            f"{quote(key)}={quote(str(value), safe='')}"
            for key, value in params.items()
            if key not in names and value is not None
        )
        return f"{path}?{query}" if query else path

    def render(self, template: str, context: Mapping[str, Any]) -> str:
        """Render a template with what its first comment asks for."""
        return self.env.get_template(template).render(context)


@jinja2.pass_context
def _fragments(context: jinja2.runtime.Context, slot: str) -> Markup:
    """Return what plugins put in a slot; the handler loaded it before rendering."""
    found: Markup = context["slots"][slot]
    return found


def when(moment: Any) -> Markup:
    """Return a moment as `<time>` with its date in the site's zone, refined by script in the reader's."""
    stamp = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    text = escape(i18n.format_moment(moment))
    return Markup(f'<relative-time datetime="{stamp}"><time datetime="{stamp}">{text}</time></relative-time>')


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


async def load_slots(request: Request, slots: Sequence[str], subject: Mapping[str, Any]) -> dict[str, Markup]:
    """Load and render every fragment of these page slots; one that fails is left out and counted."""
    fragments = current().plugins.fragments
    page_of = SlotPage(request, subject)
    base = await base_context(request)
    filled: dict[str, Markup] = {}
    for slot in slots:
        # One after the other: tasks would cost more than the short reads they could overlap.
        parts = [await _load_one(declared, page_of, base) for declared in fragments.get(slot, ())]
        filled[slot] = Markup("".join([part for part in parts if part is not None]))
    return filled


async def _load_one(declared: Any, page_of: SlotPage, base: Mapping[str, Any]) -> str | None:
    fragment_: Fragment = declared.value

    async def build() -> str | None:
        key: Any = await fragment_.keep(page_of) if fragment_.keep is not None else None
        if key is not None:
            key = (fragment_.template, base["shell_key"], key)
            if (kept := _frames().get(key)) is not None:
                stored: str = kept[0]
                return stored
        context = await fragment_.load(page_of) if fragment_.load is not None else {}
        text = None
        if context is not None:
            text = renderer().render(fragment_.template, {**base, **page_of.subject, **context})
        if key is not None:
            _frames().put(key, [text or ""], 2 * len(text or "") + 500)
        return text

    what = f"fragment {fragment_.slot}"
    answer = await current().plugins.call(declared.plugin, what, build, limit=None)
    text: str | None = None if answer.failed else answer.value
    return text


FRAMES_BYTES = 16 * 1024 * 1024
"""How much memory the kept frames of one process take at most."""
# What a theme serves; its templates, Python and README stay inside.
_THEME_FILES = frozenset({".css", ".js", ".woff2", ".svg", ".png", ".webp", ".jpg", ".ico"})
_MARK = "\x00"


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
    filled = await load_slots(request, slots, context) if slots else {}
    full = {**base, **context, "partial": False}
    if frame is None or base["flash"] is not None or status != 200:
        full["slots"] = filled
        return _answer(request, renderer().render(template, full).encode(), status)
    empty = tuple(slot for slot in slots if not filled[slot])
    key = (template, base["shell_key"], frame, empty, renderer().static.build)
    frames = _frames()
    pieces = frames.get(key)
    if pieces is None:
        full["csrf"] = f"{_MARK}csrf{_MARK}"
        full["slots"] = {slot: Markup("" if slot in empty else f"{_MARK}{slot}{_MARK}") for slot in slots}
        text = renderer().render(template, full)
        # Odd pieces are names: user text holds no NUL, it is taken out where forms are read.
        pieces = [part if index % 2 else part.encode() for index, part in enumerate(text.split(_MARK))]
        frames.put(key, pieces, len(text) + 500)
    values = {"csrf": base["csrf"], **filled}
    body = b"".join([values[part].encode() if index % 2 else part for index, part in enumerate(pieces)])
    return _answer(request, body, status)


async def fragment(
    request: Request, template: str, /, *, status: int = 200, toast: str | None = None, **context: Any
) -> Response[bytes]:
    """Answer with one part of a page, as htmx swaps it; `toast` is announced in the status region."""
    base = await base_context(request)
    text = renderer().render(template, {**base, "slots": {}, **context, "partial": True})
    if toast:
        text += renderer().render("parvis/ui/_toast_partial.html", {**base, "text": toast, "action": None})
    return _answer(request, text.encode(), status)


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
        response: Response[Any] = Response(b"", status_code=204, headers={"HX-Redirect": path})
    else:
        response = Redirect(path, status_code=303)
    if flash is not None:
        response.set_cookie(flash_cookie(str(flash), action, secure=request.state_of.secure))
    return response
