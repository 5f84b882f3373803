"""Whose request it is, and where the credential stays (G6, T14-T16, B4, B15): one principal or none."""

import asyncio
import base64
from collections.abc import Callable
from itertools import combinations
from urllib.parse import quote

import pytest

from tests.contract.house import House
from tests.threats.conftest import CHAT, CHAT_BODY, ask
from tests.threats.wire import PATIENCE, Reply, request

pytestmark = pytest.mark.asyncio(loop_scope="module")


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def in_slot(slot: str, key: str) -> tuple[str, str]:
    """A query (with its `?`) and a field that carry `key` there; the one that is not needed is empty."""
    match slot:
        case "query":
            return f"?key={key}", ""
        case "query-encoded":
            return f"?alt=json&%6bey={quote(key, safe='').replace('g', '%67', 1)}", ""
        case "authorization-bearer":
            return "", f"Authorization: Bearer {key}"
        case "authorization-lower":
            return "", f"authorization: bearer {key}"
        case "authorization-basic":
            return "", f"Authorization: {basic('me', key)}"
        case "authorization-bare":
            return "", f"Authorization: {key}"
        case "proxy-basic":
            return "", f"Proxy-Authorization: {basic('me', key)}"
        case "proxy-bearer":
            return "", f"Proxy-Authorization: Bearer {key}"
        case _:
            return "", f"{slot}: {key}"


SLOTS = ["authorization-bearer", "authorization-lower", "authorization-basic", "authorization-bare"]
SLOTS += ["x-api-key", "api-key", "x-goog-api-key", "query", "query-encoded", "proxy-basic", "proxy-bearer"]
ONE_OF_EACH = ["authorization-bearer", "x-api-key", "api-key", "x-goog-api-key", "query", "proxy-basic"]


async def asked(house: House, *slots: tuple[str, str], fields: tuple[str, ...] = ()) -> Reply:
    """The reply to a question that carries these (slot, key) pairs."""
    found = [in_slot(*slot) for slot in slots]
    query = "".join(part for part, _ in found)
    reply = await ask(
        house, request("POST", CHAT + query, *[field for _, field in found if field], *fields, body=CHAT_BODY)
    )
    assert reply is not None
    return reply


@pytest.mark.parametrize("slot", SLOTS)
async def test_a_key_is_taken_from_every_place_where_clients_put_one_and_travels_no_further(
    slot: str, house: House
) -> None:
    house.provider.reset()
    key = house.keys["alice"]

    reply = await asked(house, (slot, key))

    assert reply.status == 200
    assert (await house.row(reply.headers["x-greyfox-request-id"]))["user"] == "alice"
    (entry,) = house.provider.requests
    seen = " ".join([entry.path, *entry.query, *entry.query.values(), *entry.headers, *entry.headers.values()])
    assert key not in seen and key.encode() not in entry.body_bytes
    assert entry.query.keys() <= {"alt"}
    assert entry.headers["authorization"] == "Bearer upstream-secret-openai"
    assert not {"proxy-authorization", "x-api-key", "api-key", "x-goog-api-key"} & entry.headers.keys()


@pytest.mark.parametrize(("first", "second"), list(combinations(ONE_OF_EACH, 2)))
@pytest.mark.parametrize("order", [("alice", "bob"), ("bob", "alice")], ids=["ab", "ba"])
@pytest.mark.usefixtures("untouched")
async def test_two_keys_of_two_people_are_nobodys(
    first: str, second: str, order: tuple[str, str], house: House
) -> None:
    reply = await asked(house, (first, house.keys[order[0]]), (second, house.keys[order[1]]))

    assert (reply.status, reply.code) == (401, "greyfox_unauthenticated")


@pytest.mark.parametrize(("first", "second"), list(combinations(ONE_OF_EACH, 2)))
async def test_the_same_key_in_two_places_is_one(first: str, second: str, house: House) -> None:
    reply = await asked(house, (first, house.keys["alice"]), (second, house.keys["alice"]))

    assert reply.status == 200


@pytest.mark.parametrize("slot", ["authorization-bearer", "x-api-key", "query", "proxy-basic"])
@pytest.mark.usefixtures("untouched")
async def test_a_place_that_occurs_twice_is_no_credential(slot: str, house: House) -> None:
    key = house.keys["alice"]
    query, field = in_slot(slot, key)
    doubled = (query + query.replace("?", "&"), "") if query else ("", f"{field}\r\n{field}")

    reply = await ask(house, request("POST", CHAT + doubled[0], *filter(None, [doubled[1]]), body=CHAT_BODY))

    assert reply is not None
    assert (reply.status, reply.code) == (401, "greyfox_unauthenticated")


@pytest.mark.parametrize("slot", ["authorization-bearer", "x-api-key", "query", "proxy-basic"])
@pytest.mark.usefixtures("untouched")
async def test_a_good_key_beside_a_bad_one_is_refused(slot: str, house: House) -> None:
    other = "api-key" if slot != "api-key" else "x-api-key"

    reply = await asked(house, (slot, "gf_" + "A" * 43), (other, house.keys["alice"]))

    assert (reply.status, reply.code) == (401, "greyfox_unauthenticated")


WRONG: dict[str, Callable[[str], str]] = {
    "unknown": lambda key: "gf_" + "A" * 43,
    "no-prefix": lambda key: key.removeprefix("gf_"),
    "another-prefix": lambda key: "sk-" + key[3:],
    "cut": lambda key: key[:-1],
    "longer": lambda key: key + "A",
    "upper": lambda key: key.upper(),
    "lower": lambda key: key.lower(),
    "spaced": lambda key: key[:10] + " " + key[10:],
    "quoted": lambda key: f'"{key}"',
    "sql": lambda key: "gf_' OR '1'='1",
    "like": lambda key: "gf_%",
    "backslash": lambda key: "gf_\\",
    "long": lambda key: "gf_" + "A" * 20_000,
    "placeholder": lambda key: "YOUR_GREYFOX_KEY",
    "jwt-of-nobody": lambda key: "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.",
}


@pytest.mark.parametrize("slot", ["authorization-bearer", "x-api-key", "proxy-basic", "query-encoded"])
@pytest.mark.parametrize("name", WRONG)
@pytest.mark.usefixtures("untouched")
async def test_what_is_no_key_opens_nothing_and_is_told_nothing(name: str, slot: str, house: House) -> None:
    unknown = await asked(house, (slot, "gf_" + "B" * 43))

    reply = await asked(house, (slot, WRONG[name](house.keys["alice"])))

    assert (reply.status, reply.code) == (401, "greyfox_unauthenticated")
    assert without_id(reply) == without_id(unknown)  # which of the reasons it was, nobody learns


async def test_a_revoked_and_an_expired_key_are_told_what_an_unknown_one_is(house: House) -> None:
    revoked = await house.gateway.create_key("carol")
    expired = await house.gateway.create_key("dave", expires="1s")
    listed = (await house.gateway.cli("key", "list", "--json")).json()
    (carol,) = [row["id"] for row in listed if row["user"] == "carol"]
    assert (await house.gateway.cli("key", "revoke", carol)).code == 0
    unknown = await asked(house, ("x-api-key", "gf_" + "B" * 43))

    for key in (revoked, expired):
        async with asyncio.timeout(PATIENCE):  # both hold within a second or so
            while (reply := await asked(house, ("x-api-key", key))).status == 200:
                pass
        assert (reply.status, without_id(reply)) == (401, without_id(unknown))


@pytest.mark.usefixtures("untouched")
async def test_a_caller_cannot_name_itself(house: House) -> None:
    fields = ("x-greyfox-user: alice", "x-greyfox-key-id: 1", "x-forwarded-user: alice", "from: alice@example.test")

    reply = await asked(house, fields=fields)

    assert (reply.status, reply.code) == (401, "greyfox_unauthenticated")


async def test_nothing_that_names_the_caller_goes_upstream(house: House) -> None:
    house.provider.reset()
    key = house.keys["alice"]
    fields = (
        f"Referer: http://gateway/?key={key}",
        f"Cookie: key={key}",
        f"X-Custom: {key}",
        "X-Forwarded-For: 10.1.2.3",
        "Forwarded: for=10.1.2.3",
        "Via: 1.1 alices-laptop",
        "OpenAI-Organization: org-of-alice",
        "X-GreyFox-Tags: project=secret-project",
        "Connection: keep-alive, X-Hop",
        "X-Hop: hop-by-hop",
        "Keep-Alive: timeout=5",
        "TE: trailers",
        "X-Kept: yes",
    )

    reply = await asked(house, ("authorization-bearer", key), fields=fields)

    assert reply.status == 200
    (entry,) = house.provider.requests
    assert entry.headers["x-kept"] == "yes"
    seen = " ".join([*entry.headers, *entry.headers.values()]).lower()
    for word in (key.lower(), "greyfox", "alice", "10.1.2.3", "secret-project", "x-hop", "hop-by-hop", "timeout=5"):
        assert word not in seen


def without_id(reply: Reply) -> bytes:
    return reply.body.replace(reply.headers["x-greyfox-request-id"].encode(), b"")
