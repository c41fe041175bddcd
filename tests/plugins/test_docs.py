"""The hook reference says what the code says: headings, examples, slots, and nothing that is not there."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from parvis import hookspecs
from parvis.plugins.checks import CORE_SLOTS, WANTED
from parvis.plugins.loading import CORE_HOOKS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/hooks.md").read_text(encoding="utf-8")
SAMPLES = sorted((ROOT / "tests/plugins/samples").rglob("plugin.py"))


def signature(name: str) -> str:
    """Return a hook as its heading tells it."""
    function = getattr(hookspecs, name)
    kind = "async " if inspect.iscoroutinefunction(function) else ""
    return f"{kind}{name}{str(inspect.signature(function)).replace(chr(39), '')}"


def sections(page: str) -> dict[str, str]:
    """Return the text under each heading of a hook."""
    parts = re.split(r"^### `(.+)`$", page, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def examples() -> dict[str, str]:
    """Return what stands between the markers of the sample plugins, by hook."""
    found: dict[str, str] = {}
    for path in SAMPLES:
        for name, text in re.findall(r"# -- (\w+) --\n(.*?)\n+# -- end --", path.read_text(), re.S):
            assert name not in found, f"two examples of {name}"
            found[name] = text
    return found


def test_every_hook_has_a_heading_equal_to_its_signature_and_no_other_heading() -> None:
    in_order = [name for name in vars(hookspecs) if name in CORE_HOOKS]
    assert list(sections(PAGE)) == [signature(name) for name in in_order]


@pytest.mark.parametrize("name", sorted(CORE_HOOKS))
def test_each_section_is_complete_and_its_example_comes_from_a_plugin(name: str) -> None:
    text = sections(PAGE)[signature(name)].split("\n## ")[0]
    assert inspect.getdoc(getattr(hookspecs, name)) in text
    for part in ("**When.** ", "**Returns.** ", "**Failure.** "):
        assert text.count(part) == 1, part
    (example,) = re.findall(r"```python\n(.*?)\n```", text, re.S)
    assert example == examples()[name]
    assert f"def {name}(" in example


def test_every_marked_example_is_shown() -> None:
    assert set(examples()) == CORE_HOOKS


def test_the_example_of_an_optional_hook_comes_from_a_plugin() -> None:
    example = re.findall(r"```python\n(.*?)\n```", PAGE, re.S)[-1]
    assert "optionalhook=True" in example
    assert any(example in path.read_text() for path in SAMPLES)


def test_the_kinds_of_hooks_are_what_the_page_says() -> None:
    for chapter in ("Declare", "Prepare", "Ask", "Tell"):
        text = PAGE.split(f"\n## {chapter}\n")[1].split("\n## ")[0]
        for heading, section in sections(text).items():
            assert heading.startswith("async ") is (chapter in ("Ask", "Tell"))
            assert section.split("**When.** ")[1].startswith(chapter)


def test_every_declare_hook_is_read() -> None:
    declared = {name for name in CORE_HOOKS if name.startswith("register_")} - {"register_hookspecs"}
    assert declared == set(WANTED)


def test_the_sample_plugins_fill_every_hook_and_load(install: Any) -> None:
    filled = {
        node.name
        for path in SAMPLES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.decorator_list
    }
    assert filled >= CORE_HOOKS


def test_the_slots_of_the_core_are_those_that_its_pages_show_and_the_docs_list() -> None:
    shown = set()
    for path in sorted((ROOT / "core/parvis/web").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "slots":
                shown |= {
                    item.value
                    for item in ast.walk(node.value)
                    if isinstance(item, ast.Constant) and isinstance(item.value, str)
                }
    assert shown == set(CORE_SLOTS)
    page = (ROOT / "docs/plugin-api.md").read_text(encoding="utf-8")
    slots = page.partition("**Slots of the core.**")[2]
    listed = dict(re.findall(r"^\| `([\w.]+)` \| (.+) \|$", slots, re.M))
    assert listed == CORE_SLOTS


async def test_the_samples_are_good_plugins(install: Any, open_registry: Any) -> None:
    for name in ("guestbook", "vault", "hours"):
        install(name)
    registry = await open_registry("guestbook", "vault", "hours")
    assert registry.enabled == {"guestbook", "vault", "hours"}
