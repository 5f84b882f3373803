"""Which header fields cross the gateway."""

import pytest

from greyfox_core.forwarding.headers import CREDENTIALS, HOP_BY_HOP, answer_headers, upstream_headers

KEY = "upstream-key"


def names(fields: list[tuple[str, str]]) -> set[str]:
    return {name for name, _ in fields}


@pytest.mark.parametrize(
    ("auth", "field"),
    [
        ("bearer", ("authorization", f"Bearer {KEY}")),
        ("x-api-key", ("x-api-key", KEY)),
        ("api-key", ("api-key", KEY)),
        ("x-goog-api-key", ("x-goog-api-key", KEY)),
    ],
)
def test_the_upstreams_own_key_takes_the_place_of_every_credential(auth: str, field: tuple[str, str]) -> None:
    caller = tuple((name, "the caller's") for name in sorted(CREDENTIALS))

    sent = upstream_headers(caller, key=KEY, auth=auth, passthrough=(("authorization", "Bearer own"),))

    assert sent == [("accept-encoding", "identity"), field]


def test_without_a_key_the_callers_own_credential_passes() -> None:
    own = (("x-api-key", "own"), ("authorization", "Bearer own"))

    assert upstream_headers((), key="", auth="bearer", passthrough=own) == [("accept-encoding", "identity"), *own]


def test_an_upstream_without_authentication_gets_no_key() -> None:
    assert upstream_headers((), key=KEY, auth="none") == [("accept-encoding", "identity")]


@pytest.mark.parametrize("key", [KEY, ""])
@pytest.mark.parametrize(
    "name",
    sorted(
        HOP_BY_HOP
        | CREDENTIALS
        | {"host", "content-length", "content-encoding", "expect", "forwarded", "via", "x-real-ip", "origin"}
        | {"referer", "cache-control", "x-greyfox-tags", "x-forwarded-for", "x-forwarded-proto", "proxy-anything"}
    ),
)
def test_what_is_between_caller_and_gateway_stays_there(name: str, key: str) -> None:
    assert name not in names(upstream_headers(((name, "x"), ("x-kept", "y")), key=key, auth="bearer")) - {
        "authorization" if key else ""
    }


@pytest.mark.parametrize("name", ["openai-organization", "openai-project", "x-goog-user-project"])
def test_what_describes_a_keys_owner_goes_with_that_owners_key_only(name: str) -> None:
    assert name not in names(upstream_headers(((name, "x"),), key=KEY, auth="bearer"))
    assert name in names(upstream_headers(((name, "x"),), key="", auth="bearer"))


def test_what_connection_names_is_hop_by_hop_too() -> None:
    caller = (("connection", "close, X-Hop ,x-other"), ("x-hop", "1"), ("x-other", "2"), ("x-kept", "3"))

    assert names(upstream_headers(caller, key=KEY, auth="none")) == {"x-kept", "accept-encoding"}


def test_order_and_repetition_are_kept_and_the_operators_fields_prevail() -> None:
    caller = (("accept", "a"), ("anthropic-beta", "x"), ("anthropic-beta", "y"), ("user-agent", "z"))

    sent = upstream_headers(caller, key="", auth="none", extra={"user-agent": "ours", "api-version": "1"})

    assert sent == [
        ("accept", "a"),
        ("anthropic-beta", "x"),
        ("anthropic-beta", "y"),
        ("accept-encoding", "identity"),
        ("user-agent", "ours"),
        ("api-version", "1"),
    ]


@pytest.mark.parametrize(
    "name",
    [
        "connection",
        "keep-alive",
        "transfer-encoding",
        "content-length",
        "content-encoding",
        "set-cookie",
        "server",
        "via",
        "alt-svc",
        "strict-transport-security",
        "openai-organization",
        "anthropic-organization-id",
        "x-should-retry",
        "cache-status",
        "age",
        "x-greyfox-user",
        "x-ratelimit-remaining-tokens",
        "anthropic-ratelimit-tokens-reset",
        "cf-ray",
        "x-envoy-decorator",
    ],
)
def test_nothing_about_the_shared_key_or_the_upstreams_framing_goes_down(name: str) -> None:
    assert answer_headers([(name, "x"), ("x-kept", "y")]) == [("x-kept", "y")]


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("retry-after", "0", True),
        ("retry-after", "60", True),
        ("retry-after", "1.5", True),
        ("retry-after", "61", False),
        ("retry-after", "1000000000", False),
        ("retry-after", "-1", False),
        ("retry-after", "Wed, 25 Nov 2026 00:00:00 GMT", False),
        ("retry-after", "1.2.3", False),
        ("retry-after", "", False),
        ("retry-after", ".", False),
        ("retry-after", "٣", False),
        ("retry-after-ms", "60000", True),
        ("retry-after-ms", "60001", False),
    ],
)
def test_a_wish_to_wait_passes_where_it_is_short(name: str, value: str, kept: bool) -> None:
    assert bool(answer_headers([(name, value)])) is kept
