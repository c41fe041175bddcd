"""Rules of the house that a tool can hold.

Each is a function from text to faults, and each has a sample that trips it beside one that does not: a rule
that cannot fail holds nothing.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = [
    ROOT / "core/parvis",
    *sorted(ROOT.glob("plugins/*/parvis_*")),
    *sorted(ROOT.glob("themes/*/parvis_*")),
]

Rule = Callable[[str], list[str]]


def tracked() -> list[Path]:
    """Return every file that git has or would take: what the repository says to a stranger."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True, text=True,
    ).stdout  # fmt: skip
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def sources(*suffixes: str) -> list[Path]:
    """Return our own files in the packages with one of these endings, vendored ones apart."""
    found = (path for package in PACKAGES for path in sorted(package.rglob("*")) if path.suffix in suffixes)
    return [path for path in found if not {"__pycache__", "vendor"} & set(path.parts)]


def faults(rule: Rule, paths: Iterable[Path]) -> list[str]:
    """Return every fault a rule finds, with the file it was found in."""
    return [
        f"{path.relative_to(ROOT)}: {fault}"
        for path in paths
        for fault in rule(path.read_text(encoding="utf-8"))
    ]


def at(text: str, match: re.Match[str], message: str) -> str:
    """Return a message with the line of a match."""
    return f"line {text.count(chr(10), 0, match.start()) + 1}: {message}"


# -- files -----------------------------------------------------------------------------------------

NO_NAMES = {"utils", "helpers", "common", "base", "manager"}


def has_a_name(path: Path) -> bool:
    """A file named after what it is, not after being shared."""
    return path.stem not in NO_NAMES


def test_no_file_or_folder_is_named_after_being_shared() -> None:
    parts = {(part, path) for path in sources(".py") for part in (path.stem, path.parent.name)}
    assert [str(path) for part, path in parts if part in NO_NAMES] == []


@pytest.mark.parametrize(
    ("name", "fine"), [("utils.py", False), ("manager.py", False), ("managers_page.py", True)]
)
def test_the_rule_of_names_bites(name: str, fine: bool) -> None:
    assert has_a_name(Path("core/parvis/data") / name) is fine


# Modules past 300 lines, each with the reason why its two nouns stay together. An entry whose module shrank
# or went away is stale and fails too.
LONG: dict[str, str] = {
    "core/parvis/testing.py": "the fixtures plugins test with: one list, each built on those above it",
    "core/parvis/data/migrations/m0001.py": "the first schema: one list of tables, read from top to bottom",
}
LIMIT = 300


def long_modules(sizes: dict[str, int], reasons: dict[str, str]) -> list[str]:
    """Return modules past the limit without a reason, and reasons without such a module."""
    new = [
        f"{name}: {size} lines: what are its two nouns?"
        for name, size in sizes.items()
        if size > LIMIT and name not in reasons
    ]
    stale = [f"{name}: not past {LIMIT} lines any more" for name in reasons if sizes.get(name, 0) <= LIMIT]
    return new + stale


def test_modules_past_300_lines_have_a_reason() -> None:
    sizes = {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8").count("\n") for path in sources(".py")
    }
    assert long_modules(sizes, LONG) == []


def test_the_rule_of_length_bites() -> None:
    assert long_modules({"a.py": 301, "b.py": 300}, {}) == ["a.py: 301 lines: what are its two nouns?"]
    assert long_modules({"a.py": 301}, {"a.py": "a table"}) == []
    assert long_modules({"a.py": 200}, {"a.py": "a table", "gone.py": "was long"}) == [
        "a.py: not past 300 lines any more", "gone.py: not past 300 lines any more",
    ]  # fmt: skip


# -- Python ----------------------------------------------------------------------------------------

ROUTE_DECORATORS = {"get", "post", "put", "patch", "delete", "head", "route", "websocket", "asgi"}
# `exception_handlers` is absent: Litestar calls those itself without awaiting, and offers no other way.
HOOK_KEYWORDS = {
    "guards",
    "before_request",
    "after_request",
    "after_response",
    "before_send",
    "after_exception",
    "dependencies",
    "on_startup",
    "on_shutdown",
}


def sync_handlers(text: str) -> list[str]:
    """Return Litestar handlers and hooks that are plain functions: each call costs a hop to a thread."""
    tree = ast.parse(text)
    plain = {node.name: node.lineno for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    found = []
    litestar = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "litestar"
        for alias in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                name = decorator.func if isinstance(decorator, ast.Call) else decorator
                if isinstance(name, ast.Name) and name.id in ROUTE_DECORATORS & litestar:
                    found.append(f"line {node.lineno}: handler {node.name} is not async")
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg in HOOK_KEYWORDS:
                    for name in ast.walk(keyword.value):
                        if isinstance(name, ast.Name) and name.id in plain:
                            found.append(f"line {node.lineno}: {keyword.arg}={name.id} is not async")
                        if isinstance(name, ast.Lambda):
                            found.append(
                                f"line {node.lineno}: {keyword.arg} holds a lambda, which is not async"
                            )
    return found


def test_litestar_handlers_and_hooks_are_async() -> None:
    assert faults(sync_handlers, sources(".py")) == []


LITESTAR = "from litestar import Litestar, get, post\n"
PROVIDE = "from litestar.di import Provide\n"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (LITESTAR + "@get('/')\ndef home(): ...", 1),
        (LITESTAR + "@get('/')\nasync def home(): ...", 0),
        (LITESTAR + "def may(c, h): ...\n@post('/', guards=[may])\nasync def save(): ...", 1),
        (LITESTAR + "def first(r): ...\nLitestar([], before_request=first)", 1),
        (LITESTAR + "async def first(r): ...\nLitestar([], before_request=first)", 0),
        (LITESTAR + PROVIDE + "def one(): ...\nLitestar([], dependencies={'a': Provide(one)})", 1),
        (LITESTAR + "Litestar([], on_startup=[lambda: None])", 1),
        (LITESTAR + "def failed(r, e): ...\nLitestar([], exception_handlers={500: failed})", 0),
        ("import httpx\nhttpx.get('/')\ndef get(x): ...\n@get\ndef other(): ...", 0),
    ],
)
def test_the_rule_of_async_bites(text: str, count: int) -> None:
    assert len(sync_handlers(text)) == count


# -- templates -------------------------------------------------------------------------------------

TEMPLATE_RULES = [
    (re.compile(r"<[a-zA-Z][^>]*\sstyle\s*=", re.S), "an inline style: the policy refuses it, use a class"),
    (
        re.compile(r"<[a-zA-Z][^>]*\son[a-z]+\s*=", re.S),
        "an inline handler: use static/ and data- attributes",
    ),
    (re.compile(r"<script(?![^>]*\ssrc=)[^>]*>", re.S), "an inline script: serve it from static/"),
    (re.compile(r"<style[\s>]"), "an inline style sheet: serve it from static/"),
    (re.compile(r"\b(data-)?hx-on\b"), "hx-on evaluates text"),
    (
        re.compile(r"""hx-(vals|headers|vars|request)[\w:]*\s*=\s*["']\s*(js|javascript):""", re.S),
        "js: evaluates text",
    ),
    (re.compile(r"""(href|src|action)\s*=\s*["']?\s*javascript:""", re.I), "javascript: evaluates text"),
    (re.compile(r"""hx-trigger[\w:]*\s*=\s*(["'])(?:(?!\1).)*\[""", re.S), "a trigger filter evaluates text"),
    (re.compile(r"\|\s*safe\b"), "|safe: markup comes as Markup from where it was made safe"),
    (re.compile(r"\{%-?\s*autoescape\s+false"), "autoescape is never turned off"),
]


def template_faults(text: str) -> list[str]:
    """Return what a strict Content-Security-Policy refuses, and what would evaluate text."""
    # Comments are Jinja's own, they reach no browser; kept as blanks so that line numbers hold.
    text = re.sub(r"\{#.*?#\}", lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.S)
    return [at(text, match, message) for rule, message in TEMPLATE_RULES for match in rule.finditer(text)]


def test_templates_evaluate_nothing_and_keep_to_the_policy() -> None:
    assert faults(template_faults, sources(".html", ".xml", ".txt")) == []


@pytest.mark.parametrize(
    "text",
    [
        '<p style="color:red">',
        "<p\n  class=x style = 'a'>",
        '<button onclick="go()">',
        "<script>go()</script>",
        '<script type="module">go()</script>',
        "<style>p{}</style>",
        '<div hx-on:click="go()">',
        """<div hx-vals='js:{a: 1}'>""",
        '<a href="javascript:go()">',
        """<div hx-trigger="click[ctrlKey]">""",
        "{{ body|safe }}",
        "{% autoescape false %}",
    ],
)
def test_the_rules_of_templates_bite(text: str) -> None:
    assert template_faults(text) != []


@pytest.mark.parametrize(
    "text",
    [
        '<script src="/static/a.js" defer></script>',
        '<div hx-trigger="revealed, click delay:1s" class="style=ok" data-on="x">',
        """<p>{{ _("conversation = on, style = off") }}</p>""",
        '{# <p style="x"> #}<input name="only" value="[a]">',
        """<form hx-vals='{"a": 1}'>""",
    ],
)
def test_the_rules_of_templates_let_good_ones_pass(text: str) -> None:
    assert template_faults(text) == []


# -- style sheets ----------------------------------------------------------------------------------


def important(text: str) -> list[str]:
    """Return each !important outside a rule for [hidden]: themes must have the last word."""
    text = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.S)
    found = []
    for match in re.finditer(r"([^{}]*)\{([^{}]*)\}", text):
        selectors = match[1].rsplit(";", 1)[-1]
        if "!important" in match[2].replace(" ", "") and "[hidden]" not in selectors:
            found.append(at(text, match, f"!important in {selectors.strip()!r}"))
    return found


def test_style_sheets_leave_themes_the_last_word() -> None:
    assert faults(important, sources(".css")) == []


def test_the_rule_of_important_bites() -> None:
    assert important("a { color: red !important }") != []
    assert important("@media print { a { color: red ! important; } }") != []
    assert important("[hidden] { display: none !important }") == []
    assert important("/* a { color: red !important } */ a { color: red }") == []


# -- the repository speaks of the product alone ----------------------------------------------------

# Put together here, so that this file does not trip over itself.
PLACES = re.compile(
    "|".join(
        [
            r"files\." + r"pythonhosted\.org",
            r"(?<![\w.])pypi\." + r"org/simple",
            r"registry\." + r"npmjs\.org",
            r"artifact" + r"registry",
            r"(?<![\w.-])/(?:home|Users)/" + r"(?!parvis\b|member\b|\$|<|\.\.\.)[\w.-]+",
            r"(?<![\w./-])/ro" + r"ot(?:/|\b)",
            r"(?<![\w./-])/wo" + r"rk/(?:main|brief|shared)",
        ]
    )
)


def places(text: str) -> list[str]:
    """Return mentions of one machine's paths and of package hosts."""
    return [at(text, match, f"names a place, {match[0]!r}") for match in PLACES.finditer(text)]


def test_the_repository_names_no_package_host_and_no_path_of_one_machine() -> None:
    found = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if "vendor" not in path.parts:
            found += [f"{path.relative_to(ROOT)}: {fault}" for fault in places(text)]
    assert found == []


def test_the_rule_of_places_bites() -> None:
    assert places("index = https://pypi." + "org/simple") != []
    assert places("see /home/" + "claire/parvis") != []
    assert places("cd /ro" + "ot/x") != []
    assert places("WorkingDirectory=/var/lib/parvis, see ./home/page.html and /home") == []


# -- vendored files --------------------------------------------------------------------------------

MANIFESTS = [path for package in PACKAGES for path in package.rglob("vendor/MANIFEST.toml")]
MANIFEST_FIELDS = {"name", "version", "licence", "source", "file", "sha384"}


def manifest_faults(manifest: Path) -> list[str]:
    """Return what a manifest of vendored files lacks, and files that differ from it or are not in it.

    `sha384` is base64, as in a Subresource Integrity attribute, or hexadecimal.
    """
    folder = manifest.parent
    entries: list[dict[str, Any]] = [
        entry
        for value in tomllib.loads(manifest.read_text(encoding="utf-8")).values()
        if isinstance(value, list)
        for entry in value
    ]
    found = []
    for entry in entries:
        if missing := MANIFEST_FIELDS - {key for key, value in entry.items() if value}:
            found.append(f"{entry.get('file', entry)}: lacks {', '.join(sorted(missing))}")
            continue
        path = folder / entry["file"]
        if not path.is_file():
            found.append(f"{entry['file']}: listed and not there")
            continue
        digest = hashlib.sha384(path.read_bytes())
        expected = entry["sha384"].removeprefix("sha384-")
        if expected not in {digest.hexdigest(), base64.b64encode(digest.digest()).decode()}:
            found.append(f"{entry['file']}: differs from its checksum")
    listed = {entry.get("file") for entry in entries}
    # Licence texts lie beside what they cover.
    there = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path != manifest
    }
    found += [
        f"{name}: not in the manifest"
        for name in sorted(there - listed)
        if not re.search("LICEN[CS]E|OFL|NOTICE", name)
    ]
    return found


def test_vendored_files_are_the_ones_of_the_manifest() -> None:
    assert MANIFESTS, "no vendor/MANIFEST.toml in any package"
    assert [fault for manifest in MANIFESTS for fault in manifest_faults(manifest)] == []


def test_every_vendor_folder_has_a_manifest() -> None:
    folders = [path for package in PACKAGES for path in package.rglob("vendor") if path.is_dir()]
    assert [str(path) for path in folders if not (path / "MANIFEST.toml").is_file()] == []


def test_the_rule_of_vendored_files_bites(tmp_path: Path) -> None:
    good = base64.b64encode(hashlib.sha384(b"one").digest()).decode()
    (tmp_path / "one.js").write_bytes(b"one")
    manifest = tmp_path / "MANIFEST.toml"
    entry = f'[[file]]\nname="one"\nversion="1"\nlicence="MIT"\nsource="https://example.org"\nfile="one.js"\nsha384="{good}"\n'
    manifest.write_text(entry)
    assert manifest_faults(manifest) == []
    (tmp_path / "two.js").write_bytes(b"two")
    (tmp_path / "one.js").write_bytes(b"changed")
    assert manifest_faults(manifest) == ["one.js: differs from its checksum", "two.js: not in the manifest"]
    manifest.write_text(entry.replace('licence="MIT"\n', "").replace("two.js", ""))
    assert manifest_faults(manifest)[0] == "one.js: lacks licence"
