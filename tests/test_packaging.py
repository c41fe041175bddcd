"""What leaves the repository: each wheel holds exactly its own package, and the lists of members agree."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


def document(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))


UMBRELLA = document(ROOT)
MEMBERS = {
    document(folder)["project"]["name"]: folder
    for pattern in UMBRELLA["tool"]["uv"]["workspace"]["members"]
    for folder in sorted(ROOT.glob(pattern))
    if (folder / "pyproject.toml").is_file()
}


def package_of(name: str) -> str:
    return "parvis" if name == "parvis-core" else name.replace("-", "_")


def files_of(folder: Path) -> set[str]:
    """Return the files under `folder`, relative to its parent, that a wheel must hold."""
    return {
        path.relative_to(folder.parent).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in {".pyc", ".pyo"}
    }


def find_uv() -> str:
    found = shutil.which("uv") or str(ROOT / ".tools/bin/uv")
    assert Path(found).exists(), "uv is neither on PATH nor in .tools: run `make test`"
    return found


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Build every distribution as a release does: the wheels come out of the source archives."""
    out = tmp_path_factory.mktemp("wheels")
    built = subprocess.run(
        [find_uv(), "build", "--quiet", "--all-packages", "--out-dir", str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "UV_PYTHON_DOWNLOADS": "never"},
    )
    assert built.returncode == 0, built.stderr
    return {path.name.split("-")[0].replace("_", "-"): path for path in out.glob("*.whl")}


def contents(wheel: Path) -> tuple[set[str], set[str]]:
    """Return the files of a wheel, and apart the ones of its metadata without their folder."""
    names = {name for name in zipfile.ZipFile(wheel).namelist() if not name.endswith("/")}
    metadata = {name for name in names if ".dist-info/" in name}
    return names - metadata, {name.split(".dist-info/", 1)[1] for name in metadata}


def metadata(wheel: Path) -> Any:
    archive = zipfile.ZipFile(wheel)
    name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    return Parser().parsestr(archive.read(name).decode())


def test_every_member_is_built(wheels: dict[str, Path]) -> None:
    assert set(wheels) == {"parvis", *MEMBERS}


def test_the_umbrella_is_empty_but_for_the_command(wheels: dict[str, Path]) -> None:
    files, about = contents(wheels["parvis"])
    assert files == set()
    assert about == {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
    entry = zipfile.ZipFile(wheels["parvis"]).read(
        f"parvis-{UMBRELLA['project']['version']}.dist-info/entry_points.txt"
    )
    assert entry.decode().split() == ["[console_scripts]", "parvis", "=", "parvis.cli:main"]


@pytest.mark.parametrize("name", sorted(MEMBERS))
def test_a_wheel_holds_every_file_of_its_package_and_nothing_else(name: str, wheels: dict[str, Path]) -> None:
    folder = MEMBERS[name]
    files, about = contents(wheels[name])
    # Equality says both: no data file (template, picture) is left behind, nothing strange comes along.
    assert files == files_of(folder / package_of(name))
    assert {file.split("/")[0] for file in files} == {package_of(name)}
    assert not [file for file in files if "tests" in file.split("/")[1:-1]]
    assert "licenses/LICENSE" in about


# What must be there at all, so that equality with an emptied folder does not pass: one pattern a line.
PROMISED = {
    "parvis-core": (
        r"parvis/py\.typed",
        r"parvis/data/migrations/m0001\.py",
        r"parvis/web/templates/parvis/page\.html",
        r"parvis/web/static/.+\.css",
        r"parvis/web/static/vendor/.+\.js",
        r"parvis/locales/fr\.po",
        r"parvis/demo/.+",
    ),
    "parvis-feeds": (
        r"parvis_feeds/py\.typed",
        r"parvis_feeds/plugin\.py",
        r"parvis_feeds/templates/feeds/.+\.html",
        r"parvis_feeds/locales/fr\.po",
        r"parvis_feeds/demo.*",
    ),
    "parvis-theme-default": (r"parvis_theme_default/theme\.css",),
}


@pytest.mark.parametrize(
    ("name", "pattern"), [(name, pattern) for name in PROMISED for pattern in PROMISED[name]]
)
def test_a_wheel_ships_what_it_promises(name: str, pattern: str, wheels: dict[str, Path]) -> None:
    files, _ = contents(wheels[name])
    assert [file for file in files if re.fullmatch(pattern, file)]


def test_every_plugin_keeps_its_templates_and_static_files_under_its_name(wheels: dict[str, Path]) -> None:
    for name, wheel in wheels.items():
        plugins = (
            document(MEMBERS[name])["project"].get("entry-points", {}).get("parvis.plugins", {})
            if name in MEMBERS
            else {}
        )
        for plugin in plugins:
            for file in contents(wheel)[0]:
                parts = file.split("/")
                if len(parts) > 2 and parts[1] in {"templates", "static"}:
                    assert parts[2] == plugin, f"{file}: expected {parts[1]}/{plugin}/"


@pytest.mark.parametrize("name", ["parvis", *sorted(MEMBERS)])
def test_metadata_is_complete(name: str, wheels: dict[str, Path]) -> None:
    about = metadata(wheels[name])
    assert about["Name"] == name
    assert about["Author"] == "The Parvis authors"
    assert about["License-Expression"] == "Apache-2.0"
    assert about["Requires-Python"] == ">=3.11"
    assert all(about[field] for field in ("Summary", "Keywords", "Classifier"))
    assert len(about.get_payload().strip()) > 100, "README.md is (nearly) empty"


def test_one_version_and_one_licence_everywhere() -> None:
    versions = {
        name: document(folder)["project"]["version"] for name, folder in {"parvis": ROOT, **MEMBERS}.items()
    }
    assert set(versions.values()) == {UMBRELLA["project"]["version"]}, versions
    source = (ROOT / "core/parvis/__init__.py").read_text(encoding="utf-8")
    assert f'__version__ = "{UMBRELLA["project"]["version"]}"' in source
    for folder in MEMBERS.values():
        assert (folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes(), folder


def test_dependencies_sources_and_members_are_one_list() -> None:
    assert sorted(UMBRELLA["project"]["dependencies"]) == sorted(MEMBERS)
    sources = UMBRELLA["tool"]["uv"]["sources"]
    assert sorted(sources) == sorted(MEMBERS)
    assert all(source == {"workspace": True} for source in sources.values())


def test_every_folder_of_plugins_and_themes_is_a_distribution() -> None:
    # A folder with files and no pyproject.toml makes every uv command fail.
    folders = [path for kind in ("plugins", "themes") for path in (ROOT / kind).iterdir() if path.is_dir()]
    assert [str(path) for path in folders if not (path / "pyproject.toml").is_file()] == []
    prefixes = {"plugins": "parvis-", "themes": "parvis-theme-"}
    for path in folders:
        assert document(path)["project"]["name"] == prefixes[path.parent.name] + path.name


def test_a_plugin_names_the_range_of_cores_it_works_with() -> None:
    for name, folder in MEMBERS.items():
        if folder.parent.name == "plugins":
            needs = [
                need for need in document(folder)["project"]["dependencies"] if need.startswith("parvis-core")
            ]
            assert re.fullmatch(r"parvis-core>=[0-9.]+,<[0-9.]+", ";".join(needs)), (name, needs)


def test_the_repository_root_is_not_importable() -> None:
    # An editable umbrella that selects files puts the root on sys.path: `core`, `tests` become importable.
    program = (
        "import json, sys, importlib.util as u\n"
        "specs = [u.find_spec(n) for n in ('core', 'plugins', 'themes', 'tests', 'deploy')]\n"
        "found = [[*s.submodule_search_locations] for s in specs if s]\n"
        "print(json.dumps([sys.path, found]))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program],
        cwd="/",
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    path, found = json.loads(printed)
    assert str(ROOT / "core") in path, "parvis is not installed editable here: run `uv sync`"
    assert str(ROOT) not in path
    # Piccolo's wheel brings a top-level `tests` of its own; ours must not be one.
    assert [folder for folders in found for folder in folders if Path(folder).parent == ROOT] == []


def test_the_wheels_alone_make_the_command(wheels: dict[str, Path], tmp_path: Path) -> None:
    """Install the wheels alone, out of sight of the repository, and find plugin, theme and command."""
    program = (
        "import importlib.metadata as m, importlib.util as u, json\n"
        "groups = ('parvis.plugins', 'parvis.themes', 'console_scripts')\n"
        "names = [e.name for g in groups for e in m.entry_points(group=g) if e.value.startswith('parvis')]\n"
        "print(json.dumps([u.find_spec('parvis').origin, names]))\n"
    )
    target = tmp_path / "site"
    install = [find_uv(), "pip", "install", "--quiet", "--no-deps", "--target", str(target)]
    environment = {**os.environ, "UV_PYTHON": sys.executable, "PYTHONPATH": str(target)}
    subprocess.run([*install, *map(str, wheels.values())], check=True, capture_output=True, env=environment)
    printed = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    origin, names = json.loads(printed)
    assert Path(origin).is_relative_to(target)
    assert {"feeds", "default", "parvis"} <= set(names)
