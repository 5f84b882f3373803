"""Pattern sets over a request's text, and what they may cost."""

from typing import Any

import pytest

from greyfox_core.config.schema import Content
from greyfox_core.routing.content import BUDGET, LONGEST, Contents, Texts
from tests.greyfox_core.routing.kit import texts


class Ticking:
    """A clock that goes on by `step` seconds with every look."""

    def __init__(self, step: float = 0.0) -> None:
        self.now = 0.0
        self.step = step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def contents(step: float = 0.0, reported: list[str] | None = None, **sets: Any) -> Contents:
    made = {name: Content.model_validate(one) for name, one in sets.items()}
    return Contents(made, seconds=Ticking(step), report=(reported if reported is not None else []).append)


def fits(one: dict[str, Any], last_user: str, system: str = "") -> bool:
    return contents(c=one).reading(texts(last_user, system)).fits("c")


@pytest.mark.parametrize(
    ("one", "text", "fit"),
    [
        ({"any": ["foo", "bar"]}, "a bar", True),
        ({"any": ["foo", "bar"]}, "nothing", False),
        ({"all": ["foo", "bar"]}, "bar foo", True),
        ({"all": ["foo", "bar"]}, "bar", False),
        ({"none": ["foo"]}, "bar", True),
        ({"none": ["foo"]}, "foo", False),
        ({"any": "foo", "all": "bar", "none": "baz"}, "foo bar", True),
        ({"any": "foo", "all": "bar", "none": "baz"}, "foo bar baz", False),
        ({"any": "```"}, "code:\n```py\n```", True),
    ],
)
def test_any_all_and_none_hold_together(one: dict[str, Any], text: str, fit: bool) -> None:
    assert fits(one, text) is fit


@pytest.mark.parametrize(("over", "fit"), [("last_user", False), ("system", True), ("all", True)])
def test_a_set_says_which_text_it_is_over(over: str, fit: bool) -> None:
    assert fits({"any": "secretary", "over": over}, "hello", "you are a secretary") is fit


def test_only_the_beginning_of_a_text_is_searched() -> None:
    assert fits({"any": "end"}, "x" * (LONGEST - 3) + "end")
    assert not fits({"any": "end"}, "x" * LONGEST + "end")


def test_texts_are_made_once_and_only_where_asked_for() -> None:
    made: list[str] = []

    def last_user() -> str:
        made.append("last_user")
        return "foo"

    def never() -> str:
        raise AssertionError("made")

    reading = contents(a={"any": "foo"}, b={"any": "bar"}).reading(Texts(last_user, never, never))
    assert made == []
    assert [reading.fits("a"), reading.fits("b"), reading.fits("a")] == [True, False, True]
    assert made == ["last_user"]


def test_a_pattern_that_backtracks_forever_does_not_fit_and_is_reported_once() -> None:
    reported: list[str] = []
    slow = {"any": "^(a|aa)+$"}  # 10^12 ways to read 60 of them
    sets = contents(reported=reported, slow=slow, negated={"none": slow["any"]})
    hostile = texts("a" * 60 + "b")
    for _ in range(2):
        assert not sets.reading(hostile).fits("slow")
    assert reported == ["slow"]
    assert not sets.reading(hostile).fits("negated")  # not known is not absent
    assert reported == ["slow", "negated"]


def test_all_sets_of_a_request_share_one_budget() -> None:
    reported: list[str] = []
    sets = contents(BUDGET / 5, reported, a={"any": "x"}, b={"any": "x"}, c={"any": "x"})
    reading = sets.reading(texts("x"))
    assert [reading.fits(name) for name in "abc"] == [True, True, False]
    assert reported == ["c"]
    assert sets.reading(texts("x")).fits("c")  # the next request has its own
