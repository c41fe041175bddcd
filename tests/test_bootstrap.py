"""The scripts that begin on a machine with nothing: what they find, what they say, how they fail.

A bare system is a PATH of a few programs of the system and stand-ins for those that differ between machines
(uv, apt-get, id); the scripts are the real ones, copied beside it.
"""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SYSTEM = (
    "sh",
    "bash",
    "env",
    "awk",
    "sort",
    "head",
    "dirname",
    "ls",
    "cat",
    "rm",
    "sed",
    "make",
    "mktemp",
    "grep",
)


class Machine:
    """A copy of the scripts, and a PATH that holds what a machine has."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "clone"
        self.bin = folder / "bin"
        self.bin.mkdir()
        shutil.copytree(ROOT / "deploy", self.folder / "deploy")
        shutil.copytree(ROOT / ".ci", self.folder / ".ci")
        shutil.copy(ROOT / "Makefile", self.folder)
        for name in SYSTEM:
            found = shutil.which(name)
            assert found, f"{name} is missing on this machine"
            (self.bin / name).symlink_to(found)

    def add(self, name: str, script: str, folder: Path | None = None) -> None:
        path = (folder or self.bin) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": str(self.bin), "HOME": str(self.folder)}
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=60
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.add("id", "echo 1000")  # an ordinary user, whoever runs the tests
    return machine


# A uv of version $1 that finds a Python unless told otherwise, and fails with 3 at what $FAILS names.
UV = """case "$*" in
--version) echo "uv {version} (stand-in)" ;;
python\\ find*) exit {python} ;;
*"{fails}"*) echo "it was $*"; exit 3 ;;
esac"""


def uv(version: str = "0.9.9", python: int = 0, fails: str = "nothing at all") -> str:
    return UV.format(version=version, python=python, fails=fails)


def test_uv_on_the_path_is_taken(machine: Machine) -> None:
    machine.add("uv", uv())
    done = machine.run("deploy/bootstrap.sh")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{machine.bin}/uv\n", "")
    assert not (machine.folder / ".tools").exists()


def test_a_uv_too_old_gives_way_to_the_one_in_tools(machine: Machine) -> None:
    machine.add("uv", uv("0.4.30"))
    machine.add("uv", uv("0.13.9"), machine.folder / ".tools/bin")
    done = machine.run("deploy/bootstrap.sh")
    assert (done.returncode, done.stdout) == (0, f"{machine.folder}/.tools/bin/uv\n"), done.stderr


def test_versions_are_compared_as_numbers(machine: Machine) -> None:
    machine.add("uv", uv("0.13.0"))
    assert machine.run("deploy/bootstrap.sh").stdout == f"{machine.bin}/uv\n"


@pytest.mark.parametrize(
    ("python", "apt", "said"),
    [
        (None, True, "run `sudo apt-get install python3-venv`"),
        ("exit 1", True, "run `sudo apt-get install python3-venv`"),  # Debian's, without ensurepip
        (None, False, "install uv, or Python 3.11 with its venv module"),
    ],
)
def test_an_ordinary_user_is_told_in_one_line_what_to_install(
    machine: Machine, python: str | None, apt: bool, said: str
) -> None:
    if python:
        machine.add("python3", python)
    if apt:
        machine.add("apt-get", "echo called; exit 1")
    done = machine.run("deploy/bootstrap.sh")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert said in done.stderr
    assert "called" not in done.stderr


def test_root_on_debian_installs_python_and_reports_a_failure_of_apt(machine: Machine) -> None:
    machine.add("id", "echo 0")
    machine.add("apt-get", 'echo "E: no network" >&2; exit 100')
    done = machine.run("deploy/bootstrap.sh")
    assert done.returncode == 1
    assert "installing python3-venv with apt" in done.stderr
    assert "E: no network" in done.stderr
    assert done.stderr.splitlines()[-1] == (
        "parvis: apt could not install python3-venv: see above, then try again."
    )


def test_a_machine_without_a_young_python_is_told_so(machine: Machine) -> None:
    machine.add("uv", uv(python=2))
    done = machine.run("deploy/bootstrap.sh")
    assert done.returncode == 1
    assert done.stderr == (
        "parvis: Python 3.11 or newer is missing: install it "
        "(Debian 12 and later: `apt-get install python3`), then try again.\n"
    )


def test_a_missing_test_package_is_named_to_an_ordinary_user(machine: Machine) -> None:
    machine.add("apt-get", "echo called")
    machine.add("chromium", "")
    done = machine.run("deploy/test-packages.sh")
    assert done.returncode == 1
    assert "run `sudo apt-get install" in done.stderr
    assert "fonts-noto-color-emoji" in done.stderr
    assert "chromium" not in done.stderr
    assert "called" not in done.stdout + done.stderr


STAGES = [
    "System packages",
    "Python packages",
    "Lint (ruff check)",
    "Format (ruff format)",
    "Types (mypy)",
    "Plugins standing alone",
    "Tests (pytest)",
]


def headings(printed: str) -> list[str]:
    return re.findall(r"^== (.*)$", printed, flags=re.M)


def test_all_stages_run_in_order(machine: Machine) -> None:
    machine.add("uv", uv())
    machine.add("test-packages.sh", "", machine.folder / "deploy")
    done = machine.run("make", "test")
    assert (done.returncode, headings(done.stdout)) == (0, STAGES), done.stderr


@pytest.mark.parametrize(
    ("fails", "stage"),
    [
        ("sync", 1),
        ("ruff check", 2),
        ("ruff format --check", 3),
        ("mypy", 4),
        ("--isolated", 5),
        ("pytest -n", 6),
    ],
)
def test_the_first_stage_that_fails_stops_the_checks_and_is_named(
    machine: Machine, fails: str, stage: int
) -> None:
    machine.add("uv", uv(fails=fails))
    machine.add("test-packages.sh", "", machine.folder / "deploy")
    plugin = machine.folder / "plugins/polls"
    (plugin / "tests").mkdir(parents=True)
    (plugin / "pyproject.toml").write_text('[project]\nname = "parvis-polls"\n')
    done = machine.run("deploy/check.sh")
    assert done.returncode == 3
    assert headings(done.stdout) == STAGES[: stage + 1]
    assert done.stderr.strip() == f"== Failed: {STAGES[stage]} (exit code 3)"
    # What the tool said is there to read, and continuous integration fails as well and says the same.
    assert "it was " in done.stdout
    integration = machine.run(".ci/run")
    assert integration.returncode != 0
    assert "it was " in integration.stdout
    assert f"== Failed: {STAGES[stage]}" in integration.stderr


def test_one_stage_can_be_run_alone_and_a_wrong_name_is_refused(machine: Machine) -> None:
    machine.add("uv", uv())
    assert headings(machine.run("deploy/check.sh", "types").stdout) == ["Types (mypy)"]
    wrong = machine.run("deploy/check.sh", "typos")
    assert wrong.returncode == 2
    assert "no stage named typos" in wrong.stderr


def test_demo_passes_its_arguments_and_its_exit_code_on(machine: Machine) -> None:
    machine.add("uv", uv(fails="run --quiet --no-dev parvis demo --port 8123"))
    done = machine.run("make", "demo", "ARGS=--port 8123")
    assert "it was run --quiet --no-dev parvis demo --port 8123" in done.stdout
    assert done.returncode == 2


def test_help_lists_every_target(machine: Machine) -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.M)
    assert {"demo", "test", "lock", "bench", "soak", "lint", "format", "help"} <= set(targets)
    assert re.findall(r"^  make ([a-z]+) ", machine.run("make").stdout, flags=re.M) == targets


def test_readme_begins_with_the_two_commands() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert [line.split("#")[0].strip() for line in lines[1:3]] == ["make demo", "make test"]


# -- exact versions ----------------------------------------------------------------------------------

lock = runpy.run_path(str(ROOT / "deploy/lock.py"), run_name="lock")


def test_every_resolved_package_has_its_exact_version_in_the_repository() -> None:
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    pinned = {pin.split(";")[0].strip() for pin in document["tool"]["uv"]["constraint-dependencies"]}
    resolved = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    foreign = {f"{it['name']}=={it['version']}" for it in resolved if "registry" in it["source"]}
    assert foreign - pinned == set(), "run `make lock`"
    assert pinned - foreign == set(), "run `make lock`"


def test_the_lock_file_stays_out_of_git() -> None:
    ignored = subprocess.run(["git", "check-ignore", "uv.lock"], cwd=ROOT, capture_output=True, text=True)
    assert ignored.stdout.strip() == "uv.lock"
    assert os.access(ROOT / "deploy/bootstrap.sh", os.X_OK)


def test_pins_are_read_from_an_export_without_local_packages() -> None:
    export = "# made by uv\n-e ./core\n./plugins/feeds\nb==2 ; sys_platform == 'win32'\na==1.0\n    # via b\n"
    assert lock["pins"](export) == ["a==1.0", "b==2 ; sys_platform == 'win32'"]


def test_one_array_is_replaced_and_its_namesake_left() -> None:
    before = 'constraint-dependencies = []\nbuild-constraint-dependencies = [\n    "x==1",\n]\n[tool.other]\n'
    after = lock["with_list"](before, "constraint-dependencies", ["a==1"])
    assert after == before.replace(
        "constraint-dependencies = []", 'constraint-dependencies = [\n    "a==1",\n]', 1
    )
    emptied = lock["with_list"](after, "build-constraint-dependencies", [])
    assert tomllib.loads(emptied)["constraint-dependencies"] == ["a==1"]
    assert tomllib.loads(emptied)["build-constraint-dependencies"] == []


def test_a_document_without_the_array_is_refused() -> None:
    with pytest.raises(SystemExit, match="expected one constraint-dependencies, found 0"):
        lock["with_list"]("[project]\n", "constraint-dependencies", [])
