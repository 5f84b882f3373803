import json
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("words", [["key", "list"], ["quota", "show"], ["usage"], ["user", "list"]])
def test_every_command_tells_a_configuration_that_is_not_there(operator: Operator, words: list[str]) -> None:
    operator.config.unlink()
    ended = operator(*words)
    assert ended.code == 1 and str(operator.config) in ended.err
    assert list(operator.folder.iterdir()) == []
