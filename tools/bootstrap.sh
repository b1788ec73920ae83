#!/usr/bin/env bash
# Puts the installer, uv, of one exact version into .uv/ with nothing but Python. Called by make.
set -euo pipefail

version="$1"
python="${PYTHON:-python3}"

fail() {
    printf 'stillwatch: %s\n' "$@" >&2
    exit 1
}

command -v "$python" > /dev/null || fail "no $python on PATH. Install Python 3.11 or newer (Debian: apt install python3 python3-venv)."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
    || fail "$("$python" --version) is too old: Python 3.11 or newer is needed (make PYTHON=/path/to/python3.11)."

rm -rf .uv
if "$python" -c 'import ensurepip, venv' 2> /dev/null; then
    "$python" -m venv .uv
    .uv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$version"
elif "$python" -m pip --version > /dev/null 2>&1; then
    # Debian without python3-venv but with python3-pip: pip can fill a folder of its own.
    "$python" -m pip install --quiet --disable-pip-version-check --target .uv "uv==$version"
elif command -v uv > /dev/null; then
    mkdir -p .uv/bin && ln -s "$(command -v uv)" .uv/bin/uv
else
    fail "this Python has neither ensurepip nor pip, so nothing can be installed." \
        "On Debian and Ubuntu: sudo apt install python3-venv, then run make again."
fi
.uv/bin/uv --version > /dev/null || fail ".uv/bin/uv does not run; remove .uv/ and try again."
