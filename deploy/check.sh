#!/usr/bin/env bash
# Everything that must hold before a change is taken, stage by stage; stops at the first stage that fails and
# names it. `deploy/check.sh STAGE...` runs some of: packages environment lint format types alone tests.
# PYTEST_ARGS is passed on to the last stage; PYTEST_WORKERS sets its processes (default 2).
set -uo pipefail
cd "$(dirname "$0")/.."
export UV_PYTHON_DOWNLOADS=never
uv=$(deploy/bootstrap.sh) || exit 1

packages() { deploy/test-packages.sh; }
environment() { "$uv" sync --quiet --all-packages; }
lint() { "$uv" run --no-sync ruff check; }
format() { "$uv" run --no-sync ruff format --check; }
types() { "$uv" run --no-sync mypy; }

# Each plugin in an environment of its own, with the core and what it declares alone: an import it does not
# declare works in the shared environment and fails here.
alone() {
    local folder name
    for folder in plugins/*/; do
        [ -d "$folder/tests" ] || continue
        name=$(sed -n 's/^name = "\(.*\)"/\1/p' "$folder/pyproject.toml" | head -n 1)
        echo "-- $name"
        "$uv" run --quiet --isolated --exact --package "$name" pytest -q "$folder" || return
    done
}

tests() {
    # Files stay together (loadfile): each worker starts a database server and a browser once.
    # shellcheck disable=SC2086 # words
    "$uv" run --no-sync pytest -n "${PYTEST_WORKERS:-2}" --dist loadfile ${PYTEST_ARGS:-}
}

declare -A heading=(
    [packages]="System packages" [environment]="Python packages" [lint]="Lint (ruff check)"
    [format]="Format (ruff format)" [types]="Types (mypy)" [alone]="Plugins standing alone" [tests]="Tests (pytest)"
)
if [ $# = 0 ]; then set -- packages environment lint format types alone tests; fi
for stage; do
    [ -n "${heading[$stage]:-}" ] || { echo "parvis: no stage named $stage: ${!heading[*]}" >&2; exit 2; }
    printf '\n== %s\n' "${heading[$stage]}"
    "$stage"
    code=$?
    if [ "$code" != 0 ]; then
        printf '\n== Failed: %s (exit code %s)\n' "${heading[$stage]}" "$code" >&2
        exit "$code"
    fi
done
