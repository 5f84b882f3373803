#!/usr/bin/env bash
# Resolves pyproject.toml anew and writes the four pinned files beside this script. Needs uv.
#   requirements/remake.sh                      keep the versions in force, add what is missing
#   requirements/remake.sh --upgrade            take the newest of everything
#   requirements/remake.sh -P aiohttp           take the newest of one
# One resolution serves every Python from 3.12 on, every platform; no index is named in the files.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

compile() {
    uv pip compile --quiet --universal --python-version 3.12 --generate-hashes --no-annotate \
        --no-emit-index-url --no-emit-find-links --custom-compile-command requirements/remake.sh "$@"
}

compile pyproject.toml --output-file requirements/runtime.txt "$@"
# The others agree with the first on every package they share.
compile pyproject.toml --extra test --constraint requirements/runtime.txt --output-file requirements/test.txt "$@"
compile pyproject.toml --extra test --extra bench --constraint requirements/test.txt --output-file requirements/bench.txt "$@"
printf 'hatchling\n' | compile - --constraint requirements/test.txt --output-file requirements/build.txt "$@"
