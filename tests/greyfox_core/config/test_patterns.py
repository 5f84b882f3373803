"""Regular expressions with a limit of time."""

import pytest

from greyfox_core.config.patterns import Pattern


def test_patterns_have_the_syntax_of_python() -> None:
    pattern = Pattern(r"(?i)\b(refactor|debug)\b")
    assert pattern.search("please ReFactor this", 1.0)
    assert not pattern.search("refactoring", 1.0)


def test_a_search_that_backtracks_forever_ends() -> None:
    with pytest.raises(TimeoutError):
        Pattern("^(a|aa)+$").search("a" * 60 + "b", 0.01)  # 10^12 ways to read 60 of them


def test_what_is_no_pattern_is_refused_without_being_repeated() -> None:
    with pytest.raises(ValueError, match="no regular expression") as refused:
        Pattern("(zqx")
    assert "zqx" not in str(refused.value)
