from pathlib import Path

import pytest

from greyfox_core.cli.desk import Desk
from greyfox_core.clock import ManualClock
from greyfox_core.errors import ConfigError


def test_the_configuration_is_meant_by_option_then_environment_then_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    desk = Desk(ManualClock(), {"GREYFOX_CONFIG": "of/environment.yaml"})
    assert desk.config_path(Path("of/option.yaml")) == tmp_path / "of" / "option.yaml"
    assert desk.config_path(None) == tmp_path / "of" / "environment.yaml"
    assert Desk(ManualClock(), {"GREYFOX_CONFIG": ""}).config_path(None) == tmp_path / "config.yaml"
    assert desk.certs(None) == tmp_path / "of" / "certs"


def test_a_configuration_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="greyfox run"):
        Desk(ManualClock(), {}).config(tmp_path / "none.yaml")
