"""The templates, static files and addresses of one open site."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup, escape

from parvis.services import i18n
from parvis.web.icons import CORE_ICONS, build_sprite
from parvis.web.static import StaticFiles

if TYPE_CHECKING:
    from litestar import Litestar

    from parvis.plugins import PluginRegistry

# What a theme serves; its templates, Python and README stay inside.
_THEME_FILES = frozenset({".css", ".js", ".woff2", ".svg", ".png", ".webp", ".jpg", ".ico"})


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
    return Markup(
        f'<relative-time datetime="{stamp}" prefix=""><time datetime="{stamp}">{text}</time></relative-time>'
    )
