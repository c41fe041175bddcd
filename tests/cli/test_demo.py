"""`parvis demo`: made once, found again, made anew when it was left unfinished, and nobody else's folder touched."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]
MARKER = ".parvis-demo"


def wait_until(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


@pytest.mark.timeout(300)
def test_the_life_of_a_demo(tmp_path: Path, start: Command, port: int, parvis: Command) -> None:
    folder = tmp_path / "demo"
    interrupted = start("demo", "--dir", folder, port=port)
    wait_until(lambda: "Adding people" in interrupted.err.read_text())
    os.killpg(interrupted.process.pid, signal.SIGINT)
    assert interrupted.process.wait(timeout=20) == 130
    assert interrupted.err.read_text().count("Interrupted.") == 1
    assert "Traceback" not in interrupted.err.read_text()
    interrupted.wait_until_gone()
    assert (folder / MARKER).read_text() == "seeding\n"

    # PARVIS_* of a real instance must not reach the demo.
    foreign = {"PARVIS_DATABASE_URL": f"sqlite:///{tmp_path}/real.db", "PARVIS_DIR": str(tmp_path / "real")}
    again = start("demo", "--dir", folder, port=port, env=foreign)
    again.wait_for("parvis-demo", seconds=120)
    said = again.out.read_text()
    assert "was left unfinished: it is made anew" in said
    assert f"http://localhost:{port}" in said
    assert "admin@demo.example" in said
    assert "member@demo.example" in said
    assert again.get("/sign-in") == 200
    assert again.end(signal.SIGINT) == 0
    assert (folder / MARKER).read_text() == "complete\n"
    assert not (tmp_path / "real.db").exists()
    members = parvis("member", "list", "--json", "--dir", folder).json
    assert len(members) == 160

    added = parvis("member", "add", "--email", "late@demo.example", "--dir", folder)
    assert added.code == 0
    opened = start("demo", "--dir", folder, port=port)
    opened.wait_for("parvis-demo")
    assert "Making" not in opened.out.read_text()
    assert opened.end() == 0
    assert len(parvis("member", "list", "--json", "--dir", folder).json) == 161

    fresh = start("demo", "--dir", folder, "--fresh", "--lang", "en", port=port)
    fresh.wait_for("parvis-demo", seconds=120)
    assert fresh.end() == 0
    assert len(parvis("member", "list", "--json", "--dir", folder).json) == 160
    assert parvis("config", "show", "--json", "--dir", folder).json["site"]["language"] == "en"


FAILING = """
    from parvis import PluginInfo, hookimpl

    info = PluginInfo(label="Broken feed")

    @hookimpl
    async def seed_demo(demo):
        raise RuntimeError("no posts today")
"""


@pytest.mark.parametrize(
    ("source", "reason"),
    [(FAILING, "RuntimeError: no posts today"), ("raise ImportError('lost')", "ImportError: lost")],
    ids=["seeding", "import"],
)
def test_a_plugin_that_fails_to_add_its_part_fails_the_demo(
    tmp_path: Path, parvis: Command, install: Command, port: int, source: str, reason: str
) -> None:
    folder = tmp_path / "demo"
    env = install("feeds", source)
    done = parvis("demo", "--dir", folder, "--port", str(port), env=env)
    assert done.code == 1
    assert "Traceback" not in done.err
    last = done.err.splitlines()[-1]
    assert last.startswith("parvis: The demo was not made: the module feeds failed.")
    assert reason in last
    assert "parvis-demo" not in done.out
    # Nothing half-made stays that a later start would open.
    assert not folder.exists()
    if source == FAILING:
        told = parvis("demo", "--dir", folder, "--port", str(port), "--traceback", env=env)
        assert "Traceback" in told.err
        assert "no posts today" in told.err


@pytest.mark.timeout(300)
def test_every_option_of_the_demo(tmp_path: Path, start: Command, port: int, parvis: Command) -> None:
    folder = tmp_path / "demo"
    # Safe mode is for showing: what is made has its posts all the same.
    made = start(
        "demo", "--dir", folder, "--host", "0.0.0.0", "--workers", "2", "--lang", "en",
        port=port, env={"PARVIS_SAFE_MODE": "1"},
    )  # fmt: skip
    made.wait_for("all passwords", seconds=120)
    progress = [line.split() for line in made.err.read_text().splitlines() if line.startswith("  ")]
    assert [" ".join(words[:-1]) for words in progress] == [
        "Adding people", "Adding portraits", "Opening spaces", "Adding pictures", "Writing posts"
    ]  # fmt: skip
    assert all(int(words[-1]) > 0 for words in progress)
    assert "0.0.0.0 is reached from other machines" in made.err.read_text()
    assert "SQLite serves best from one web process" in made.err.read_text()
    assert len(made.family()) == 3
    # Under whatever name other machines reach it.
    assert said_at_sign_in(port, host="demo.lan") == "en"
    assert made.end() == 0

    begun = time.monotonic()
    opened = start("demo", "--dir", folder, port=port)
    opened.wait_for("parvis-demo")
    # Takes under 3 s where nothing else runs.
    assert time.monotonic() - begun < 10
    assert opened.err.read_text() == ""
    assert "Making" not in opened.out.read_text()
    assert len(opened.family()) == 2
    posts = {one["name"]: one for one in parvis("plugin", "list", "--json", "--dir", folder).json}
    assert posts["feeds"]["tables"]["feeds_post"] > 350
    assert said_at_sign_in(port) == "en"
    assert opened.end() == 0

    french = start("demo", "--dir", folder, "--lang", "fr", port=port)
    french.wait_for("parvis-demo")
    assert said_at_sign_in(port) == "fr"


def said_at_sign_in(port: int, host: str = "localhost") -> str:
    """Return the language of the sign-in page for a visitor whose browser asks for none."""
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/sign-in", headers={"Host": f"{host}:{port}"})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        found = re.search(r'<html[^>]* lang="(\w+)"', answer.read().decode())
    return found[1] if found else ""


@pytest.mark.parametrize("options", [[], ["--fresh"]])
def test_a_folder_of_somebody_else_is_left_alone(
    tmp_path: Path, instance: Path, parvis: Command, port: int, options: list[str]
) -> None:
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers/thesis.txt").write_text("mine")
    for folder in (tmp_path / "papers", instance):
        before = sorted(path.name for path in folder.iterdir())
        done = parvis("demo", "--dir", folder, "--port", str(port), *options)
        assert done.code == 1
        assert "was not made by parvis demo" in done.line()
        assert sorted(path.name for path in folder.iterdir()) == before


def test_a_taken_port_is_told_before_anything_is_made(tmp_path: Path, parvis: Command, port: int) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        done = parvis("demo", "--dir", tmp_path / "demo", "--port", str(port))
    assert done.code == 1
    assert f"Port {port}" in done.line()
    assert not (tmp_path / "demo").exists()


def test_wrong_options_are_told_before_anything_is_made(tmp_path: Path, parvis: Command, port: int) -> None:
    done = parvis("demo", "--dir", tmp_path / "demo", "--port", str(port), "--workers", "0")
    assert done.code == 1
    assert "PARVIS_SERVER_WORKERS" in done.line()
    assert not (tmp_path / "demo").exists()
