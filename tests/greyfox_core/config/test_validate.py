"""Problems of single parts, in the words of the file."""

import pytest

from greyfox_core.config.document import read
from greyfox_core.config.schema import Config, Match, Quota, Upstream, Use
from greyfox_core.config.validate import part_at, validate, where
from tests.greyfox_core.config.kit import UPSTREAMS


def messages(text: str) -> list[str]:
    config, findings = validate(read(UPSTREAMS + text, {"SECRET": "zqx"}))
    assert config is None
    return [finding.message for finding in findings]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("quota: 1", 'unknown key "quota" at the top level'),
        ("cache: {tll: 1}", 'unknown key "tll" in cache'),
        ("quotas: [{name: q, period: year, input_tokens: 1}]", '"year" is no period'),
        ("proxy: {unknown_hosts: maybe}", '"maybe" is nothing that unknown_hosts can be'),
        ("quotas: [{name: q, input_tokens: 1}]", '"period" is missing in quotas[0] (q)'),
        ("quotas: [{name: 5, period: day, input_tokens: 1}]", '"5" is no text: put it in quotes'),
        ("quotas: [{name: q, period: day, input_tokens: ten}]", '"ten" is no whole number'),
        ("quotas: [{name: q, period: day, input_tokens: -1}]", '"-1" is too small: it must be at least 0'),
        ("quotas: {name: q}", "quotas is no list"),
        ("cache: [a]", "cache is no mapping of keys to values"),
        ("cache: {enabled: perhaps}", '"perhaps" is neither true nor false'),
        ("cache: {ttl: ${SECRET}}", '"${SECRET}" is no duration'),
        ("limits: {max_depth: 999}", '"999" is too large: it must be at most 256'),
        ("content: {'a b': {any: x}}", '"a b" is no name'),
    ],
)
def test_each_kind_of_problem_has_its_words(text: str, message: str) -> None:
    found = messages(text)
    assert len(found) == 1
    assert found[0].startswith(message)
    assert "zqx" not in found[0]


def test_a_choice_is_told_with_what_it_may_be_and_what_was_meant() -> None:
    _, findings = validate(read(UPSTREAMS + "cache: {scope: teem}", {}))
    assert findings[0].allowed == ("global", "team", "user", "key")
    assert findings[0].meant == "team"


def test_a_file_that_holds_no_mapping_is_told_so() -> None:
    for text in ("", "# nothing\n", "- a\n", "text\n"):
        config, findings = validate(read(text, {}))
        assert config is None
        assert "no mapping" in findings[0].message


def test_parts_are_found_by_place() -> None:
    assert part_at(()) is Config
    assert part_at(("upstreams", "any")) is Upstream
    assert part_at(("quotas", 3)) is Quota
    assert part_at(("quotas", 3, "match")) is Match
    assert part_at(("routes", 0, "use", 1)) is Use
    assert part_at(("aliases",)) is None
    assert part_at(("quotas", 3, "name")) is None
    assert part_at(("nothing", "at", "all")) is None


def test_a_part_is_told_by_its_nearest_name() -> None:
    document = read("quotas: [{name: q, match: {rol: x}}]", {})
    assert where(document, ("quotas", 0, "match")) == " in quotas[0].match (q)"
    assert where(document, ("cache",)) == " in cache"
