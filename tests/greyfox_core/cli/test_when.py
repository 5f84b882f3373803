from datetime import UTC, datetime, timedelta

import pytest
import typer

from greyfox_core.cli.when import after, ahead, before, rfc3339

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("30d", NOW + timedelta(days=30)),
        ("90", NOW + timedelta(seconds=90)),
        ("2026-12-01", datetime(2026, 12, 1, tzinfo=UTC)),
        ("2026-12-01T10:00:00Z", datetime(2026, 12, 1, 10, tzinfo=UTC)),
        ("2026-12-01T10:00:00+01:00", datetime(2026, 12, 1, 9, tzinfo=UTC)),
    ],
)
def test_ahead_of_now(text: str, moment: datetime) -> None:
    assert after(text, NOW, "--expires") == moment


@pytest.mark.parametrize(
    "text", ["", "0", "-1d", "soon", "2026-11-24", "2026-13-01", "inf", "nan", "1e9d", "99999999w"]
)
def test_what_is_not(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        after(text, NOW, "--expires")


def test_before_now() -> None:
    assert before("7d", NOW, "--since") == NOW - timedelta(days=7)
    assert before("2030-01-01", NOW, "--since") == datetime(2030, 1, 1, tzinfo=UTC)
    with pytest.raises(typer.BadParameter):
        before("90y", NOW, "--since")


def test_as_text() -> None:
    assert rfc3339(NOW.replace(microsecond=5)) == "2026-11-24T12:00:00+00:00"
    assert rfc3339(None) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "in less than a minute"),
        (59, "in less than a minute"),
        (60, "in 1 min"),
        (3_600, "in 1 h"),
        (172_799, "in 1 d"),
    ],
)
def test_how_long_until_then(seconds: int, words: str) -> None:
    assert ahead(NOW + timedelta(seconds=seconds), NOW) == words
