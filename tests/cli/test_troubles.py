"""What goes wrong around an instance: each ends in one line that says what to do, with nothing lost."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

Command = Callable[..., Any]
is_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts and changes of account need root")
FRENCH = {"PARVIS_LANG": "fr"}


# -- wrong usage ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "english", "french"),
    [
        ("srve", "There is no command srve. Did you mean serve?", "Il n’y a pas de commande srve."),
        ("member ad", "Did you mean add?", "Vouliez-vous dire add"),
        ("member role ann emperor", "ROLE = 'emperor': not one of", "administrator, moderator"),
        ("member role ann", "ROLE is missing. Choose one of: administrator", "ROLE manque. Choisissez"),
        ("member add", "--email is missing.", "--email manque."),
        ("serve --port high", "--port = 'high': not a number.", "pas un nombre"),
        ("serve --prot 1", "There is no option --prot. Did you mean --port?", "pas d’option --prot"),
        ("demo --lang", "--lang needs a value.", "--lang demande une valeur."),
        ("init one two", "two is too much. See: parvis init --help", "two est de trop."),
        ("init x --language de", "--language = 'de': not one of", "fr, en"),
    ],
)
def test_wrong_usage_is_one_line_with_a_way_out(
    parvis: Command, tmp_path: Path, words: str, english: str, french: str
) -> None:
    done = parvis(*words.split(), cwd=tmp_path)
    assert done.code == 2
    assert english in done.line()
    told = parvis(*words.split(), cwd=tmp_path, env=FRENCH)
    assert told.code == 2
    assert french in told.line()
    assert list(tmp_path.iterdir()) == []


def test_a_group_without_a_verb_shows_its_verbs(parvis: Command) -> None:
    done = parvis("member")
    assert done.code == 2
    assert "sign-in-link" in done.err


# -- settings that only the instance's opening can judge ------------------------------------------------------


def test_a_theme_that_is_not_installed(instance: Path, parvis: Command, port: int) -> None:
    text = (instance / "parvis.toml").read_text()
    (instance / "parvis.toml").write_text(text.replace('# theme = "default"', 'theme = "nope"'))
    for words in (["serve", "--port", str(port)], ["member", "list"]):
        done = parvis(*words, "--dir", instance)
        assert done.code == 1
        assert 'site.theme = "nope": no such theme is installed. Install its package' in done.line()
    (found,) = [one for one in parvis("doctor", "--json", "--dir", instance).json if one["level"] == "error"]
    assert "nope" in found["message"]
    assert "Install" in found["remedy"]


def test_secrets_that_are_no_toml(instance: Path, parvis: Command) -> None:
    (instance / "secrets.toml").write_text("secret_key = \n")
    done = parvis("member", "list", "--dir", instance)
    assert done.code == 1
    assert "secrets.toml is not valid TOML" in done.line()


@pytest.mark.parametrize(
    "words",
    [
        ["serve"],
        ["migrate"],
        ["migrate", "--check"],
        ["member", "list"],
        ["member", "add", "--email", "a@b.example"],
        ["plugin", "list"],
        ["plugin", "enable", "feeds"],
        ["config", "show"],
    ],
)
def test_a_folder_without_an_instance(parvis: Command, tmp_path: Path, words: list[str]) -> None:
    for done in (parvis(*words, cwd=tmp_path), parvis(*words, env={"PARVIS_DIR": str(tmp_path)})):
        assert done.code == 1
        assert f"There is no Parvis instance in {tmp_path}" in done.line()
    assert "pas d’instance Parvis dans" in parvis(*words, "--dir", tmp_path, env=FRENCH).line()
    assert list(tmp_path.iterdir()) == []


# -- folders that may not be written --------------------------------------------------------------------------


@is_root
@pytest.mark.parametrize("words", [["init"], ["demo", "--dir"]])
def test_a_folder_that_may_not_be_made(
    tmp_path: Path, parvis: Command, powerless: Command, give_away: Command, port: int, words: list[str]
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o755)
    give_away(closed)
    more = ["--port", str(port)] if words[0] == "demo" else []
    done = parvis(*words, closed / "instance", *more, before=powerless)
    assert done.code == 1
    assert f"{closed}/instance may not be written" in done.line()
    assert list(closed.iterdir()) == []


@is_root
def test_an_instance_of_somebody_else(
    tmp_path: Path, parvis: Command, powerless: Command, give_away: Command
) -> None:
    instance = tmp_path / "instance"
    assert parvis("init", instance).code == 0
    for path in [instance, *instance.rglob("*")]:
        give_away(path)
    for words in (["serve"], ["member", "list"], ["doctor"]):
        assert parvis(*words, "--dir", instance, before=powerless).code == 1
    assert str(instance) in parvis("serve", "--dir", instance, before=powerless).line()


# -- the database ---------------------------------------------------------------------------------------------


@contextlib.contextmanager
def held(instance: Path) -> Iterator[None]:
    """Hold the database as a program does that never ends its transaction."""
    holder = sqlite3.connect(instance / "data/parvis.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        holder.execute("ROLLBACK")
        holder.close()


def test_what_needs_no_writing_works_beside_a_lock(instance: Path, parvis: Command) -> None:
    assert parvis("member", "add", "--email", "ann@c.example", "--dir", instance).code == 0
    with held(instance):
        assert "ann@c.example" in parvis("member", "list", "--dir", instance).out
        done = parvis("member", "role", "ann@c.example", "moderator", "--dir", instance, env=FRENCH)
    assert done.code == 1
    assert "est verrouillée par un autre programme" in done.line()
    assert "Attendez" in done.line()
    (ann,) = parvis("member", "list", "--json", "--dir", instance).json
    assert ann["role"] == "member"


def test_a_locked_database_at_the_first_start(
    instance: Path, parvis: Command, newer_program: dict[str, str]
) -> None:
    assert parvis("migrate", "--dir", instance).code == 0
    with held(instance):
        done = parvis("migrate", "--dir", instance, env=newer_program)
    assert done.code == 1
    assert "locked by another program" in done.line()
    # Nothing of it was done; it can be done now.
    assert parvis("migrate", "--json", "--dir", instance, env=newer_program).json == {
        "ran": {"core": ["m0002"]}
    }


@pytest.mark.parametrize("words", [["serve"], ["migrate"], ["member", "list"], ["plugin", "list"]])
def test_a_postgres_that_does_not_answer(
    instance: Path, parvis: Command, port: int, words: list[str]
) -> None:
    address = {"PARVIS_DATABASE_URL": f"postgresql://parvis:hush@127.0.0.1:{port}/parvis"}
    done = parvis(*words, "--dir", instance, env=address)
    assert done.code == 1
    assert f"PostgreSQL at 127.0.0.1:{port}/parvis does not answer" in done.line()
    assert "Check that it runs" in done.line()
    assert "hush" not in done.err
    assert "PostgreSQL ne répond pas" in parvis(*words, "--dir", instance, env={**address, **FRENCH}).line()


@pytest.mark.parametrize("dialect", ["postgres"])
async def test_the_life_of_an_instance_on_postgres(
    instance: Path, parvis: Command, start: Command, port: int, dialect: str, empty_database_url: str
) -> None:
    address = {"PARVIS_DATABASE_URL": empty_database_url}

    def done(*words: str) -> Any:
        return parvis(*words, "--dir", instance, env=address)

    assert done("migrate", "--check").code == 1
    assert done("migrate").code == 0
    assert done("member", "add", "--email", "ann@c.example", "--role", "administrator").code == 0
    assert {one["level"] for one in done("doctor", "--json").json} == {"ok"}
    server = start("serve", "--dir", instance, "--workers", "2", port=port, env=address)
    server.wait_for(f"http://localhost:{port}")
    assert server.get("/health/live") == 200
    assert server.end() == 0
    assert not (instance / "data/parvis.db").exists()

    connection = await asyncpg.connect(empty_database_url)
    await connection.execute(
        "INSERT INTO parvis_migration (app, id, checksum, ran_at) VALUES ('core', 'm9999', 'x', now())"
    )
    await connection.close()
    for words in (["serve"], ["member", "list"], ["migrate"]):
        newer = done(*words)
        assert newer.code == 1
        assert "m9999" in newer.line()
        assert "Start the newer program" in newer.line()


@is_root
def test_serving_and_making_a_demo_on_a_full_disk(small_disk: Path, parvis: Command, port: int) -> None:
    made = parvis("demo", "--dir", small_disk / "demo", "--port", str(port))
    assert made.code == 1
    assert "no room left" in made.err.splitlines()[-1]
    assert "Traceback" not in made.err
    assert not (small_disk / "demo").exists()

    instance = small_disk / "instance"
    assert parvis("init", instance).code == 0
    with contextlib.suppress(OSError), (small_disk / "ballast").open("wb", buffering=0) as ballast:
        while True:
            ballast.write(b"x" * 4096)
    done = parvis("serve", "--dir", instance, "--port", str(port))
    assert done.code == 1
    assert "full" in done.line()
    (small_disk / "ballast").unlink()
    assert parvis("migrate", "--dir", instance).code == 0


# -- what doctor finds ----------------------------------------------------------------------------------------


def doctor(parvis: Command, folder: Path, **env: str) -> dict[str, Any]:
    return {one["subject"]: one for one in parvis("doctor", "--json", "--dir", folder, env=env).json}


def test_doctor_verifies_the_audit_trail_and_prints_its_head(instance: Path, parvis: Command) -> None:
    for name in ("ann", "bob"):
        assert (
            parvis(
                "member", "add", "--email", f"{name}@c.example", "--role", "administrator", "--dir", instance
            ).code
            == 0
        )
    with sqlite3.connect(instance / "data/parvis.db") as database:
        seq, digest = database.execute("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
    found = doctor(parvis, instance)["audit"]
    assert found["level"] == "ok"
    assert f"entry {seq}, {digest}" in found["message"]

    with sqlite3.connect(instance / "data/parvis.db") as database:
        database.execute("UPDATE audit SET action = 'member.nothing' WHERE seq = 2")
    database.close()
    done = parvis("doctor", "--dir", instance)
    assert done.code == 1
    assert "✗ audit: The audit trail is not as it was written, from entry 2 on." in done.out
    assert "backup" in doctor(parvis, instance)["audit"]["remedy"]


def test_each_finding_that_is_not_fine_has_a_remedy(
    instance: Path, parvis: Command, install: Command
) -> None:
    broken = install("feeds", "raise RuntimeError('broken on purpose')")
    assert parvis("migrate", "--dir", instance, env=broken).code == 0
    (instance / "data/files").rmdir()
    (instance / "data/files").write_text("")
    troubles = {"PARVIS_SITE_URL": "http://c.example", "PARVIS_SERVER_WORKERS": "2"}
    found = [one for one in doctor(parvis, instance, **troubles).values() if one["level"] != "ok"]
    assert found
    assert [one for one in found if not one["remedy"]] == []
    (instance / "data/files").unlink()
    found = [one for one in doctor(parvis, instance, **broken).values() if one["level"] != "ok"]
    assert {one["subject"] for one in found} >= {"plugin feeds", "members"}
    assert [one for one in found if not one["remedy"]] == []
    assert "broken on purpose" in doctor(parvis, instance, **broken)["plugin feeds"]["message"]


def test_doctor_speaks_french(instance: Path, parvis: Command) -> None:
    assert parvis("migrate", "--dir", instance).code == 0
    out = parvis("doctor", "--dir", instance, env=FRENCH).out
    assert "✓ base de données\N{NO-BREAK SPACE}: SQLite" in out
    assert "module feeds\N{NO-BREAK SPACE}: activé" in out
    shutil.rmtree(instance / "data/files")
    assert parvis("doctor", "--dir", instance, env=FRENCH).code == 0
