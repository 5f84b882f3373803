"""Controls of the caller, scopes, exclusions."""

import pytest

from greyfox_core.cache.policy import CacheControl, controls_of, excluded, models_of, scope_of
from greyfox_core.config.schema import CachePart, Exclusion
from greyfox_core.values.endpoint import Access, Endpoint
from greyfox_core.values.http import Headers, RequestHead, Way
from greyfox_core.values.principal import Principal
from greyfox_core.values.target import Target

CONFIG = CachePart()
CHAT = Endpoint("openai", "openai-chat", "generate", Access.METERED, "/chat/completions")
GEMINI = Endpoint("gemini", "gemini", "embed", Access.METERED, "/v1beta/models/{model}:embedContent", "text-004")
TARGET = Target("openai", "gpt-4o-search-preview")


def head(*headers: tuple[str, str], path: str = "/v1/chat/completions") -> RequestHead:
    return RequestHead("POST", path, "", headers, Way.BASE_URL)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], CacheControl()),
        (["no-cache"], CacheControl(no_cache=True)),
        (["No-Store"], CacheControl(no_store=True)),
        (["only-if-cached, max-age=60"], CacheControl(only_if_cached=True, max_age=60)),
        (["no-cache", "max-age=0"], CacheControl(no_cache=True, max_age=0)),
        (['max-age="60"'], CacheControl(max_age=60)),
        (["max-age=5, max-age=9"], CacheControl(max_age=5)),
        (["max-age=99999999999"], CacheControl(max_age=2**31)),
        (["max-age"], CacheControl()),
        (["max-age=-1"], CacheControl()),
        (["max-age=1.5"], CacheControl()),
        (["max-age=٣"], CacheControl()),
        (["max-age=x, no-cache"], CacheControl(no_cache=True)),
        (["max-stale=5, private, , =, no-cached"], CacheControl()),
    ],
)
def test_cache_control_of_a_request(values: list[str], expected: CacheControl) -> None:
    assert CacheControl.of(values) == expected


@pytest.mark.parametrize(
    ("asked", "ttl"),
    [(None, 3600), ("90", 90), ("15m", 900), ("30d", 86_400), ("0", 0), ("-5", 3600), ("soon", 3600), ("", 3600)],
)
def test_a_ttl_is_taken_within_the_operators_bound(asked: str | None, ttl: float) -> None:
    headers = () if asked is None else (("x-greyfox-cache-ttl", asked),)
    assert controls_of(head(*headers), CONFIG).ttl == ttl


def test_tags_are_bounded_in_number_and_form() -> None:
    given = ",".join(f"tag-{number}" for number in range(30))
    controls = controls_of(head(("x-greyfox-cache-tags", f"a b, {given}"), ("x-greyfox-cache-tags", "late")), CONFIG)
    assert controls.tags == {f"tag-{number}" for number in range(16)}


@pytest.mark.parametrize("namespace", ["a b", "x" * 65, "ü", "a\x00"])
def test_a_namespace_that_cannot_be_read_keeps_the_request_out(namespace: str) -> None:
    assert controls_of(head(("x-greyfox-cache-namespace", namespace)), CONFIG).refused == "namespace"


def test_a_namespace_is_kept() -> None:
    controls = controls_of(head(("x-greyfox-cache-namespace", "run-7")), CONFIG)
    assert (controls.namespace, controls.refused) == ("run-7", None)


def test_an_operator_can_switch_the_controls_off() -> None:
    config = CachePart(request_controls=False)
    everything = head(
        ("cache-control", "no-store"),
        ("x-greyfox-cache-ttl", "1"),
        ("x-greyfox-cache-namespace", "a b"),
        ("x-greyfox-cache-tags", "t"),
    )
    controls = controls_of(everything, config)
    assert controls == controls_of(head(), config)


ALICE = Principal("alice", "k1", team="core")
BOB = Principal("bob", "k2", team="core")
LONER = Principal("carol", "k3")
KEY: Headers = (("authorization", "Bearer sk-alice"),)


def test_a_scope_is_shared_by_exactly_those_it_names() -> None:
    assert scope_of(ALICE, "global", ()) == scope_of(LONER, "global", ())
    assert scope_of(ALICE, "team", ()) == scope_of(BOB, "team", ())
    assert scope_of(ALICE, "team", ()) != scope_of(LONER, "team", ())
    assert scope_of(ALICE, "user", ()) != scope_of(BOB, "user", ())
    assert scope_of(ALICE, "key", ()) != scope_of(Principal("alice", "k9", team="core"), "key", ())
    assert scope_of(ALICE, "user", ()) == scope_of(Principal("alice", "k9", team="else"), "user", ())


def test_a_caller_without_a_team_is_alone_under_team() -> None:
    assert scope_of(LONER, "team", ()) == scope_of(LONER, "user", ())
    assert scope_of(LONER, "team", ()) != scope_of(Principal("dave", "k4"), "team", ())


def test_an_empty_team_is_a_team_of_its_own() -> None:
    assert scope_of(Principal("x", "k", team=""), "team", ()) != scope_of(Principal("x", "k"), "team", ())


def test_a_team_is_never_taken_for_a_user_of_its_name() -> None:
    assert scope_of(Principal("x", "k", team="alice"), "team", ()) != scope_of(Principal("alice", "k"), "team", ())
    assert scope_of(Principal("x", "k", team="alice|user:bob"), "team", ()) != scope_of(
        Principal("bob", "k"), "user", ()
    )


def test_users_of_one_issuer_do_not_share_a_key() -> None:
    one, other = Principal("alice", "jwt:https://sso"), Principal("bob", "jwt:https://sso")
    assert scope_of(one, "key", ()) != scope_of(other, "key", ())
    assert scope_of(Principal("b:c", "a"), "key", ()) != scope_of(Principal("c", "a:b"), "key", ())


def test_a_passed_through_credential_narrows_every_scope_and_is_not_in_it() -> None:
    for scope in ("global", "team", "user", "key"):
        narrowed = scope_of(ALICE, scope, KEY)
        assert narrowed != scope_of(ALICE, scope, ())
        assert narrowed != scope_of(ALICE, scope, (("authorization", "Bearer sk-bob"),))
        assert narrowed == scope_of(ALICE, scope, KEY)
        assert "sk-alice" not in narrowed


@pytest.mark.parametrize(
    ("exclusion", "fits"),
    [
        (Exclusion(path="/v1/chat/completions"), True),
        (Exclusion(path="/v1/*"), True),
        (Exclusion(path="/v1/embeddings"), False),
        (Exclusion(model="*-search-*"), True),
        (Exclusion(model="fast"), True),
        (Exclusion(model="openai/*"), True),
        (Exclusion(model="gpt-4o"), False),
        (Exclusion(route="hr"), True),
        (Exclusion(route="h?"), True),
        (Exclusion(route="default"), False),
        (Exclusion(route="hr", model="*-search-*", path="/v1/chat/*"), True),
        (Exclusion(route="hr", model="gpt-4o"), False),
    ],
)
def test_an_exclusion_fits_in_all_that_it_names(exclusion: Exclusion, fits: bool) -> None:
    assert excluded((exclusion,), head(), CHAT, models_of("fast", TARGET), "hr") is fits


def test_any_exclusion_is_enough_and_none_excludes_nothing() -> None:
    several = (Exclusion(route="x"), Exclusion(model="fast"))
    assert excluded(several, head(), CHAT, models_of("fast", TARGET), "hr")
    assert not excluded((), head(), CHAT, models_of("fast", TARGET), "hr")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/openai/v1/chat/completions", "/v1/v1/chat/completions"])
def test_a_path_is_excluded_whichever_way_it_came(path: str) -> None:
    exclusion = Exclusion(path="/v1/chat/completions")
    assert excluded((exclusion,), head(path=path), CHAT, models_of("fast", TARGET), "hr")


def test_a_gemini_path_is_matched_with_its_model() -> None:
    exclusion = Exclusion(path="/v1beta/models/*:embedContent")
    came = head(path="/gemini/v1beta/models/text-004:embedContent")
    assert excluded((exclusion,), came, GEMINI, models_of("text-004", Target("gemini", "text-004")), "default")
