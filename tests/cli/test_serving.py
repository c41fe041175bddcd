"""`parvis serve`: starts, tells, reloads and ends as promised, and leaves no process behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from http.client import RemoteDisconnected
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]
is_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts and changes of account need root")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_ends_cleanly_and_leaves_nobody(instance: Path, start: Command, port: int, number: int) -> None:
    server = start("serve", "--dir", instance, port=port)
    server.wait_for(f"http://localhost:{port}")
    assert server.get("/health/live") == 200
    assert len(server.family()) == 2
    assert (instance / "parvis.pid").read_text() == f"{server.process.pid}\n"
    assert server.end(number) == 0
    server.wait_until_gone()
    assert "Traceback" not in server.err.read_text()
    assert not (instance / "parvis.pid").exists()


def test_ctrl_c_reaches_the_whole_group_and_still_ends_cleanly(
    instance: Path, start: Command, port: int
) -> None:
    server = start("serve", "--dir", instance, port=port)
    server.wait_for("http://localhost")
    os.killpg(server.process.pid, signal.SIGINT)
    assert server.process.wait(timeout=30) == 0
    server.wait_until_gone()
    assert "Traceback" not in server.err.read_text()


def test_ctrl_c_while_starting_ends_at_once(instance: Path, start: Command, port: int) -> None:
    server = start("serve", "--dir", instance, port=port)
    end = time.monotonic() + 20
    while len(server.family()) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.1)
    os.killpg(server.process.pid, signal.SIGINT)
    assert server.process.wait(timeout=10) == 0
    server.wait_until_gone()
    assert "Traceback" not in server.err.read_text()


def test_no_worker_outlives_a_killed_supervisor(instance: Path, start: Command, port: int) -> None:
    server = start("serve", "--dir", instance, port=port)
    server.wait_for("http://localhost")
    server.process.kill()
    server.process.wait()
    server.wait_until_gone()


def test_hangup_replaces_the_workers_without_losing_a_request(
    instance: Path, start: Command, port: int
) -> None:
    server = start("serve", "--dir", instance, port=port)
    server.wait_for("http://localhost")
    before = server.family()[1:]
    statuses: list[object] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                statuses.append(server.get("/health/live"))
            except RemoteDisconnected:
                # Closed before a byte was read, as a keep-alive connection may be at any time: proxies and
                # browsers send such a GET again (RFC 9110, 9.2.2).
                statuses.append(server.get("/health/live"))
            except OSError as error:
                statuses.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    server.process.send_signal(signal.SIGHUP)
    end = time.monotonic() + 40
    while set(before) & set(server.family()) and time.monotonic() < end:
        time.sleep(0.1)
    stop.set()
    asking.join()
    after = server.family()[1:]
    assert len(after) == 1
    assert set(after).isdisjoint(before)
    assert set(statuses) == {200}
    assert len(statuses) > 20


def test_a_reload_that_cannot_start_leaves_the_former_workers(
    instance: Path, start: Command, port: int
) -> None:
    server = start("serve", "--dir", instance, port=port)
    server.wait_for("http://localhost")
    before = server.family()
    database = instance / "data/parvis.db"
    moved = instance / "data/moved.db"
    # A new worker finds a folder where the database was; the former one has its file open.
    database.rename(moved)
    database.mkdir()
    server.process.send_signal(signal.SIGHUP)
    end = time.monotonic() + 30
    while "go on serving" not in server.err.read_text() and time.monotonic() < end:
        time.sleep(0.1)
    assert "the former workers go on serving" in server.err.read_text()
    assert server.family() == before
    assert server.get("/health/live") == 200
    database.rmdir()
    moved.rename(database)
    assert server.end() == 0


def test_a_worker_that_dies_is_replaced(instance: Path, start: Command, port: int) -> None:
    server = start("serve", "--dir", instance, port=port)
    server.wait_for("http://localhost")
    (worker,) = server.family()[1:]
    os.kill(worker, signal.SIGKILL)
    end = time.monotonic() + 30
    answered = 0
    while answered != 200 and time.monotonic() < end:
        time.sleep(0.1)
        with contextlib.suppress(OSError):
            answered = server.get("/health/live")
    assert answered == 200
    assert worker not in server.family()


def test_a_worker_that_dies_right_after_a_reload_is_replaced(
    instance: Path, start: Command, port: int
) -> None:
    server = start("serve", "--dir", instance, port=port)
    server.wait_for("http://localhost")
    for _ in range(2):
        before = server.family()[1:]
        server.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 30
        while (now := server.family()[1:]) == before or len(now) != 1:
            assert time.monotonic() < end, "the reload did not end"
            time.sleep(0.05)
        os.kill(now[0], signal.SIGKILL)
        answered = 0
        while answered != 200 and time.monotonic() < end:
            time.sleep(0.1)
            with contextlib.suppress(OSError):
                answered = server.get("/health/live")
        assert answered == 200
    assert server.end() == 0


def test_workers_that_die_again_and_again_end_the_service(instance: Path, start: Command, port: int) -> None:
    server = start("serve", "--dir", instance, port=port)
    server.wait_for("http://localhost")
    end = time.monotonic() + 90
    while server.process.poll() is None and time.monotonic() < end:
        for worker in server.family()[1:]:
            with contextlib.suppress(OSError):
                if server.get("/health/live") == 200:
                    os.kill(worker, signal.SIGKILL)
        time.sleep(0.05)
    assert server.process.returncode not in (None, 0)
    said = server.err.read_text()
    assert "10 times within a minute" in said
    assert "Traceback" not in said
    server.wait_until_gone()


def test_a_taken_port_is_named_before_anything_starts(instance: Path, port: int, parvis: Command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        done = parvis("serve", "--dir", instance, "--port", str(port))
    assert done.code == 1
    assert f"Port {port}" in done.line()
    assert "--port" in done.line()
    assert not (instance / "data/parvis.db").exists()


def test_a_second_server_on_the_same_port_is_refused(
    instance: Path, start: Command, port: int, parvis: Command
) -> None:
    # Granian listens with SO_REUSEPORT: without the check both would answer in turns.
    server = start("serve", "--dir", instance, port=port)
    server.wait_for("http://localhost")
    assert f"Port {port}" in parvis("serve", "--dir", instance, "--port", str(port)).line()
    assert server.get("/health/live") == 200


def test_an_address_that_is_not_ours_is_named(instance: Path, parvis: Command) -> None:
    assert "cannot listen at 192.0.2.1" in parvis("serve", "--dir", instance, "--host", "192.0.2.1").line()


def test_several_workers_on_sqlite_are_warned_about(instance: Path, start: Command, port: int) -> None:
    server = start("serve", "--dir", instance, "--workers", "2", port=port)
    server.wait_for("http://localhost")
    assert "SQLite serves best from one web process" in server.err.read_text()
    assert len(server.family()) == 3
    assert server.end() == 0
    server.wait_until_gone()


def test_logs_for_programs_are_one_json_object_a_line(instance: Path, start: Command, port: int) -> None:
    server = start(
        "serve", "--dir", instance, port=port, env={"PARVIS_LOG_FORMAT": "json", "PARVIS_LOG_LEVEL": "debug"}
    )
    server.wait_for("http://localhost")
    assert server.end() == 0
    for line in server.err.read_text().splitlines():
        assert json.loads(line)["level"] in ("debug", "info", "warning", "error")


@is_root
def test_a_full_disk_ends_in_one_line_and_loses_nothing(small_disk: Path, parvis: Command) -> None:
    folder = small_disk / "instance"
    assert parvis("init", folder).code == 0
    assert parvis("migrate", "--dir", folder).code == 0
    assert parvis("member", "add", "--email", "first@c.example", "--dir", folder).code == 0
    with contextlib.suppress(OSError), (small_disk / "ballast").open("wb", buffering=0) as ballast:
        while True:
            ballast.write(b"x" * 4096)
    # What is left of the write-ahead log may take some more; soon there is no room.
    for number in range(200):
        done = parvis("member", "add", "--email", f"more{number}@c.example", "--dir", folder)
        if done.code != 0:
            break
    assert done.code == 1
    assert "full" in done.line()
    (small_disk / "ballast").unlink()
    members = parvis("member", "list", "--json", "--dir", folder).json
    assert "first@c.example" in [one["email"] for one in members]
    assert len(members) == number + 1
    findings = parvis("doctor", "--json", "--dir", folder).json
    assert {one["subject"] for one in findings if one["level"] == "error"} == {"disk"}


@is_root
def test_a_new_instance_on_a_full_disk(small_disk: Path, parvis: Command) -> None:
    with contextlib.suppress(OSError), (small_disk / "ballast").open("wb", buffering=0) as ballast:
        while True:
            ballast.write(b"x" * 4096)
    done = parvis("init", small_disk / "instance")
    assert done.code == 1
    assert "full" in done.line()
    assert not (small_disk / "instance" / "parvis.toml").exists()


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_read_only_database(
    tmp_path: Path, parvis: Command, port: int, powerless: Command, give_away: Command, what: str
) -> None:
    instance = tmp_path / "instance"
    assert parvis("init", instance).code == 0
    assert parvis("migrate", "--dir", instance).code == 0
    assert parvis("member", "list", "--dir", instance, before=powerless).code == 0
    for path in [instance / "data", *(instance / "data").glob("parvis.db*")]:
        if what == "file" and path.is_dir():
            continue
        give_away(path)
        path.chmod(0o755 if path.is_dir() else 0o644)
    for words in (["serve", "--port", str(port)], ["member", "add", "--email", "a@b.example"]):
        done = parvis(*words, "--dir", instance, before=powerless)
        assert done.code == 1
        assert str(instance / "data") in done.line()
        assert "writ" in done.line()
