#!/usr/bin/env bash
# Starts the gateway, or tests it, on a machine where nothing is set up yet.
#
#   ./run.sh [run] [OPTION…]    the gateway, under mitmdump
#   ./run.sh web [OPTION…]      the same under mitmweb
#   ./run.sh console [OPTION…]  the same under mitmproxy's console
#   ./run.sh test [OPTION…]     ruff, mypy and the test suite
#
# Options go unchanged to mitmproxy (for test: to pytest). Needs Python 3.12 or newer; GREYFOX_PYTHON names one.
set -euo pipefail

root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)"
venv="$root/.venv"
requirements="$root/requirements"

say() { printf 'run.sh: %s\n' "$*" >&2; }

# Is $1 a Python that can hold the gateway? A shim of pyenv can be on PATH and lead nowhere, a distribution's
# Python can lack what makes environments, a home-built one its SQLite: so each candidate is tried.
usable() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 12))' &>/dev/null || return 1
    "$1" -c 'import ensurepip, sqlite3, ssl, venv' &>/dev/null
}

candidates() {
    local name found
    for name in python3.14 python3.13 python3.12 python3; do
        command -v "$name" || true
    done
    for found in "${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/3.1[2-9]*/bin/python; do
        printf '%s\n' "$found"
    done | sort --version-sort --reverse
    if command -v uv >/dev/null; then
        uv python find '>=3.12' 2>/dev/null || true
    fi
}

find_python() {
    local candidate
    if [[ -n "${GREYFOX_PYTHON:-}" ]]; then
        usable "$GREYFOX_PYTHON" && printf '%s\n' "$GREYFOX_PYTHON" && return
        say "GREYFOX_PYTHON=$GREYFOX_PYTHON is no Python 3.12 or newer with venv, ssl and sqlite3"
        return 1
    fi
    while IFS= read -r candidate; do
        usable "$candidate" && printf '%s\n' "$candidate" && return
    done < <(candidates)
    say "no Python 3.12 or newer found: install one (apt install python3.12-venv, brew install python@3.13," \
        "pyenv install 3.13 or uv python install 3.13), or name it in GREYFOX_PYTHON"
    return 1
}

# The interpreter that an environment was made from.
base_of() {
    "$1" -c 'import os, sys; print(os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable))' 2>/dev/null
}

# Was Python asked for by name, it must be the one that the environment has.
right_python() {
    [[ -z "${GREYFOX_PYTHON:-}" || "$(base_of "$GREYFOX_PYTHON")" == "$(base_of "$venv/bin/python")" ]]
}

# All that an environment depends on, in one line; $1 says which: runtime or test. The root is in it because
# an environment holds absolute paths: a checkout that moved needs another.
wanted() {
    local sums
    sums="$(cat "$requirements/build.txt" "$requirements/$1.txt" "$root/pyproject.toml" "$venv/pyvenv.cfg" | cksum)"
    printf '%s %s\n' "$root" "$sums"
}

# Nothing to do? Reads files only, so that a start costs neither pip nor a second Python.
fits() {
    local stamp="$venv/.greyfox-$1"
    [[ -f "$stamp" && -x "$venv/bin/greyfox" && -x "$venv/bin/python" ]] || return 1
    [[ "$(<"$stamp")" == "$(wanted "$1")" ]] && right_python
}

# An environment stays where it works, is whole, has not moved and is of the Python that was asked for.
make_venv() {
    local python
    if [[ ! -e "$venv/.greyfox-unfinished" ]] && usable "$venv/bin/python" &&
        grep -qF "$venv/bin/" "$venv/bin/pip" 2>/dev/null && right_python; then
        return
    fi
    python="$(find_python)"
    say "making .venv with $python"
    "$python" -m venv --clear "$venv"
}

# uv is many times faster where it is at hand. Where it fails (say, an index that only pip knows of), pip tries again.
install() {
    if command -v uv >/dev/null && uv pip install --quiet --python "$venv/bin/python" "$@"; then
        return
    fi
    PIP_DISABLE_PIP_VERSION_CHECK=1 "$venv/bin/python" -m pip install --quiet "$@"
}

# Stamps are taken away first and written last: a run that is killed half-way leaves none. What it leaves may be half
# a package that pip would take for a whole one, so the next run makes the environment anew.
set_up() {
    fits "$1" && return
    make_venv
    rm -f "$venv/.greyfox-runtime" "$venv/.greyfox-test"
    : >"$venv/.greyfox-unfinished"
    say "installing what requirements/$1.txt names"
    install --require-hashes --requirement "$requirements/build.txt" --requirement "$requirements/$1.txt"
    install --no-deps --no-build-isolation --editable "$root"
    rm "$venv/.greyfox-unfinished"
    wanted "$1" >"$venv/.greyfox-$1"
    if [[ "$1" == test ]]; then
        wanted runtime >"$venv/.greyfox-runtime" # test.txt holds all of runtime.txt
    fi
}

# Two first runs at once: the second waits, then finds the work done.
set_up_alone() {
    fits "$1" && return
    (
        if command -v flock >/dev/null && ! flock --nonblock 9; then
            say "another run is setting up .venv: waiting for it"
            flock 9
        fi
        set_up "$1"
    ) 9>"$root/.venv.lock"
}

gateway() {
    set_up_alone runtime
    export GREYFOX_CONFIG="${GREYFOX_CONFIG:-$root/config.yaml}"
    # mitmproxy checks the types of every message it makes unless Python optimises: a tenth of a request's time.
    PYTHONOPTIMIZE=1 exec "$venv/bin/greyfox" run "$@"
}

failed=0
check() {
    say "$*"
    "$venv/bin/python" -m "$@" || failed=1
}

tests() {
    set_up_alone test
    cd "$root"
    check ruff check .
    check ruff format --check .
    check mypy --strict
    check pytest --numprocesses auto --dist loadfile "$@"
    exit "$failed"
}

case "${1:-run}" in
    run) gateway "${@:2}" ;;
    web | console) gateway --face "$@" ;;
    test) tests "${@:2}" ;;
    -*) gateway "$@" ;;
    *)
        say "unknown verb '$1'; known: run, web, console, test (options may follow)"
        exit 2
        ;;
esac
