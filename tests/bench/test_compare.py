import argparse
import json
from pathlib import Path

import pytest

from bench import compare


def figures(path: Path, **ratios: float) -> Path:
    runs = [{"name": f"fast, {what}", "ratio": ratio, "cpu_ratio": None} for what, ratio in ratios.items()]
    path.write_text(json.dumps({"machine": {}, "runs": runs}))
    return path


def compared(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    compare.add_arguments(parser)
    return compare.main(parser.parse_args(arguments))


@pytest.mark.parametrize(("now", "status"), [({"hits": 9.0}, 0), ({"hits": 8.0}, 1), ({"misses": 1.0}, 2)])
def test_the_exit_status_tells_whether_a_ratio_is_worse(tmp_path: Path, now: dict[str, float], status: int) -> None:
    stored = str(tmp_path / "stored.json")
    assert compared(str(figures(tmp_path / "a.json", hits=10.0)), "--against", stored, "--store", "first") == 0
    assert compared(str(figures(tmp_path / "b.json", **now)), "--against", stored) == status


def test_the_tolerance_is_the_callers(tmp_path: Path) -> None:
    stored = str(tmp_path / "stored.json")
    compared(str(figures(tmp_path / "a.json", hits=10.0)), "--against", stored, "--store", "first")
    assert compared(str(figures(tmp_path / "b.json", hits=8.0)), "--against", stored, "--tolerance", "0.3") == 0


def test_the_baseline_that_is_shipped_can_be_read() -> None:
    stored = json.loads(compare.BASELINE.read_text(encoding="utf-8"))
    assert stored["name"]
    assert all(name.startswith(("flow", "fast")) for name in stored["ratios"])
