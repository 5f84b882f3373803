import json
from pathlib import Path

import pytest

from greyfox_core.cli import config as commands
from greyfox_core.shipped import config_template
from tests.greyfox_core.cli.kit import Operator


def test_a_good_one_is_fine_and_its_warnings_are_told(operator: Operator) -> None:
    ended = operator.ok("config", "check")
    assert "can be used" in ended.err and "warning" in ended.err
    told = operator.ok("config", "check", "--json").json()
    assert told["file"] == str(operator.config)
    assert told["warnings"][0]["line"] == 3


def test_every_problem_is_told_at_once(operator: Operator) -> None:
    operator.config.write_text(
        operator.config.read_text().replace("period: day", "period: fortnight") + "nonsense: 1\n"
    )
    ended = operator("config", "check")
    assert ended.code == 1
    assert "fortnight" in ended.err and "nonsense" in ended.err and "2 problems" in ended.err
    assert "fortnight" in operator("config", "check", "--json").error


def test_another_file(operator: Operator, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("upstreams: {}\n")
    assert operator("config", "check", str(other)).code == 1
    assert operator("config", "check", "--config", str(other)).code == 1
    assert operator("config", "check", str(tmp_path / "none.yaml")).code == 1
    assert not operator.database.exists()


def test_the_schema_knows_every_part(operator: Operator) -> None:
    assert {"upstreams", "quotas", "auth"} <= json.loads(operator.ok("config", "schema").out)["properties"].keys()


def test_the_template_is_printed_to_its_last_byte(operator: Operator, tmp_path: Path) -> None:
    operator.config.unlink()  # a new installation has none
    made = tmp_path / "made.yaml"
    made.write_text(operator.ok("config", "template").out, encoding="utf-8")
    assert made.read_bytes() == config_template().read_bytes()
    assert operator.ok("config", "template", "--json").json() == {"yaml": made.read_text(encoding="utf-8")}
    operator.ok("config", "check", str(made))


def test_a_template_that_the_shell_has_emptied_is_told(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emptied = tmp_path / "emptied.yaml"
    emptied.touch()
    monkeypatch.setattr(commands, "config_template", lambda: emptied)
    ended = operator("config", "template")
    assert ended.code == 1 and "write to another file" in ended.err


@pytest.mark.parametrize("words", [["key", "list"], ["quota", "show"], ["usage"], ["user", "list"]])
def test_every_command_tells_a_configuration_that_is_not_there(operator: Operator, words: list[str]) -> None:
    operator.config.unlink()
    ended = operator(*words)
    assert ended.code == 1 and str(operator.config) in ended.err
    assert list(operator.folder.iterdir()) == []
