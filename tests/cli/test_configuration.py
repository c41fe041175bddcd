"""parvis.toml, secrets.toml and PARVIS_* variables: what they give, and how each wrong one is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]


@pytest.fixture
def shown(parvis: Command) -> Command:
    return lambda folder, **env: parvis("config", "show", "--json", "--dir", folder, env=env)


def write(folder: Path, text: str) -> None:
    (folder / "parvis.toml").write_text(text, encoding="utf-8")


def test_variables_win_over_the_file_and_keep_their_types(instance: Path, shown: Command) -> None:
    write(instance, '[site]\nname = "In the file"\n[server]\nport = 8001\n')
    assert shown(instance).json["server"]["port"] == 8001
    found = shown(
        instance,
        PARVIS_SERVER_PORT="8002",
        PARVIS_SERVER_TRUSTED_PROXIES="10.0.0.0/8, ::1",
        PARVIS_SAFE_MODE="1",
        PARVIS_LIMITS_SIGN_IN="3/5m",
        PARVIS_SITE_URL="https://community.example.com/",
    ).json
    assert found["site"]["name"] == "In the file"
    assert found["server"]["port"] == 8002
    assert found["server"]["trusted_proxies"] == ["10.0.0.0/8", "::1"]
    assert found["plugins"]["safe_mode"] is True
    assert found["limits"] == {"sign-in": "3/300s"}
    assert found["site"]["url"] == "https://community.example.com"
    assert found["server"]["allowed_hosts"] == ["community.example.com", "localhost", "127.0.0.1", "[::1]"]


def test_passwords_and_secrets_are_never_shown(instance: Path, shown: Command) -> None:
    secret = (instance / "secrets.toml").read_text().split('"')[1]
    done = shown(instance, PARVIS_DATABASE_URL="postgresql://parvis:hush@db.example/parvis")
    assert done.json["database"]["url"] == "postgresql://parvis:***@db.example/parvis"
    for url in (
        "mysql://parvis:hush@db.example/x",
        "postgres://a:hu/hush@b@db.example",
        "postgresql://x:hush@h:99999/d",
    ):
        text = shown(instance, PARVIS_DATABASE_URL=url).line()
        assert "hush" not in text, text
        assert "***" in text
    assert secret not in shown(instance).out


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[server]\nport = 99999", ["parvis.toml: server.port = 99999", "1 to 65535"]),
        ('[server]\nport = "80"', ["server.port = '80'", "not a number", "without quotes"]),
        ("[server]\nport = true", ["server.port = True", "not a number"]),
        ("[server]\nprot = 80", ["server.prot is not a setting", "Did you mean server.port?"]),
        ("[servr]\nport = 80", ["servr is not a setting", "Did you mean server?"]),
        ('name = "x"', ["name is not a setting", "site.name"]),
        ('[site]\nname = ""', ["site.name = ''", "1 to 80"]),
        ('[site]\nlanguage = "de"', ["site.language = 'de'", "fr, en"]),
        ('[site]\ntime_zone = "Europe/Pari"', ["site.time_zone = 'Europe/Pari'", "Europe/Paris"]),
        ('[site]\nurl = "community.example"', ["site.url", "https://community.example.com"]),
        ('[site]\nurl = "https://a.example/sub"', ["site.url", "below a path"]),
        ('[site]\nurl = "https://a:b@a.example"', ["site.url", "password"]),
        ('[server]\nhost = "not a host"', ["server.host", "127.0.0.1"]),
        ('[server]\ntrusted_proxies = ["10.0.0.0/99"]', ["server.trusted_proxies", "10.0.0.0/99"]),
        ('[server]\nallowed_hosts = "a.example"', ["server.allowed_hosts", "not a list"]),
        ('[server]\nallowed_hosts = ["https://a.example"]', ["server.allowed_hosts", "https://a.example"]),
        ("[server]\nworkers = 0", ["server.workers = 0", "1 to 64"]),
        ('[database]\nurl = "mysql://x"', ["database.url", "sqlite:///data/parvis.db"]),
        ('[database]\nurl = "sqlite:///data"', ["database.url", "a folder"]),
        ('[database]\nurl = "postgresql://localhost"', ["database.url", "user:password@host"]),
        ("[files]\nmax_upload_mb = 0", ["files.max_upload_mb = 0", "1 to"]),
        ('[files]\nfolder = "parvis.toml"', ["files.folder", "not a folder"]),
        ('[log]\nlevel = "loud"', ["log.level = 'loud'", "debug, info"]),
        ('[limits]\npublish = "often"', ["limits.publish = 'often'", "10/5m"]),
        ("[plugins]\nsafe_mode = 1", ["plugins.safe_mode = 1", "true or false"]),
        ("[server\nport = 80", ["parvis.toml is not valid TOML", "line 1", "Mend that line"]),
        ("[server]\nport = 80\nport = 81", ["not valid TOML", "line 3"]),
    ],
)  # fmt: skip
def test_a_wrong_file_names_key_value_and_remedy(
    instance: Path, text: str, parts: list[str], shown: Command
) -> None:
    write(instance, text + "\n")
    done = shown(instance)
    assert done.code == 1
    line = done.line()
    assert [part for part in parts if part not in line] == [], line
    assert "parvis.toml" in line


@pytest.mark.parametrize(
    ("name", "value", "parts"),
    [
        ("PARVIS_SERVER_PORT", "high", ["PARVIS_SERVER_PORT = 'high'", "not a number"]),
        ("PARVIS_SERVER_PRT", "1", ["PARVIS_SERVER_PRT", "Did you mean PARVIS_SERVER_PORT?"]),
        ("PARVIS_DATABSE_URL", "x", ["PARVIS_DATABSE_URL", "Did you mean PARVIS_DATABASE_URL?"]),
        ("PARVIS_SAFE_MODE", "perhaps", ["PARVIS_SAFE_MODE = 'perhaps'", "true or false"]),
        ("PARVIS_SITE_TIME_ZONE", "Mars", ["PARVIS_SITE_TIME_ZONE = 'Mars'", "Europe/Paris"]),
    ],
)
def test_a_wrong_variable_names_itself_value_and_remedy(
    instance: Path, name: str, value: str, parts: list[str], shown: Command
) -> None:
    assert shown(instance).code == 0
    line = shown(instance, **{name: value}).line()
    assert [part for part in parts if part not in line] == [], line


def test_bytes_that_are_no_text_are_told(instance: Path, shown: Command) -> None:
    (instance / "parvis.toml").write_bytes(b'[site]\nname = "\xff"\n')
    assert "not valid TOML" in shown(instance).line()


def test_a_missing_folder_names_the_two_ways_out(tmp_path: Path, shown: Command) -> None:
    line = shown(tmp_path / "nowhere").line()
    assert "parvis init" in line
    assert "--dir" in line
    (tmp_path / "file").write_text("")
    assert "is not a folder" in shown(tmp_path / "file").line()


def test_parvis_dir_is_the_default_folder(instance: Path, tmp_path: Path, parvis: Command) -> None:
    found = parvis("config", "show", "--json", env={"PARVIS_DIR": str(instance)}, cwd=tmp_path)
    assert found.json["directory"] == str(instance)
    assert parvis("config", "show", "--json", cwd=instance).json["directory"] == str(instance)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_secrets_that_others_can_read_are_refused(instance: Path, mode: int, parvis: Command) -> None:
    (instance / "secrets.toml").chmod(mode)
    done = parvis("serve", "--dir", instance)
    assert done.code == 1
    assert f"(mode {mode:04o})" in done.line()
    assert "chmod 600" in done.line()


def test_missing_and_short_secrets_are_refused(instance: Path, parvis: Command) -> None:
    (instance / "secrets.toml").write_text('secret_key = "short"\n')
    assert "shorter than 32" in parvis("serve", "--dir", instance).line()
    (instance / "secrets.toml").unlink()
    assert "secrets.toml is missing" in parvis("serve", "--dir", instance).line()


def test_the_same_in_french(instance: Path, parvis: Command) -> None:
    write(instance, "[server]\nprot = 80\n")
    done = parvis("config", "show", "--dir", instance, env={"PARVIS_LANG": "fr"})
    assert "n’est pas un réglage de Parvis. Vouliez-vous dire server.port\N{NO-BREAK SPACE}?" in done.line()
    helped = parvis("--help", env={"PARVIS_LANG": "", "LANG": "fr_FR.UTF-8", "LC_ALL": ""})
    assert "Crée une instance" in helped.out
