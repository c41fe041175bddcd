#!/bin/sh
# Installs what the tests need besides Python packages: PostgreSQL's server programs, Chromium and what drives it,
# fonts with emoji.
# As root on Debian with apt; anyone else is told in one line what to install.
set -eu

has() { command -v "$1" >/dev/null 2>&1; }
# Debian keeps initdb out of PATH.
has_postgresql() { has initdb || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; }
# Its headless shell starts no window that nobody sees: the tests take half the time.
has_chromium() { has chromium-headless-shell || has chromium || has chromium-browser || has google-chrome; }
# The program that drives Chromium is linked with it.
has_atomic() { has ldconfig && ldconfig -p | grep -q libatomic.so.1 || ls /usr/lib*/libatomic.so.1 /usr/lib/*/libatomic.so.1 >/dev/null 2>&1; }
has_fonts() { has fc-list && fc-list : family | grep -qi emoji && fc-list : family | grep -qi 'dejavu\|liberation\|noto sans'; }

missing=
has_postgresql || missing="$missing postgresql"
has_chromium || missing="$missing chromium-headless-shell"
has_atomic || missing="$missing libatomic1"
has_fonts || missing="$missing fontconfig fonts-dejavu-core fonts-noto-color-emoji"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && has apt-get; then
    echo "installing with apt:$missing"
    ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1 || apt-get update -qq
    log=$(mktemp)
    # shellcheck disable=SC2086 # a list of words
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >"$log" 2>&1 \
        || { cat "$log"; rm -f "$log"; echo "parvis: apt could not install$missing: see above, then try again." >&2; exit 1; }
    rm -f "$log"
elif has apt-get; then
    echo "parvis: the tests need more packages: run \`sudo apt-get install$missing\`, then try again." >&2
    exit 1
else
    echo "parvis: the tests need PostgreSQL's server programs, Chromium, libatomic, DejaVu and an emoji font: install them, then try again." >&2
    exit 1
fi
