"""`parvis plugin`: switching off what hides content is asked about; a broken plugin is told in one line."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]
GUARD = """
    from parvis import ContentFilter, PluginInfo, hookimpl

    info = PluginInfo(label="Vault", guards=("feeds.post",))

    async def keys_of(actor):
        return {"keys": [1, 2]}

    @hookimpl
    def register_content_filters():
        return [ContentFilter(
            name="vault.keys", types=("feeds.post",), where="content.id = any(:keys)", values=keys_of)]
"""


@pytest.fixture
def guarded(instance: Path, install: Command, parvis: Command) -> dict[str, str]:
    """Switch on a plugin that hides content; return the environment in which it is installed."""
    env: dict[str, str] = install("vault", GUARD)
    assert parvis("plugin", "list", "--dir", instance, env=env).code == 0
    done = parvis("plugin", "enable", "vault", "--json", "--dir", instance, env=env)
    assert done.code == 0, done.err
    assert done.json["guards"] == ["feeds.post"]
    return env


def at_terminal(words: list[str], env: dict[str, str], answer: str) -> tuple[int, str]:
    """Run a command at a terminal, give an answer, and return its code and what stands on stdout alone."""
    inner, outer = pty.openpty()
    with subprocess.Popen(
        words, env=env, stdin=outer, stdout=subprocess.PIPE, stderr=outer, text=True
    ) as run:
        os.close(outer)
        os.write(inner, f"{answer}\n".encode())
        out, _ = run.communicate(timeout=60)
    os.close(inner)
    return run.returncode, out


def test_what_hides_content_is_not_switched_off_unasked(
    instance: Path, guarded: dict[str, str], parvis: Command
) -> None:
    def state() -> str:
        return str(parvis("plugin", "show", "vault", "--json", "--dir", instance, env=guarded).json["state"])

    refused = parvis("plugin", "disable", "vault", "--dir", instance, env=guarded)
    assert refused.code == 1
    assert "vault hides content." in refused.line()
    assert "run the command again with --yes" in refused.line()
    assert state() == "enabled"
    done = parvis("plugin", "disable", "vault", "--yes", "--json", "--dir", instance, env=guarded)
    assert done.code == 0
    assert done.json["state"] == "disabled"
    # Off already: there is nothing more to ask about.
    assert parvis("plugin", "disable", "vault", "--dir", instance, env=guarded).code == 0


@pytest.mark.parametrize(("answer", "code", "state"), [("n", 130, "enabled"), ("y", 0, "disabled")])
def test_at_a_terminal_it_is_asked(
    instance: Path,
    guarded: dict[str, str],
    parvis: Command,
    answer: str,
    code: int,
    state: str,
    in_full: Command,
) -> None:
    words, env = in_full("plugin", "disable", "vault", "--json", "--dir", instance, env=guarded)
    ended, out = at_terminal(words, env, answer)
    assert ended == code
    # The question stands on stderr, so that the result is JSON and nothing else.
    assert (json.loads(out)["state"] if out else "enabled") == state
    shown = parvis("plugin", "show", "vault", "--json", "--dir", instance, env=guarded)
    assert shown.json["state"] == state


def test_a_plugin_that_hides_nothing_is_switched_off_at_once(instance: Path, parvis: Command) -> None:
    done = parvis("plugin", "disable", "feeds", "--json", "--dir", instance)
    assert done.code == 0
    assert done.json["state"] == "disabled"


def test_a_plugin_that_cannot_run_is_told_in_one_line(
    instance: Path, install: Command, parvis: Command
) -> None:
    env = install("jam", "raise RuntimeError('jammed')")
    assert parvis("plugin", "list", "--dir", instance, env=env).code == 0
    done = parvis("plugin", "enable", "jam", "--dir", instance, env=env)
    assert done.code == 1
    assert "jam: It raised an error while it was imported: RuntimeError: jammed" in done.line()
    with_trace = parvis("plugin", "enable", "jam", "--dir", instance, "--traceback", env=env)
    assert "Traceback" in with_trace.err
    listed = {
        one["name"]: one["state"]
        for one in parvis("plugin", "list", "--json", "--dir", instance, env=env).json
    }
    assert listed == {"feeds": "enabled", "jam": "quarantined"}
    for words in (["disable", "nope"], ["enable", "nope"], ["show", "nope"]):
        missing = parvis("plugin", *words, "--dir", instance)
        assert missing.code == 1
        assert "No plugin nope is installed." in missing.line()


def test_people_are_shown_plugins_in_their_language(instance: Path, parvis: Command) -> None:
    out = parvis("plugin", "show", "feeds", "--dir", instance, env={"PARVIS_LANG": "fr"}).out
    assert "état\N{NO-BREAK SPACE}: activé\n" in out
    assert "tables, avec leurs lignes\N{NO-BREAK SPACE}: feeds_post (0)\n" in out
    assert "True" not in out
    out = parvis("plugin", "list", "--dir", instance, env={"PARVIS_LANG": "fr"}).out
    assert "activé" in out
