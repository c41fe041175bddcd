"""Assembly: opens an instance, builds the Litestar application from core and plugins, and starts its housekeeping."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator, Collection
from copy import copy
from importlib import import_module, metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from litestar import Litestar
from litestar.config.app import AppConfig
from litestar.plugins import PluginProtocol
from litestar.plugins.core import MsgspecDIPlugin

from parvis.asgi import Outer
from parvis.config import Phrase as _l  # noqa: N813
from parvis.content.events import settle
from parvis.content.housekeeping import tidy
from parvis.data import bind, open_engine
from parvis.errors import ConfigError
from parvis.people import sessions
from parvis.plugins import PluginRegistry
from parvis.services.i18n import Catalogs
from parvis.services.markup import Markup
from parvis.services.settings import SettingsStore
from parvis.services.storage import LocalStorage
from parvis.site import Site, current, set_current
from parvis.web import (
    admin_pages,
    api,
    core_pages,
    file_pages,
    health_pages,
    membership_pages,
    people_pages,
    preference_pages,
    sign_in_pages,
    space_pages,
)
from parvis.web.door import door
from parvis.web.environment import Renderer
from parvis.web.errors import handle_error
from parvis.web.request import Request

if TYPE_CHECKING:
    from parvis.config import Config

log = logging.getLogger("parvis")

DEFAULTS = ("parvis.defaults.core", "parvis.defaults.password", "parvis.defaults.widgets")
PAGES = (
    core_pages,
    sign_in_pages,
    people_pages,
    preference_pages,
    space_pages,
    membership_pages,
    file_pages,
    admin_pages,
    api,
    health_pages,
)
HOUR = 3600.0


@contextlib.asynccontextmanager
async def open_site(config: Config, *, first: bool | Collection[str] = True) -> AsyncIterator[Site]:
    """Open an instance: database, plugins, services. One at a time in a process; closed at the end.

    In an instance that never saw a plugin those of the product are on at once, or those that `first` names.
    Raises DatabaseUnavailable, NewerDatabase or ConfigError with what to do.
    """
    engine = open_engine(config.database.absolute_url)
    await engine.start()
    bind(engine)
    try:
        registry = PluginRegistry(
            engine,
            defaults=[import_module(name) for name in DEFAULTS],
            safe_mode=config.plugins.safe_mode,
            marks=config.files.absolute_folder.parent,
            enable_on_first_start=first,
        )
        settings = SettingsStore()
        site = Site(
            config=config,
            engine=engine,
            plugins=registry,
            storage=LocalStorage(config.files.absolute_folder),
            i18n=Catalogs(),
            markup=Markup(),
            settings=settings,
        )
        set_current(site)
        try:
            await registry.load()
            await settings.load(registry.everything.settings)
            site.i18n.load(registry.folders)
            theme = theme_folder(config.site.theme)
            site.stash["renderer"] = renderer = Renderer(registry, theme, config.directory)
            registry.prepare_rendering(renderer.env, site.markup)
            yield site
            await settle()
            await sessions.settle()
        finally:
            await registry.close()
            set_current(None)
    finally:
        await engine.stop()


def theme_folder(name: str) -> Path:
    """Return the folder of an installed theme (entry-point group `parvis.themes`), or raise ConfigError."""
    for entry in metadata.entry_points(group="parvis.themes", name=name):
        return Path(str(resources.files(entry.value)))
    raise ConfigError(
        _l(
            "{setting}: {problem}",
            setting=f'site.theme = "{name}"',
            problem=_l("no such theme is installed."),
        ),
        remedy=_l('Install its package, or write "default" into parvis.toml.'),
    )


def create_app(config: Config) -> Outer:
    """Return the ASGI application of an instance; the instance opens with its lifespan.

    ConfigError for a theme that is not installed: found before the lifespan, it is told in the command's language.
    """
    theme_folder(config.site.theme)
    app = _Late(config)
    return Outer(app, config)


def application_of(site: Site) -> Outer:
    """Return the ASGI application over a site that is open already, without a lifespan of its own: for tests."""
    late = _Late(site.config)
    late.adopt(build_litestar(site))
    return Outer(late, site.config)


class _Late:
    """Builds the Litestar application inside the lifespan, since plugins are known once the database is open."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._app: Litestar | None = None

    def adopt(self, app: Litestar) -> None:
        """Serve with an application that was built already."""
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif self._app is not None:
            await self._answer(self._app, scope, receive, send)

    async def _answer(self, app: Litestar, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request; whatever is raised before the answer began becomes an error page here."""
        begun = False

        async def noting(message: Any) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await app(scope, receive, noting)
        except Exception as error:
            if begun:
                log.exception("an answer broke off")
                raise
            request = Request(scope, receive, noting)
            response = await handle_error(request, error)
            await response.to_asgi_response(None, request)(scope, receive, noting)

    async def _lifespan(self, receive: Any, send: Any) -> None:
        await receive()
        started = False
        try:
            async with open_site(self._config) as site:
                self._app = app = build_litestar(site)
                await site.plugins.tell("startup", app=app)
                tasks = [asyncio.create_task(_follow(site)), asyncio.create_task(_tidy_hourly())]
                # What lives as long as the process is no garbage: collections look at what requests leave.
                gc.collect()
                gc.freeze()
                await send({"type": "lifespan.startup.complete"})
                started = True
                await receive()
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            await send({"type": "lifespan.shutdown.complete"})
        except Exception as error:
            log.exception("the instance could not be %s", "closed" if started else "opened")
            kind = "shutdown" if started else "startup"
            await send({"type": f"lifespan.{kind}.failed", "message": str(error)})


class _Lean(Litestar):
    """Litestar without its plugins for pydantic: loading that costs a fifth of the start and 10 MB.

    Handlers use msgspec's structs and plain types.
    """

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        return [*plugins, MsgspecDIPlugin()]


def build_litestar(site: Site) -> Litestar:
    """Register every handler of the core and of the loaded plugins once."""
    handlers: list[Any] = [handler for pages in PAGES for handler in pages.handlers]
    handlers.extend(declared.value for declared in site.plugins.routes)
    # Litestar writes into what it registers; copies leave the modules' own handlers as they were declared.
    handlers = [handler if isinstance(handler, type) else copy(handler) for handler in handlers]
    app = _Lean(
        route_handlers=handlers,
        request_class=Request,
        guards=[door],
        exception_handlers={Exception: _raise},
        openapi_config=None,
        logging_config=None,
        request_max_body_size=site.config.files.max_upload_mb * 1_000_000,
        on_app_init=[_quiet],
    )
    site.stash["renderer"].learn_routes(app)
    return app


def _raise(_: Any, error: Exception) -> Any:
    """Let every error through to the one place that answers it: Litestar's handlers cannot await."""
    raise error


def _quiet(app_config: AppConfig) -> AppConfig:
    app_config.debug = False
    return app_config


async def _follow(site: Site) -> None:
    """Notice each second what another process changed: enabled modules and settings."""
    while True:
        await asyncio.sleep(1.0)
        try:
            await site.plugins.refresh()
            await site.settings.refresh()
        except Exception:
            log.exception("could not look for changes of other processes; trying again")


async def _tidy_hourly() -> None:
    while True:
        await asyncio.sleep(HOUR)
        await tidy()


__all__ = ("application_of", "build_litestar", "create_app", "current", "open_site", "theme_folder")
