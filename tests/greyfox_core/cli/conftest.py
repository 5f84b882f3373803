from pathlib import Path

import pytest

from tests.greyfox_core.cli.kit import Operator


@pytest.fixture
def operator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Operator:
    return Operator(tmp_path, capsys)
