import base64
from itertools import combinations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from greyfox_core.auth.credentials import LONGEST, Presented, collect, proxy_credential, strip
from greyfox_core.auth.keys import new_key
from greyfox_core.errors import Unauthenticated
from greyfox_core.values.http import RequestHead, Way

KEY = new_key(lambda n: bytes(range(n)))
OTHER = new_key(lambda n: bytes(n))
SLOTS = ["bearer", "x-api-key", "api-key", "x-goog-api-key", "query", "proxy-basic", "proxy-bearer"]


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def head(*fields: tuple[str, str], query: str = "") -> RequestHead:
    return RequestHead("POST", "/v1/chat/completions", query, fields, Way.BASE_URL)


def in_slot(slot: str, credential: str) -> tuple[tuple[tuple[str, str], ...], str]:
    """Fields and query that present `credential` in that slot."""
    match slot:
        case "bearer":
            return (("authorization", f"Bearer {credential}"),), ""
        case "query":
            return (), f"key={credential}"
        case "proxy-basic":
            return (("proxy-authorization", basic("client", credential)),), ""
        case "proxy-bearer":
            return (("proxy-authorization", f"Bearer {credential}"),), ""
        case name:
            return ((name, credential),), ""


def no_jwt(_: str) -> bool:
    return False


def read(*fields: tuple[str, str], query: str = "") -> Presented:
    return collect(head(*fields, query=query), no_jwt)


@pytest.mark.parametrize("slot", SLOTS)
def test_a_key_is_found_in_every_slot(slot: str) -> None:
    fields, query = in_slot(slot, KEY)
    presented = read(*fields, query=query)
    assert presented.foreign == ()
    if slot.startswith("proxy"):
        assert presented == Presented(KEY, (), ())
    else:
        assert presented == Presented(None, (KEY,), ())


@pytest.mark.parametrize(("one", "other"), list(combinations(SLOTS[:6], 2)))
def test_both_of_any_two_slots_are_found(one: str, other: str) -> None:
    (fields, query), (more, more_query) = in_slot(one, KEY), in_slot(other, OTHER)
    presented = read(*fields, *more, query=query or more_query)
    assert {presented.proxy, *presented.own} - {None} == {KEY, OTHER}


@pytest.mark.parametrize("slot", SLOTS)
def test_a_slot_that_occurs_twice_is_refused_even_with_one_credential(slot: str) -> None:
    fields, query = in_slot(slot, KEY)
    with pytest.raises(Unauthenticated):
        read(*fields, *fields, query=f"{query}&{query}" if query else "")


@pytest.mark.parametrize("slot", SLOTS[:4])
def test_another_credential_is_the_callers_own(slot: str) -> None:
    fields, _ = in_slot(slot, "sk-upstream")
    assert read(*fields) == Presented(None, (), fields)


def test_a_foreign_credential_of_the_query_becomes_a_field() -> None:
    assert read(query="alt=sse&key=AIza%2D1").foreign == (("x-goog-api-key", "AIza-1"),)
    assert read(("x-goog-api-key", "AIza-1"), query="key=AIza-1").foreign == (("x-goog-api-key", "AIza-1"),)
    with pytest.raises(Unauthenticated):
        read(("x-goog-api-key", "AIza-1"), query="key=AIza-2")


@pytest.mark.parametrize("smuggled", ["a%0d%0ax-evil:+1", "a%20b", "a%00", "%ff", "a+b", "ä"])
def test_nothing_can_be_smuggled_into_a_field_by_the_query(smuggled: str) -> None:
    with pytest.raises(Unauthenticated):
        read(query=f"key={smuggled}")


def test_a_token_of_a_configured_issuer_is_greyfoxs_own_and_others_are_not() -> None:
    fields = ("authorization", "Bearer a.b.c"), ("x-api-key", "d.e.f")
    assert collect(head(*fields), "a.b.c".__eq__) == Presented(None, ("a.b.c",), (("x-api-key", "d.e.f"),))


@pytest.mark.parametrize(
    "mangled",
    [
        "gf_",
        KEY[:-1],
        KEY.upper(),
        KEY.lower(),
        f"{KEY} {KEY}",
        f"{KEY}, {OTHER}",
        f"x{KEY}",
        f"sk-{KEY}",
    ],
)
def test_a_mangled_key_is_still_ours_and_never_travels_upstream(mangled: str) -> None:
    assert read(("x-api-key", mangled)) == Presented(None, (mangled,), ())


def test_a_key_in_the_wrong_half_of_basic_never_travels_upstream() -> None:
    for value in (basic(KEY, "x"), basic(KEY, ""), basic("u", KEY)):
        presented = read(("authorization", value))
        assert presented.foreign == ()
        assert len(presented.own) == 1
    assert read(("authorization", basic("u", "p"))).foreign == (("authorization", basic("u", "p")),)


@pytest.mark.parametrize("value", ["", "  ", "Bearer", "Bearer ", "Basic ", "Basic ???", "Basic /w=="])
def test_an_empty_or_unreadable_slot_presents_nothing(value: str) -> None:
    assert read(("authorization", value)) == Presented(None, (), ())
    assert read(("x-api-key", "  "), query="key=") == Presented(None, (), ())


def test_a_huge_credential_is_refused() -> None:
    for field in ("x-api-key", "authorization", "proxy-authorization"):
        with pytest.raises(Unauthenticated):
            read((field, "gf_" + "A" * LONGEST))


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
def test_schemes_are_told_in_any_case(scheme: str) -> None:
    assert read(("authorization", f"{scheme} {KEY}")).own == (KEY,)
    assert read(("proxy-authorization", basic("x", KEY).replace("Basic", "bAsIc"))).proxy == KEY


class TestConnect:
    @pytest.mark.parametrize("user", ["alice", "", "a b", "ü"])
    def test_the_password_is_the_key_whoever_the_user(self, user: str) -> None:
        assert proxy_credential((("proxy-authorization", basic(user, KEY)),)) == KEY

    def test_a_password_may_hold_colons(self) -> None:
        assert proxy_credential((("proxy-authorization", basic("u", "a:b")),)) == "a:b"

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "Basic",
            "Basic " + base64.b64encode(b"nocolon").decode(),
            "Basic not base64!",
            "Basic " + base64.b64encode(b"\xff\xfe:x").decode(),
            basic("alice", ""),
            "Bearer",
            "Bearer ",
        ],
    )
    def test_what_holds_no_credential_is_refused(self, value: str) -> None:
        with pytest.raises(Unauthenticated):
            proxy_credential((("proxy-authorization", value),))
        with pytest.raises(Unauthenticated):
            read(("proxy-authorization", value))

    def test_other_slots_do_not_count_and_two_fields_are_refused(self) -> None:
        field = ("proxy-authorization", basic("a", KEY))
        for fields in ((), (("authorization", f"Bearer {KEY}"),), (field, field)):
            with pytest.raises(Unauthenticated):
                proxy_credential(fields)


class TestStrip:
    @pytest.mark.parametrize("slot", SLOTS)
    def test_no_slot_is_left(self, slot: str) -> None:
        fields, query = in_slot(slot, "sk-mine")
        headers, left = strip(head(("accept", "*/*"), *fields, query=query))
        assert headers == (("accept", "*/*"),)
        assert left == ""

    def test_cookies_and_greyfoxs_own_fields_go(self) -> None:
        fields = ("cookie", "a=b"), ("x-greyfox-tags", "a=b"), ("x-greyfox-cache-ttl", "1"), ("x-other", "y")
        assert strip(head(*fields))[0] == (("x-other", "y"),)

    def test_the_rest_of_the_query_stays_byte_for_byte(self) -> None:
        assert strip(head(query="alt=sse&key=x&a=%2f&&b&keys=1"))[1] == "alt=sse&a=%2f&&b&keys=1"
        assert strip(head(query="%6bey=x&a=1"))[1] == "a=1"

    @pytest.mark.parametrize("place", ["referer", "x-any"])
    def test_a_key_in_any_other_place_goes_too(self, place: str) -> None:
        headers, query = strip(head((place, f"https://x/?key={KEY}"), query=f"token={KEY}&t=%67f_{KEY[3:]}&a=1"))
        assert headers == ()
        assert query == "a=1"

    @given(
        st.lists(st.tuples(st.sampled_from(["authorization", "x-api-key", "cookie", "x-a", "referer"]), st.text())),
        st.text(),
    )
    @example([("x-a", f"...{KEY}...")], f"a={KEY}&key=1")
    def test_whatever_comes_no_key_is_left(self, fields: list[tuple[str, str]], query: str) -> None:
        planted = [*fields, ("x-a", f"{query}{KEY}"), ("authorization", KEY)]
        headers, left = strip(head(*planted, query=f"{query}&{KEY}"))
        assert KEY not in left
        assert all(KEY not in value for _, value in headers)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key"]),
            st.text() | st.sampled_from(["Basic ", "Bearer ", "Basic Og==", "gf_", KEY]),
        ),
        max_size=4,
    ),
    st.text() | st.just(f"key={KEY}"),
)
def test_whatever_is_presented_it_is_read_or_refused(fields: list[tuple[str, str]], query: str) -> None:
    try:
        presented = read(*fields, query=query)
    except Unauthenticated:
        return
    assert all(KEY not in value for _, value in presented.foreign)
    assert all(value.isprintable() and value.isascii() for _, value in presented.foreign)
