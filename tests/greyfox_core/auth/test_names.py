import pytest

from greyfox_core.auth.names import is_name


@pytest.mark.parametrize("good", ["alice", "a", "a@example.com", "Zoë", "two words", "=cmd()", "<b>", "x" * 256])
def test_what_may_be_a_name(good: str) -> None:
    assert is_name(good)


@pytest.mark.parametrize(
    "bad", ["", " ", " alice", "alice ", "a\nb", "a\x1b[31m", "a\u202eb", "x" * 257, 5, None, ["alice"]]
)
def test_what_may_not(bad: object) -> None:
    assert not is_name(bad)
