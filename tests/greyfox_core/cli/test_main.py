import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from greyfox_core.cli import usage
from greyfox_core.cli.desk import Desk
from greyfox_core.cli.main import build, main
from greyfox_core.store.open import Store
from greyfox_core.store.reports import Reports
from tests.greyfox_core.cli.kit import CONFIG, Operator


def every_command() -> list[list[str]]:
    """The words of each command."""
    root: Any = typer.main.get_command(build())
    found = []
    for name, command in root.commands.items():
        if hasattr(command, "commands"):
            found += [[name, verb] for verb in command.commands]
        else:
            found.append([name])
    return found


def test_the_commands_are_those_of_the_contract() -> None:
    assert {" ".join(words) for words in every_command()} == {
        *("run", "usage", "me", "env", "doctor"),
        *("key create", "key list", "key revoke", "user list", "user show"),
        *("quota show", "quota set", "quota reset", "quota verify"),
        *("config check", "config schema", "config template", "ca show", "ca export"),
    }


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_every_command_says_what_it_is_for_how_and_how_it_ends(operator: Operator, words: list[str]) -> None:
    text = operator.ok(*words, "--help").out
    purpose, usage_line, example, status = (
        text.index(part) for part in (text[:10], "Usage: ", "\nExample: ", "\nExit status: 0")
    )
    assert purpose < usage_line < example < status
    assert f"greyfox {' '.join(words)}" in text
    assert "--json" in text and "--config" in text


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_every_command_is_documented_with_its_options(words: list[str], operator: Operator) -> None:
    document = (Path(__file__).parents[3] / "docs" / "cli.md").read_text(encoding="utf-8")
    name = f"greyfox {' '.join(words)}"
    headings = [line for line in document.splitlines() if line.startswith("### ")]
    assert any(heading.startswith(f"### `{name}") for heading in headings), f"docs/cli.md has no section of {name}"
    section = document.split(f"### `{name}", 1)[1].split("\n### ", 1)[0].split("\n## ", 1)[0]
    options = set(re.findall(r"^  (--[a-z-]+)", operator.ok(*words, "--help").out, re.MULTILINE))
    everywhere = {"--json", "--config", "--help"}
    missing = {option for option in options - everywhere if f"`{option}" not in section}
    assert not missing, f"docs/cli.md, {name}: {missing}"
    assert f"$ {name}" in section, f"docs/cli.md has no example of {name}"


def test_without_words_the_help_is_shown(operator: Operator) -> None:
    assert operator.ok().out == operator.ok("--help").out


@pytest.mark.parametrize(
    "words", [["nonsense"], ["key"], ["key", "nonsense"], ["key", "list", "--nonsense"], ["quota", "set"]]
)
def test_wrong_usage_is_one_line_and_status_2(operator: Operator, words: list[str]) -> None:
    ended = operator(*words)
    assert ended.code == 2
    assert ended.out == "" and ended.err.count("\n") == 1 and ended.err.startswith("greyfox: ")
    assert operator(*words, "--json").error


def test_a_failure_is_one_line_and_json_under_json(operator: Operator) -> None:
    operator.database.write_bytes(b"not a database")
    ended = operator("key", "list")
    assert ended.code == 1 and ended.out == ""
    assert ended.err.count("\n") == 1 and str(operator.database) in ended.err
    assert str(operator.database) in operator("key", "list", "--json").error


def test_a_database_that_does_not_answer(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    operator.ok("key", "list")

    def locked(*args: object, **options: object) -> None:
        from greyfox_core.store.engine import unavailable_on_driver_error

        with unavailable_on_driver_error():
            raise OSError("database is locked")

    monkeypatch.setattr(Reports, "usage", locked)
    ended = operator("usage")
    assert ended.code == 1 and ended.err == "greyfox: the database does not answer: database is locked\n"


def test_a_fault_of_ours_quotes_nothing(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **options: object) -> None:
        raise RuntimeError("gf_secret")

    monkeypatch.setattr(Reports, "usage", broken)
    ended = operator("usage", "--json")
    assert ended.code == 1
    assert "RuntimeError" in ended.error and "gf_secret" not in ended.err


def test_the_database_is_let_go_of(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[Store] = []
    close = Store.close

    def watched(self: Store) -> None:
        closed.append(self)
        close(self)

    monkeypatch.setattr(Store, "close", watched)
    operator.ok("usage")
    monkeypatch.setattr(usage, "write_usage", lambda *_: 1 / 0)
    operator("usage")
    assert len(closed) == 2


def test_an_interrupt_is_no_failure_of_ours(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Reports, "usage", interrupted)
    assert operator("usage").code == 130


def test_the_configuration_is_named_by_option_by_environment_or_by_place(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def used(*words: str, environ: dict[str, str]) -> str:
        assert main(["config", "check", "--json", *words], Desk(operator.clock, environ)) == 0
        return Path(json.loads(capsys.readouterr().out)["file"]).parent.name

    for name in ("option", "environment", "place"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path / "place")
    named = {"GREYFOX_CONFIG": str(tmp_path / "environment" / "config.yaml")}
    assert used("--config", str(tmp_path / "option" / "config.yaml"), environ=named) == "option"
    assert used(environ=named) == "environment"
    assert used(environ={}) == "place"


def test_as_a_program(tmp_path: Path) -> None:
    """The real process: JSON on stdout, the exit status, a reader that leaves early."""
    (tmp_path / "config.yaml").write_text(CONFIG)
    command = [sys.executable, "-m", "greyfox_core.cli.main"]
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[3]), "PYTHONIOENCODING": "ascii"}
    made = subprocess.run(
        [*command, "key", "create", "--user", "alice", "--json"], cwd=tmp_path, env=env, capture_output=True
    )
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["user"] == "alice"
    table = subprocess.run([*command, "key", "list"], cwd=tmp_path, env=env, capture_output=True)
    assert table.returncode == 0 and b"\\u2013" in table.stdout  # no dash in ASCII
    wrong = subprocess.run([*command, "key", "create", "--json"], cwd=tmp_path, env=env, capture_output=True)
    assert wrong.returncode == 2 and "--user" in json.loads(wrong.stderr)["error"]
    with subprocess.Popen([*command, "config", "schema"], cwd=tmp_path, env=env, stdout=-1, stderr=-1) as early:
        assert early.stdout is not None and early.stderr is not None
        early.stdout.close()
        assert b"Traceback" not in early.stderr.read()
