"""How the first start names the command to its reader."""

import sys
from pathlib import Path

import pytest

from addons.start import typed_command


def programs(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text("#!/bin/sh\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an environment that is not on PATH; we are in it."""
    made = tmp_path / "my checkout"
    monkeypatch.setattr(sys, "executable", str(programs(made / ".venv" / "bin", "python", "greyfox") / "python"))
    monkeypatch.setenv("PATH", str(programs(tmp_path / "bin")))
    monkeypatch.chdir(made)
    return made


def test_in_a_checkout_it_is_the_path_from_there(checkout: Path) -> None:
    assert typed_command() == ".venv/bin/greyfox"


def test_elsewhere_it_is_the_whole_path(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path / "bin")
    assert typed_command() == f"'{checkout}/.venv/bin/greyfox'"


def test_what_is_found_by_its_name_is_called_by_it(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(programs(tmp_path / "usr", "greyfox")))
    assert typed_command() == "greyfox"


def test_without_a_script_only_the_name_is_left(checkout: Path) -> None:
    (checkout / ".venv" / "bin" / "greyfox").unlink()
    assert typed_command() == "greyfox"
