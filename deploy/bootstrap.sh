#!/bin/sh
# Finds uv or installs it into .tools, and prints its path; everything else is said on standard error.
# Nothing is downloaded but packages: the Python is the one of the machine (UV_PYTHON_DOWNLOADS=never).
set -eu
cd "$(dirname "$0")/.."
export UV_PYTHON_DOWNLOADS=never PIP_DISABLE_PIP_VERSION_CHECK=1
wanted=0.7.0 # the first uv that knows every [tool.uv] key of pyproject.toml
uv_range='uv>=0.7,<1'

say() { echo "$*" >&2; }
give_up() { say "parvis: $*"; exit 1; }

# works UV: is it there, and young enough?
works() {
    version=$("$1" --version 2>/dev/null | awk '{ print $2 }') && [ -n "$version" ] || return 1
    [ "$(printf '%s\n%s\n' "$wanted" "$version" | sort -V | head -n 1)" = "$wanted" ]
}

# can_make_environments PYTHON: venv without ensurepip is what Debian ships before python3-venv.
can_make_environments() { command -v "$1" >/dev/null 2>&1 && "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

is_debian() { command -v apt-get >/dev/null 2>&1; }

install_with_apt() {
    say "parvis: installing $* with apt"
    # A fresh image has no package lists.
    ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1 || apt-get update -qq >&2 || return 1
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >.tools-apt.log 2>&1 \
        || { cat .tools-apt.log >&2; rm -f .tools-apt.log; return 1; }
    rm -f .tools-apt.log
}

if command -v uv >/dev/null 2>&1 && works uv; then
    uv=$(command -v uv)
else
    uv=$PWD/.tools/bin/uv
    if ! works "$uv"; then
        if ! can_make_environments python3; then
            if is_debian && [ "$(id -u)" = 0 ]; then
                install_with_apt python3-venv || give_up "apt could not install python3-venv: see above, then try again."
            elif is_debian; then
                give_up "uv is missing and so is what installs it: run \`sudo apt-get install python3-venv\`, then try again."
            else
                give_up "uv is missing and so is what installs it: install uv, or Python 3.11 with its venv module, then try again."
            fi
        fi
        say "parvis: installing uv into .tools"
        # --clear: an environment left half made, or made by a Python that went away, is made again.
        python3 -m venv --clear .tools || give_up "python3 -m venv could not make .tools: see above, then try again."
        .tools/bin/python -m pip install --quiet "$uv_range" >&2 \
            || give_up "pip could not install uv into .tools: see above; is the package index reachable?"
    fi
fi

"$uv" python find --no-project '>=3.11' >/dev/null 2>&1 \
    || give_up "Python 3.11 or newer is missing: install it (Debian 12 and later: \`apt-get install python3\`), then try again."
echo "$uv"
