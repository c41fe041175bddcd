"""docs/command-line.md and docs/configuration.md say what the program does: every verb, option, setting, default."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import click
import pytest
from parvis.cli import COMMANDS
from parvis.config import SECTIONS
from parvis.config.reading import ALIASES, FOREIGN
from parvis.config.sections import keys_of

ROOT = Path(__file__).resolve().parents[2]
COMMAND_LINE = (ROOT / "docs/command-line.md").read_text(encoding="utf-8")
CONFIGURATION = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
INSTALL = (ROOT / "docs/install.md").read_text(encoding="utf-8")
# On every verb, and told once at the head of the page.
EVERYWHERE = {"--dir", "--json", "--help"}


def chapters(page: str) -> dict[str, str]:
    """Return the text under each heading of a verb, by verb."""
    parts = re.split(r"^## `parvis (\w+)[^`]*`$", page, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def verbs_of(name: str) -> dict[str, click.Command]:
    """Return the commands below a verb, or the verb itself."""
    found: click.Command = importlib.import_module(COMMANDS[name]).command
    return dict(found.commands) if isinstance(found, click.Group) else {"": found}


def options_of(command: click.Command) -> set[str]:
    return {name for one in command.params if isinstance(one, click.Option) for name in one.opts}


def test_every_verb_has_a_chapter_and_no_other_has() -> None:
    assert sorted(chapters(COMMAND_LINE)) == sorted(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_chapter_names_every_option_and_verb_and_none_besides(name: str) -> None:
    chapter = chapters(COMMAND_LINE)[name]
    if name == "config":
        chapter += "`show`"
    real = set().union(*(options_of(command) for command in verbs_of(name).values()))
    told = set(re.findall(r"--[a-z][a-z-]*", chapter))
    assert told - EVERYWHERE - {"--traceback"} <= real, "told, but not there"
    assert real - EVERYWHERE <= told, "there, but not told"
    for verb in verbs_of(name):
        assert not verb or f"`{verb}" in chapter, verb


def test_dir_and_json_are_where_the_page_promises_them() -> None:
    for name in COMMANDS:
        for verb, command in verbs_of(name).items():
            options = options_of(command)
            assert "--dir" in options or name == "version", (name, verb)
            # These two serve; the others report.
            assert ("--json" in options) == (name not in ("serve", "demo")), (name, verb)


def rows(page: str) -> list[list[str]]:
    """Return the cells of the tables of a page whose first cell is code."""
    lines = [line for line in page.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_every_setting_is_told_with_its_variable_and_default() -> None:
    told = {cells[0].strip("`"): cells for cells in rows(CONFIGURATION) if len(cells) == 4}
    real = {f"{section}.{key}": (section, key) for section in SECTIONS for key in keys_of(section)}
    assert list(told) == list(real)
    for name, (section, key) in real.items():
        short = [alias for alias, where in ALIASES.items() if where == (section, key)]
        variables = [*short, f"PARVIS_{section.upper()}_{key.upper()}"]
        assert told[name][1] == " or ".join(f"`{variable}`" for variable in variables)
        default = getattr(SECTIONS[section](), key)
        if name == "server.allowed_hosts":
            continue  # worked out from site.url: told in words
        assert told[name][2] == f"`{json.dumps(default)}`", name


def test_variables_that_are_no_settings_are_told() -> None:
    told = {cells[0].strip("`") for cells in rows(CONFIGURATION) if len(cells) == 2}
    assert told == {name for name in FOREIGN if not name.endswith("_")}


@pytest.mark.parametrize("page", [INSTALL, COMMAND_LINE, (ROOT / "README.md").read_text(encoding="utf-8")])
def test_every_command_that_the_docs_tell_people_to_run_exists(page: str) -> None:
    found = re.findall(r"\bparvis (init|serve|migrate|member|plugin|doctor|config|demo)\b([^`\n]*)", page)
    assert found
    for name, rest in found:
        words = rest.split("#")[0].split()
        verbs = verbs_of(name)
        command = verbs.get(words[0] if words and "" not in verbs else "")
        if command is None:
            continue  # "parvis member" alone, in prose
        for option in re.findall(r"(?<!\S)--[a-z][a-z-]*", rest.split("#")[0]):
            assert option in options_of(command) | {"--help"}, f"parvis {name} {rest}"
