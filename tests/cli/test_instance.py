"""`parvis init`, `migrate`, `doctor`, `member` and `plugin` on an instance; each refusal in one line."""

from __future__ import annotations

import json
import sqlite3
import stat
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def refuse_newer(folder: Path) -> None:
    """Write what a later program would: a migration that this one does not know."""
    with sqlite3.connect(folder / "data/parvis.db") as database:
        database.execute(
            "INSERT INTO parvis_migration (app, id, checksum, ran_at) VALUES ('core', 'm9999', 'x', '2099-01-01')"
        )
    database.close()


# -- init -----------------------------------------------------------------------------------------------------


def test_init_makes_what_serve_needs_and_nothing_readable_by_others(tmp_path: Path, parvis: Command) -> None:
    folder = tmp_path / "a" / "b"
    done = parvis(
        "init",
        folder,
        "--name",
        'Café "Le Coin"',
        "--language",
        "fr",
        "--time-zone",
        "Europe/Brussels",
        "--json",
    )
    assert done.code == 0
    assert done.json["made"] == ["parvis.toml", "secrets.toml", ".gitignore", "data/"]
    assert mode(folder / "secrets.toml") == 0o600
    assert mode(folder / "parvis.toml") == 0o640
    assert mode(folder / "data") == 0o750
    text = (folder / "parvis.toml").read_text()
    assert tomllib.loads(text)["site"]["name"] == 'Café "Le Coin"'
    assert tomllib.loads(text)["site"]["time_zone"] == "Europe/Brussels"
    assert "# Configuration d’une instance" in text
    assert set((folder / ".gitignore").read_text().split()) == {"/secrets.toml", "/data/", "/parvis.pid"}
    shown = parvis("config", "show", "--json", "--dir", folder).json
    assert shown["site"]["language"] == "fr"


def test_every_default_of_the_template_is_the_programs(tmp_path: Path, parvis: Command) -> None:
    for language in ("en", "fr"):
        folder = tmp_path / language
        parvis("init", folder, "--language", language)
        before = parvis("config", "show", "--json", "--dir", folder).json
        text = (folder / "parvis.toml").read_text()
        lines = [
            line.removeprefix("# ")
            if line.startswith("# ") and " = " in line and "://" not in line and "allowed_hosts" not in line
            else line
            for line in text.splitlines()
        ]  # fmt: skip
        (folder / "parvis.toml").write_text("\n".join(lines) + "\n")
        after = parvis("config", "show", "--json", "--dir", folder).json
        assert len(tomllib.loads("\n".join(lines))["server"]) == 4
        assert after.pop("limits") == {"publish": "30/600s"}
        assert before.pop("limits") == {}
        assert after == before


def test_init_never_writes_over_anything(instance: Path, tmp_path: Path, parvis: Command) -> None:
    before = {path.name: path.read_bytes() for path in instance.iterdir() if path.is_file()}
    again = parvis("init", instance)
    assert again.code == 1
    assert "holds a Parvis instance already" in again.line()
    assert {path.name: path.read_bytes() for path in instance.iterdir() if path.is_file()} == before
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("mine")
    assert "it holds thesis.txt" in parvis("init", foreign).line()
    assert [path.name for path in foreign.iterdir()] == ["thesis.txt"]
    assert "is a file" in parvis("init", foreign / "thesis.txt").line()


def test_init_accepts_a_new_home_folder(tmp_path: Path, parvis: Command) -> None:
    (tmp_path / ".bashrc").write_text("")
    assert parvis("init", tmp_path).code == 0


def test_init_with_wrong_wishes_leaves_nothing(tmp_path: Path, parvis: Command) -> None:
    folder = tmp_path / "new"
    done = parvis("init", folder, "--time-zone", "Europe/Nowhere")
    assert done.code == 1
    assert "Europe/Nowhere" in done.line()
    assert not folder.exists()


def test_init_brings_lost_secrets_back(instance: Path, parvis: Command) -> None:
    text = (instance / "parvis.toml").read_text()
    (instance / "secrets.toml").unlink()
    assert parvis("init", instance, "--json").json["made"] == ["secrets.toml", "data/"]
    assert (instance / "parvis.toml").read_text() == text
    assert mode(instance / "secrets.toml") == 0o600


def test_a_database_password_is_kept_from_others(tmp_path: Path, parvis: Command) -> None:
    folder = tmp_path / "pg"
    done = parvis("init", folder, "--database-url", "postgresql://parvis:hush@127.0.0.1:1/parvis")
    assert done.code == 0
    assert mode(folder / "parvis.toml") == 0o600
    failed = parvis("migrate", "--dir", folder)
    assert failed.code == 1
    assert "127.0.0.1:1/parvis" in failed.line()
    assert "hush" not in failed.err


def test_init_adds_the_first_administrator(tmp_path: Path, parvis: Command) -> None:
    folder = tmp_path / "new"
    done = parvis(
        "init", folder, "--url", "https://c.example", "--admin-email", "jane.doe@c.example", "--json"
    )
    assert done.code == 0, done.err
    assert done.json["sign_in_link"].startswith("https://c.example/sign-in/")
    (jane,) = parvis("member", "list", "--json", "--dir", folder).json
    assert (jane["email"], jane["name"], jane["role"]) == ("jane.doe@c.example", "Jane Doe", "administrator")


# -- migrate --------------------------------------------------------------------------------------------------


def test_migrate_may_be_repeated(instance: Path, parvis: Command) -> None:
    check = parvis("migrate", "--check", "--json", "--dir", instance)
    assert check.code == 1
    assert check.json["waiting"]["core"][0] == "m0001"
    first = parvis("migrate", "--json", "--dir", instance)
    assert first.code == 0, first.err
    assert first.json["ran"]["core"][0] == "m0001"
    assert parvis("migrate", "--json", "--dir", instance).json == {"ran": {}}
    assert parvis("migrate", "--check", "--dir", instance).code == 0


def test_a_newer_database_is_refused_and_left_alone(instance: Path, parvis: Command) -> None:
    assert parvis("migrate", "--dir", instance).code == 0
    refuse_newer(instance)
    before = (instance / "data/parvis.db").read_bytes()
    for words in (["serve"], ["migrate"], ["member", "list"], ["plugin", "list"], ["serve", "--migrate"]):
        done = parvis(*words, "--dir", instance)
        assert done.code == 1
        assert "m9999" in done.line()
    assert (instance / "data/parvis.db").read_bytes() == before
    report = parvis("doctor", "--json", "--dir", instance)
    assert report.code == 1
    assert any(found["level"] == "error" and "m9999" in found["message"] for found in report.json)


def test_serve_asks_before_it_changes_an_older_database(
    instance: Path, parvis: Command, newer_program: dict[str, str]
) -> None:
    assert parvis("migrate", "--dir", instance).code == 0
    for words in (["serve"], ["member", "list"]):
        done = parvis(*words, "--dir", instance, env=newer_program)
        assert done.code == 1
        assert "older than this program" in done.line()
        assert f"parvis migrate --dir {instance}" in done.line()
    findings = parvis("doctor", "--json", "--dir", instance, env=newer_program).json
    assert any("parvis migrate" in found["remedy"] for found in findings if found["level"] == "error")
    assert parvis("migrate", "--json", "--dir", instance, env=newer_program).json == {
        "ran": {"core": ["m0002"]}
    }
    assert parvis("member", "list", "--dir", instance, env=newer_program).code == 0
    # And back to the former program: refused, since the database is newer now.
    assert "m0002" in parvis("member", "list", "--dir", instance).line()


# -- the database's own troubles ------------------------------------------------------------------------------


def test_a_file_that_is_no_database(instance: Path, parvis: Command) -> None:
    (instance / "data/parvis.db").write_bytes(b"not a database " * 1000)
    done = parvis("serve", "--dir", instance)
    assert done.code == 1
    assert "parvis.db" in done.line()
    assert (instance / "data/parvis.db").read_bytes() == b"not a database " * 1000


def test_a_locked_database(instance: Path, parvis: Command) -> None:
    assert parvis("migrate", "--dir", instance).code == 0
    holder = sqlite3.connect(instance / "data/parvis.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        done = parvis("member", "add", "--email", "a@b.example", "--dir", instance)
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    assert done.code == 1
    assert "locked by another program" in done.line()
    assert parvis("member", "list", "--json", "--dir", instance).json == []


# -- members and plugins --------------------------------------------------------------------------------------


def test_members_from_the_command_line(instance: Path, parvis: Command) -> None:
    def member(*words: str) -> Any:
        return parvis("member", *words, "--dir", instance)

    added = member("add", "--email", "Ann.Lee@c.example", "--json")
    assert added.code == 0, added.err
    assert added.json["sign_in_link"].startswith("http://localhost:8000/sign-in/")
    twice = member("add", "--email", "ann.lee@c.example")
    assert twice.code == 1
    assert "already" in twice.line()
    assert member("add", "--email", "nonsense").code == 1
    assert member("role", "ann.lee@c.example", "administrator", "--json").json["role"] == "administrator"
    (ann,) = member("list", "--role", "administrator", "--json").json
    assert ann["handle"] == "ann-lee"
    last = member("role", str(ann["id"]), "member")
    assert last.code == 1
    assert "last administrator" in last.line()
    in_french = parvis("member", "role", "ann-lee", "member", "--dir", instance, env={"PARVIS_LANG": "fr"})
    assert "dernier administrateur" in in_french.line()
    links = [member("sign-in-link", "ann-lee", "--json").json["sign_in_link"] for _ in range(2)]
    assert links[0] != links[1]
    assert member("reset", "@ann-lee", "--json").json["email"] == "ann.lee@c.example"
    missing = member("sign-in-link", "nobody@c.example")
    assert missing.code == 1
    assert "nobody@c.example" in missing.line()
    assert "ann.lee@c.example" in member("list").out
    assert member("role", "ann-lee", "emperor").code == 2


def test_plugins_from_the_command_line(instance: Path, parvis: Command) -> None:
    def plugin(*words: str) -> Any:
        return parvis("plugin", *words, "--dir", instance)

    listed = {one["name"]: one["state"] for one in plugin("list", "--json").json}
    assert listed["feeds"] == "enabled"
    assert plugin("disable", "feeds", "--json").json["state"] == "disabled"
    assert plugin("show", "feeds", "--json").json["state"] == "disabled"
    assert plugin("enable", "feeds", "--json").json["state"] == "enabled"
    assert "feeds" in plugin("list").out
    missing = plugin("enable", "nonsense")
    assert missing.code == 1
    assert "nonsense" in missing.line()


# -- doctor ---------------------------------------------------------------------------------------------------


def test_doctor_finds_a_sound_instance_sound(instance: Path, parvis: Command) -> None:
    assert (
        parvis("member", "add", "--email", "a@b.example", "--role", "administrator", "--dir", instance).code
        == 0
    )
    done = parvis("doctor", "--json", "--dir", instance)
    assert done.code == 0, done.out
    levels = {found["subject"]: found["level"] for found in done.json}
    assert {"configuration", "secrets", "database", "migrations", "files", "disk", "plugin feeds"} <= set(
        levels
    )
    assert "error" not in levels.values()
    assert parvis("doctor", "--dir", instance).out.startswith("✓ configuration")


def test_doctor_names_each_trouble_with_its_remedy(instance: Path, parvis: Command) -> None:
    (instance / "secrets.toml").chmod(0o644)
    text = (instance / "parvis.toml").read_text().replace("http://localhost:8000", "http://c.example")
    (instance / "parvis.toml").write_text(text)
    (instance / "data/files").rmdir()
    (instance / "data/files").symlink_to("/proc")
    done = parvis("doctor", "--json", "--dir", instance)
    assert done.code == 1
    found = {one["subject"]: one for one in done.json if one["level"] != "ok"}
    assert "chmod 600" in found["secrets"]["remedy"]
    assert "HTTPS" in found["site"]["remedy"]
    assert found["files"]["level"] == "error"
    assert all(one["remedy"] for one in found.values())
    (instance / "parvis.toml").write_text("[server]\nport = 0\n")
    broken = parvis("doctor", "--json", "--dir", instance)
    assert broken.code == 1
    assert "server.port = 0" in broken.json[0]["message"]


# -- the command itself ---------------------------------------------------------------------------------------


def test_help_and_version(parvis: Command) -> None:
    helped = parvis("--help")
    assert helped.code == 0
    for verb in ("init", "serve", "demo", "migrate", "member", "plugin", "doctor", "config", "version"):
        assert f"\n  {verb} " in helped.out
        assert parvis(verb, "--help").code == 0
    assert json.loads(parvis("version", "--json").out)["parvis"]
    assert parvis("nonsense").code == 2


@pytest.mark.parametrize("words", [["--help"], ["version"], ["init", "--help"], ["serve", "--help"]])
def test_light_commands_import_neither_litestar_nor_piccolo(words: list[str], parvis: Command) -> None:
    done = parvis(*words, env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert "parvis.cli" in done.err
    for heavy in ("litestar", "piccolo", "asyncpg", "babel", "PIL"):
        assert f"| {heavy}\n" not in done.err.replace("|   ", "| ").replace("  ", ""), heavy


def test_a_traceback_is_shown_on_request(tmp_path: Path, parvis: Command) -> None:
    words = ("doctor", "--dir", tmp_path), ("config", "show", "--dir", tmp_path)
    assert "Traceback" not in parvis(*words[1]).err
    assert "Traceback" in parvis("--traceback", *words[1]).err
    assert "Traceback" in parvis(*words[1], "--traceback").err
