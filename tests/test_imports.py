"""Dependencies point one way; a plugin imports itself, third parties and the documented names of `parvis`.

The order of rooms is architecture's: plugins -> web -> notify, search, live -> content, spaces -> people ->
services -> data. Imports that only annotations need (`if TYPE_CHECKING:`) are free.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PLUGIN_API = ROOT / "docs/plugin-api.md"

# Each room, and the rooms it may import at run time besides itself. Bottom first: a room names only rooms
# that precede it here (a test holds that), so the order cannot turn into a circle.
BOTTOM = frozenset({"errors", "declarations", "hookspecs", "site", "config", "__init__"})
ROOMS: dict[str, frozenset[str]] = {
    "errors": frozenset(),
    "declarations": frozenset(),
    "hookspecs": frozenset(),
    "__init__": frozenset({"declarations", "hookspecs"}),
    "site": frozenset({"errors"}),
    "config": frozenset({"errors"}),
    "data": BOTTOM,
    "services": BOTTOM | {"data"},
    "people": BOTTOM | {"data", "services"},
    # The plugin manager knows who asks (people), and nothing of what is asked about.
    "plugins": BOTTOM | {"data", "services", "people"},
    "spaces": BOTTOM | {"data", "services", "people", "plugins"},
    "content": BOTTOM | {"data", "services", "people", "plugins", "spaces"},
    "notify": BOTTOM | {"data", "services", "people", "plugins", "spaces", "content"},
    "search": BOTTOM | {"data", "services", "people", "plugins", "spaces", "content"},
    "live": BOTTOM | {"data", "services", "people", "plugins", "spaces", "content"},
    "web": BOTTOM
    | {"data", "services", "people", "plugins", "spaces", "content", "notify", "search", "live"},
}
# On top: they assemble the rest and may import anything of parvis.
TOP = frozenset(
    {"app", "asgi", "server", "webworker", "worker", "cli", "demo", "defaults", "testing", "__main__"}
)


@dataclass(frozen=True)
class Import:
    """A name imported at run time: `module` as written, `names` for a from-import."""

    line: int
    module: str
    names: tuple[str, ...]


def is_typing_only(test: ast.expr) -> bool:
    return ast.unparse(test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def imports_of(tree: ast.AST, package: str) -> Iterator[Import]:
    """Yield what is imported when the module is loaded or its functions run; relative ones made absolute."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and is_typing_only(node.test):
            for other in node.orelse:
                yield from imports_of(ast.Module([other], []), package)
        elif isinstance(node, ast.Import):
            yield from (Import(node.lineno, alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                module = ".".join([*above, module] if module else above)
            yield Import(node.lineno, module, tuple(alias.name for alias in node.names))
        else:
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {
                "import_module",
                "importlib.import_module",
            }:
                name = node.args[0] if node.args else None
                if isinstance(name, ast.Constant) and isinstance(name.value, str):
                    yield Import(node.lineno, name.value, ())
            yield from imports_of(node, package)


def modules_of(folder: Path) -> Iterator[tuple[Path, str, list[Import]]]:
    """Yield each module under a package folder with its file, dotted name and imports."""
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        package = ".".join(parts[:-1])
        name = package if parts[-1] == "__init__" else ".".join(parts)
        yield path, name, list(imports_of(ast.parse(path.read_text(encoding="utf-8")), package))


def room_of(module: str) -> str:
    """Return the room of a module of parvis: its first folder or file below the package."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def rooms_imported(item: Import, known: frozenset[str]) -> set[str]:
    """Return the rooms of parvis that an import enters; `from parvis import data` enters data."""
    if item.module == "parvis":
        return {name if name in known else "__init__" for name in item.names} or {"__init__"}
    return {room_of(item.module)} if item.module.startswith("parvis.") else set()


def faults_of_core(package: Path) -> list[str]:
    """Return every import of the core that goes upwards, sideways or to a plugin."""
    found = []
    known = frozenset(ROOMS) | TOP
    for path, name, items in modules_of(package):
        room = room_of(name)
        where = path.relative_to(package.parent)
        if room not in known:
            found.append(f"{where}: parvis.{room} is in no place of the order: add it to ROOMS or TOP")
            continue
        for item in items:
            if re.match(r"parvis_|plugins\b|themes\b|core\b", item.module):
                found.append(f"{where}:{item.line}: the core imports {item.module}")
            for target in rooms_imported(item, known) - {room}:
                if room not in TOP and target not in ROOMS[room]:
                    found.append(
                        f"{where}:{item.line}: {room} imports {target}, which stands above or beside it"
                    )
    return found


def documented(page: str) -> frozenset[str]:
    """Return the modules that plugins may import: the headings of docs/plugin-api.md in backquotes."""
    return frozenset(re.findall(r"^#{2,3} `(parvis[\w.]*)`", page, flags=re.M))


def declared(folder: Path) -> set[str]:
    """Return the import names a plugin's pyproject.toml lists, as far as they follow from the names there."""
    text = (folder / "pyproject.toml").read_text(encoding="utf-8")
    return {name.replace("-", "_").lower() for name in re.findall(r'"([A-Za-z][\w.-]*)', text)}


# Import names that differ from the distribution's, and what the core promises to bring for its plugins.
CORE_BRINGS = frozenset(
    {"babel", "dramatiq", "jinja2", "litestar", "markupsafe", "msgspec", "piccolo", "pluggy"}
)


def faults_of_plugin(package: Path, api: frozenset[str], own: set[str]) -> list[str]:
    """Return every import of what is neither the plugin's own, nor declared, nor documented."""
    found = []
    for path, _, items in modules_of(package):
        where = path.relative_to(package.parent)
        for item in items:
            top = item.module.split(".")[0]
            if top == package.name or top in sys.stdlib_module_names:
                continue
            if top == "parvis":
                inner = {f"{item.module}.{name}" for name in item.names} & api
                if item.module not in api and len(inner) != len(item.names or "-"):
                    found.append(f"{where}:{item.line}: {item.module} is not a documented name of parvis")
                found += [
                    f"{where}:{item.line}: {item.module}.{name} is private"
                    for name in item.names
                    if re.match("_[a-z]", name)
                ]
            elif top.startswith("parvis_"):
                found.append(f"{where}:{item.line}: a plugin imports another one, {top}")
            elif top not in own | CORE_BRINGS:
                found.append(f"{where}:{item.line}: {top} is not a dependency in pyproject.toml")
    return found


PLUGINS = sorted(path for path in ROOT.glob("plugins/*/parvis_*") if path.is_dir())


def test_the_order_has_no_circle() -> None:
    names = list(ROOMS)
    for place, (room, below) in enumerate(ROOMS.items()):
        assert below <= set(names[:place]) | BOTTOM, room


def test_the_core_imports_one_way_and_no_plugin() -> None:
    assert faults_of_core(ROOT / "core/parvis") == []


@pytest.mark.parametrize("package", PLUGINS, ids=[path.parent.name for path in PLUGINS])
def test_a_plugin_imports_itself_third_parties_and_documented_names(package: Path) -> None:
    api = documented(PLUGIN_API.read_text(encoding="utf-8"))
    assert api, "docs/plugin-api.md names no module"
    assert faults_of_plugin(package, api, declared(package.parent)) == []


def test_documented_modules_exist() -> None:
    for name in documented(PLUGIN_API.read_text(encoding="utf-8")):
        path = ROOT / "core" / name.replace(".", "/")
        assert path.is_dir() or path.with_suffix(".py").is_file(), name


def test_a_plugin_is_imported_by_none_but_its_own_tests_and_the_entry_point() -> None:
    for path in [*ROOT.glob("tests/**/*.py"), *ROOT.glob("bench/**/*.py")]:
        # Tests of the whole may name a plugin; the bench and the core's tests enter by its doors alone.
        assert not re.search(r"^\s*(from|import) parvis_\w+\.(tables|actions)\b", path.read_text(), re.M), (
            path
        )


# -- the rule itself is tested: trees that break it are caught ----------------------------------------------


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / (name.replace("__slash__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("module", "text", "message"),
    [
        ("data/engines", "from parvis.services.mail import send", "data imports services"),
        ("data/engines", "def f():\n    import parvis.web.pages", "data imports web"),
        ("data/engines", "from parvis import people", "data imports people"),
        ("data/engines", "from ..content import access", "data imports content"),
        ("people/actor", "from parvis.plugins import registry", "people imports plugins"),
        ("content/access", "import importlib\nimportlib.import_module('parvis.web')", "content imports web"),
        ("notify/mail", "from parvis.live import hub", "notify imports live"),
        ("declarations", "from parvis.data import Table", "declarations imports data"),
        ("web/pages", "from parvis.app import create_app", "web imports app"),
        ("web/pages", "import parvis_feeds.tables", "the core imports parvis_feeds.tables"),
        ("attic/old", "", "parvis.attic is in no place of the order"),
    ],
)  # fmt: skip
def test_a_core_that_breaks_the_order_is_caught(tmp_path: Path, module: str, text: str, message: str) -> None:
    package = write(tmp_path / "parvis", **{module: text})
    assert [message in fault for fault in faults_of_core(package)] == [True]


def test_a_core_in_order_passes(tmp_path: Path) -> None:
    text = (
        "from typing import TYPE_CHECKING\nfrom parvis import NotFound\nfrom parvis.data import Table\n"
        "from . import roles\n"
        "if TYPE_CHECKING:\n    from parvis.web import Request\n"
    )
    assert (
        faults_of_core(write(tmp_path / "parvis", **{"people/actor": text, "cli/main": "import parvis.web"}))
        == []
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("from parvis.data.engines import SQLite", "parvis.data.engines is not a documented name"),
        ("import parvis.web.cards", "parvis.web.cards is not a documented name"),
        ("from parvis.web import _secret", "parvis.web._secret is private"),
        ("from parvis_feeds.tables import Post", "a plugin imports another one, parvis_feeds"),
        ("import parvis_feeds", "a plugin imports another one, parvis_feeds"),
        ("import requests", "requests is not a dependency"),
    ],
)
def test_a_plugin_that_reaches_too_far_is_caught(tmp_path: Path, text: str, message: str) -> None:
    api = frozenset({"parvis", "parvis.data", "parvis.web"})
    package = write(tmp_path / "parvis_polls", plugin=text)
    assert [message in fault for fault in faults_of_plugin(package, api, {"icalendar"})] == [True]


def test_a_plugin_within_its_bounds_passes(tmp_path: Path) -> None:
    api = frozenset({"parvis", "parvis.data", "parvis.services.i18n"})
    text = (
        "import json\nimport icalendar\nfrom litestar import get\nfrom parvis import hookimpl\n"
        "from parvis.data import Table\nfrom parvis.services import i18n\n"
        "from parvis.services.i18n import gettext as _\n"
        "from . import routes\nfrom parvis_polls import tables\n"
    )
    assert faults_of_plugin(write(tmp_path / "parvis_polls", plugin=text), api, {"icalendar"}) == []


def test_the_documented_names_are_the_headings() -> None:
    page = "# The API\n## `parvis`\ntext `parvis.web.cards`\n### `parvis.data`\n## Other\n"
    assert documented(page) == {"parvis", "parvis.data"}
