"""docs/plugin-api.md names, under each module, what the module offers, and nothing that it does not."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).resolve().parents[2] / "docs/plugin-api.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## `(parvis[\w.]*)`\n(.*?)(?=^#|\Z)", PAGE, flags=re.M | re.S))


def offered(module: Any) -> set[str]:
    """Return what a module lists, else the public functions, classes and fixtures that it defines itself."""
    if hasattr(module, "__all__"):
        return set(module.__all__)
    # A fixture is an object around its function, of a type of pytest's own.
    fixture = type(getattr(module, "instance", None))
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (
            getattr(value, "__module__", None) == module.__name__
            or (value is not None and isinstance(value, fixture))
        )
    }


@pytest.mark.parametrize("name", SECTIONS)
def test_every_name_of_a_promised_module_is_told(name: str) -> None:
    module = import_module(name)
    told = set(re.findall(r"`(\w+)`", SECTIONS[name]))
    assert offered(module) - told == set(), "offered, but not told"


@pytest.mark.parametrize("name", SECTIONS)
def test_what_is_told_in_tables_is_there(name: str) -> None:
    module = import_module(name)
    rows = re.findall(r"^\| (`[^|]*) \|", SECTIONS[name], flags=re.M)
    told = {word for row in rows for word in re.findall(r"`(\w+)`", row)}
    assert [word for word in sorted(told) if not hasattr(module, word)] == []
