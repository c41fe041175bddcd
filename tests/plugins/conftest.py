"""Plugins as real packages on the path, with metadata: what an administrator installs."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from parvis.config import Config
from parvis.data import Engine
from parvis.plugins import Limits, PluginRegistry
from parvis.services.i18n import Catalogs
from parvis.services.markup import Markup
from parvis.services.settings import SettingsStore
from parvis.services.storage import LocalStorage
from parvis.site import Site, set_current

SAMPLES = Path(__file__).parent / "samples"
CORE = "parvis-core>=0.1,<1"
HEAD = "from parvis import *\nfrom parvis import Decision, Fragment, Permission, PluginInfo, hookimpl\n"
Install = Callable[..., None]


@pytest.fixture
def site_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path; what was imported from it is forgotten afterwards."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if name.startswith("parvis_"):
            del sys.modules[name]


@pytest.fixture
def install(site_packages: Path) -> Install:
    """Install a plugin: a sample of this folder, or one made of the source of its plugin.py."""

    def installed(
        name: str,
        source: str | None = None,
        *,
        requires: str | None = CORE,
        version: str = "1.0",
        files: Mapping[str, str] | None = None,
    ) -> None:
        package = site_packages / f"parvis_{name}"
        if source is None:
            shutil.copytree(SAMPLES / name / f"parvis_{name}", package, dirs_exist_ok=True)
        else:
            package.mkdir(exist_ok=True)
            (package / "__init__.py").touch()
            text = textwrap.dedent(source)
            if "PluginInfo(" not in text:
                text = f'info = PluginInfo(label="{name}")\n{text}'
            (package / "plugin.py").write_text(HEAD + text)
        for path, text in (files or {}).items():
            (package / path).parent.mkdir(parents=True, exist_ok=True)
            (package / path).write_text(textwrap.dedent(text))
        about = site_packages / f"parvis_{name}-{version}.dist-info"
        about.mkdir(exist_ok=True)
        lines = [
            f"Name: parvis-{name.replace('_', '-')}",
            f"Version: {version}",
            f"Summary: The {name} plugin.",
        ]
        lines += [f"Requires-Dist: {requires}"] if requires else []
        (about / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", *lines, ""]))
        (about / "entry_points.txt").write_text(f"[parvis.plugins]\n{name} = parvis_{name}.plugin\n")

    return installed


@pytest.fixture
async def open_registry(install: Install) -> AsyncIterator[Callable[..., Any]]:
    """Open a registry in which the named plugins are on, and close it afterwards."""
    opened: list[PluginRegistry] = []

    async def opener(*names: str, engine: Any = None, **options: Any) -> PluginRegistry:
        options.setdefault("enable_on_first_start", names)
        options.setdefault("limits", Limits(retries=()))
        registry = PluginRegistry(engine, **options)
        await registry.load()
        opened.append(registry)
        return registry

    yield opener
    for registry in opened:
        await registry.close()


@pytest.fixture
def site_engine(config: Config, engine: Engine) -> Iterator[Engine]:
    """Return a database with an instance around it, whose key the audit needs; no pages."""
    set_current(
        Site(
            config=config,
            engine=engine,
            plugins=PluginRegistry(engine),
            storage=LocalStorage(config.files.absolute_folder),
            i18n=Catalogs(),
            markup=Markup(),
            settings=SettingsStore(),
        )
    )
    yield engine
    set_current(None)
