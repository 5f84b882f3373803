import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greyfox_core.config.schema import Dimension, Match
from greyfox_core.quota.subjects import canonical, parts_of, selects, subject_of, words
from greyfox_core.values.principal import Principal
from tests.greyfox_core.quota.house import ALICE, BOB


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        (Match(), True),
        (Match(user=("ali*",)), True),
        (Match(user=("bob", "alice")), True),
        (Match(user=("ALICE",)), False),
        (Match(role=("developer",)), True),
        (Match(role=("support", "dev*")), True),
        (Match(role=("support",)), False),
        (Match(team=("core",)), True),
        (Match(key=("key_*",)), True),
        (Match(model=("gpt-*",)), True),
        (Match(model=("claude-*",)), False),
        (Match(role=("developer",), model=("claude-*",)), False),  # all conditions must fit
    ],
)
def test_every_stated_condition_must_fit(match: Match, fits: bool) -> None:
    assert selects(match, ALICE, "gpt-4o") is fits


def test_a_glob_does_not_fit_its_own_text() -> None:
    assert not selects(Match(user=("[ab]",)), Principal("[ab]", "key_1"), "m")
    assert selects(Match(user=("[ab]",)), Principal("a", "key_1"), "m")


def test_a_team_condition_never_fits_a_principal_without_a_team() -> None:
    assert not selects(Match(team=("*",)), BOB, "gpt-4o")


def test_without_a_model_only_a_match_that_names_none_fits() -> None:
    assert selects(Match(user=("alice",)), ALICE, None)
    assert not selects(Match(model=("*",)), ALICE, None)


@pytest.mark.parametrize(
    ("per", "subject"),
    [
        (("user",), '{"user":"alice"}'),
        (("key",), '{"key":"key_alice"}'),
        (("model", "user"), '{"user":"alice","model":"gpt-4o"}'),
        (("team", "model"), '{"team":"core","model":"gpt-4o"}'),
    ],
)
def test_a_subject_has_its_dimensions_in_one_order(per: tuple[Dimension, ...], subject: str) -> None:
    assert subject_of(per, ALICE, "gpt-4o") == subject


def test_a_principal_without_a_team_is_a_team_of_its_own() -> None:
    assert subject_of(("team", "model"), BOB, "gpt-4o") == '{"user":"bob","model":"gpt-4o"}'
    assert subject_of(("team",), BOB, "m") != subject_of(("team",), Principal("x", "k", team="bob"), "m")


def test_words_for_a_sentence() -> None:
    assert words('{"user":"alice"}') == "user alice"
    assert words('{"team":"core","model":"gpt-4o"}') == "team core and model gpt-4o"


@given(st.dictionaries(st.sampled_from(["user", "key", "team", "model"]), st.text(max_size=20)))
def test_any_name_survives_as_ascii(parts: dict[str, str]) -> None:
    text = canonical(parts)
    assert text.isascii()
    assert parts_of(text) == parts == json.loads(text)


def test_a_lone_surrogate_can_be_stored() -> None:
    assert parts_of(canonical({"user": "\ud800"})) == {"user": "\ud800"}
