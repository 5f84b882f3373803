"""How problems read."""

from greyfox_core.config.findings import Problem, Span, nearest, report


def test_a_problem_marks_the_token_itself() -> None:
    problem = Problem(
        "config.yaml",
        Span(5, 5, 12),
        'unknown key "output_token" in quotas[0] (developer-day)',
        "    output_token: 2000",
        ("name", "output_tokens"),
        "output_tokens",
    )
    assert problem.text() == (
        'config.yaml:5:5: unknown key "output_token" in quotas[0] (developer-day)\n'
        "  5 |     output_token: 2000\n"
        "    |     ^^^^^^^^^^^^\n"
        "  allowed: name, output_tokens\n"
        '  did you mean "output_tokens"?'
    )


def test_the_mark_stays_under_the_token_behind_tabs_and_at_the_end() -> None:
    text = Problem("c", Span(10, 4, 99), "m", "a:\tbc").text()
    assert text.splitlines()[1:] == ["  10 | a:\tbc", "     |   \t^^"]


def test_a_problem_without_a_place_is_one_line() -> None:
    assert Problem("c", None, "m").text() == "c: m"


def test_a_report_goes_from_top_to_bottom_and_counts() -> None:
    problems = [Problem("c", Span(9, 1), "last"), Problem("c", Span(2, 5), "second"), Problem("c", Span(2, 1), "first")]
    text = report(problems)
    assert text.index("first") < text.index("second") < text.index("last")
    assert text.endswith("\n\n3 problems.")
    assert report(problems[:1]).endswith("1 problem.")


def test_near_words_are_proposed_and_far_ones_not() -> None:
    assert nearest("dialekt", ("dialect", "hosts")) == "dialect"
    assert nearest("zzz", ("dialect", "hosts")) is None
