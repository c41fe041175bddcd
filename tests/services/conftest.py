"""Fixtures of the tests of services: an open database with an instance around it, no pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from parvis.config import Config
from parvis.data import Engine
from parvis.plugins import PluginRegistry
from parvis.services.i18n import Catalogs
from parvis.services.markup import Markup
from parvis.services.settings import SettingsStore
from parvis.services.storage import LocalStorage
from parvis.site import Site, set_current


@pytest.fixture
def bare_site(config: Config, engine: Engine) -> Iterator[Site]:
    """Open an instance whose settings are not loaded yet."""
    site = Site(
        config=config,
        engine=engine,
        plugins=PluginRegistry(engine),
        storage=LocalStorage(config.files.absolute_folder),
        i18n=Catalogs(),
        markup=Markup(),
        settings=SettingsStore(),
    )
    set_current(site)
    yield site
    set_current(None)
