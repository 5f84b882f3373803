"""A shortlist holds whatever can fit, in order, and little else."""

from fnmatch import fnmatchcase

from hypothesis import given
from hypothesis import strategies as st

from greyfox_core.config.schema import Match
from greyfox_core.quota.subjects import selects
from greyfox_core.values.principal import Principal
from greyfox_core.values.shortlist import Shortlist, plain

NAMES = ["", "a", "b", "ab", "[a]", "a*", "*", "?", "[ab]", "[", "]"]
names = st.sampled_from(NAMES)
globs = st.lists(names, max_size=3).map(tuple)
matches = st.builds(Match.model_construct, user=globs, key=globs, team=globs, role=globs, model=globs)
principals = st.builds(Principal, names, names, team=st.none() | names, roles=st.frozensets(names, max_size=3))

ALICE = Principal("alice", "key_1", team="core", roles=frozenset({"admin", "developer"}))


def listed(*matches: Match, who: Principal = ALICE, model: str | None = "gpt-4o") -> list[Match]:
    return list(Shortlist(matches, lambda match: match).of(who, model))


@given(st.lists(matches, max_size=12), principals, st.none() | names)
def test_nothing_that_fits_is_missing_and_the_order_is_kept(
    matches: list[Match], who: Principal, model: str | None
) -> None:
    numbers = Shortlist(range(len(matches)), matches.__getitem__).of(who, model)

    assert list(numbers) == sorted(set(numbers))
    fitting = [number for number, match in enumerate(matches) if selects(match, who, model)]
    assert [number for number in numbers if selects(matches[number], who, model)] == fitting


def test_what_names_others_is_not_asked() -> None:
    for_all, for_alice, for_bob = Match(), Match(user=("alice",)), Match(user=("bob", "carol"))
    assert listed(for_bob, for_alice, for_all) == [for_alice, for_all]
    assert listed(Match(team=("ops",)), Match(role=("support",)), Match(key=("key_2",)), Match(model=("o3",))) == []


def test_what_fits_in_two_ways_is_listed_once() -> None:
    both = Match(role=("admin", "developer"))
    assert listed(both) == [both]


def test_a_glob_beside_plain_names_is_for_anybody() -> None:
    assert listed(mixed := Match(user=("bob", "x*"))) == [mixed]


def test_it_is_filed_under_what_fewest_name() -> None:
    own = [Match(model=("gpt-4o",), user=(name,)) for name in ("alice", "bob", "carol")]
    assert listed(*own) == own[:1]


def test_without_a_model_nothing_that_names_models_is_listed() -> None:
    assert listed(Match(model=("gpt-4o",)), model=None) == []


def test_without_a_team_nothing_that_names_teams_is_listed() -> None:
    assert listed(Match(team=("core",)), who=Principal("bob", "key_2")) == []


@given(names, names)
def test_a_plain_pattern_fits_its_own_name_alone(pattern: str, name: str) -> None:
    if plain(pattern):
        assert fnmatchcase(name, pattern) is (name == pattern)
