"""Resolve every package anew and write the exact versions into pyproject.toml; what `make lock` runs.

The versions stand in `[tool.uv] constraint-dependencies` (and `build-constraint-dependencies` for the build
backend), so that they travel with the repository while uv.lock, which records hosts, does not.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = ROOT / "pyproject.toml"


def run(*command: str, text: str | None = None) -> str:
    """Return what `command` prints; its own complaints go to the terminal."""
    return subprocess.run(command, cwd=ROOT, check=True, input=text, text=True, stdout=subprocess.PIPE).stdout


def pins(output: str) -> list[str]:
    """Return the `name==version ; marker` lines of an export, without comments and local packages."""
    lines = (line.strip() for line in output.splitlines())
    return sorted(line for line in lines if re.match(r"[A-Za-z0-9._-]+==", line))


def with_list(document: str, key: str, values: list[str]) -> str:
    """Return `document` with the array `key` replaced, one value a line."""
    body = "".join(f"    '{value}',\n" if '"' in value else f'    "{value}",\n' for value in values)
    array = f"{key} = [\n{body}]" if values else f"{key} = []"
    document, count = re.subn(rf"^{key} = (\[\]|\[\n.*?^\])", lambda _: array, document, flags=re.M | re.S)
    if count != 1:
        raise SystemExit(f"pyproject.toml: expected one {key}, found {count}")
    return document


def main(uv: str) -> None:
    """Resolve without the former versions, write the new ones, and resolve again as a check."""
    former = PYPROJECT.read_text(encoding="utf-8")
    free = with_list(with_list(former, "constraint-dependencies", []), "build-constraint-dependencies", [])
    try:
        PYPROJECT.write_text(free, encoding="utf-8")
        run(uv, "lock", "--quiet", "--upgrade")
        packages = pins(
            run(
                uv, "export", "--quiet", "--frozen", "--all-packages", "--all-groups", "--all-extras",
                "--no-hashes", "--no-header", "--no-annotate", "--no-emit-workspace",
            )
        )  # fmt: skip
        backend = pins(
            run(uv, "pip", "compile", "--quiet", "--universal", "--no-header", "--no-annotate",
                "--python-version", "3.11", "-", text="hatchling>=1.27\n")
        )  # fmt: skip
        locked = with_list(free, "constraint-dependencies", packages)
        PYPROJECT.write_text(with_list(locked, "build-constraint-dependencies", backend), encoding="utf-8")
        run(uv, "lock", "--quiet")
    except BaseException:
        PYPROJECT.write_text(former, encoding="utf-8")
        raise
    print(f"{len(packages)} packages and {len(backend)} for building, written to pyproject.toml")


if __name__ == "__main__":
    main(sys.argv[1])
