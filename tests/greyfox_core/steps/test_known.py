"""What is remembered of heads and bodies, and what never is: only what would be decided the same way again."""

from datetime import UTC, datetime

import pytest

from greyfox_core.steps.known import BODIES, HEADS, LONGEST_BODY, LONGEST_HEAD
from greyfox_core.values.exchange import Exchange
from tests.greyfox_core.steps.conftest import BODY, Build, House

WEIGHTED = [
    {
        "name": "both",
        "when": {"model": "gpt-4o"},
        "use": [{"model": "openai/gpt-4o", "weight": 1}, {"model": "openai/gpt-4o-mini", "weight": 1}],
    }
]
BY_TOKENS = [{"name": "long", "when": {"input_tokens": "> 1000"}, "use": "openai/gpt-4o-mini"}]
BY_MODEL = [{"name": "mine", "when": {"model": "gpt-4o"}, "use": "openai/gpt-4o-mini"}]


def remembered(house: House, *fields: str) -> Exchange:
    """What a head led to, and may be remembered of it."""
    head = house.head(*fields)
    exchange = house.decided(head)
    house.app.known.remember(head, exchange)
    return exchange


def again(house: House, *fields: str) -> Exchange | None:
    """The exchange of such a head where it is known; None where it must be decided anew."""
    known = house.app.known.recall(house.head(*fields), house.app.rules)
    return None if known is None else house.app.ingress.open_known(known)


def test_a_known_head_says_what_it_said_before(house: House) -> None:
    first = remembered(house, "X-GreyFox-Tags: project=search", "User-Agent: test")
    second = again(house, "X-GreyFox-Tags: project=search", "User-Agent: test")

    assert second is not None
    assert second.id != first.id
    for name in ("head", "principal", "controls", "endpoint", "addressed", "key", "rules", "passthrough"):
        assert getattr(second, name) == getattr(first, name), name
    assert house.key not in repr(second.head)


def test_another_length_is_no_other_head_and_any_other_byte_is(house: House) -> None:
    remembered(house)

    assert house.app.known.recall(house.head(length=7), house.app.rules) is not None
    assert again(house, "X-More: 1") is None


async def test_a_revoked_key_is_not_known_any_more(house: House) -> None:
    key = remembered(house).key
    assert key is not None
    await house.app.store.keys.revoke(key.id, datetime.now(UTC))

    assert again(house) is None


def test_another_configuration_knows_nothing(house: House) -> None:
    remembered(house)
    head = house.head()
    other = object()

    assert house.app.known.recall(head, other) is None  # type: ignore[arg-type]
    assert house.app.known.recall(head, house.app.rules) is not None


async def test_a_caller_with_a_credential_of_its_own_beside_the_key_is_not_remembered(build: Build) -> None:
    house = await build(upstreams={"openai": {"dialect": "openai", "base_url": "http://127.0.0.1:9/v1", "api_key": ""}})
    basic = "Proxy-Authorization: Bearer " + house.key
    exchange = remembered(house, basic, "Authorization: Bearer sk-own-key")

    assert exchange.principal is not None and exchange.passthrough
    assert again(house, basic, "Authorization: Bearer sk-own-key") is None


def test_who_is_refused_is_not_remembered(house: House) -> None:
    exchange = remembered(house, "Authorization: Bearer gf_wrong")

    assert exchange.answered
    assert again(house, "Authorization: Bearer gf_wrong") is None


def test_a_long_head_is_not_remembered(house: House) -> None:
    long = "X-Long: " + "a" * LONGEST_HEAD
    remembered(house, long)

    assert again(house, long) is None


def test_heads_are_bounded(house: House) -> None:
    exchange = remembered(house)
    known = house.app.known
    for n in range(3 * HEADS):
        head = house.head()
        head.raw = b"%d" % n
        known.remember(head, exchange)

    assert len(known.parsed) == HEADS
    assert len(known._known) <= 2 * HEADS


# --- bodies


async def decided_twice(house: House, body: bytes = BODY) -> bool:
    """Whether the second body is known from the first."""
    remembered(house)
    found = []
    for _ in range(2):
        exchange = again(house)
        assert exchange is not None
        await house.app.resolve(exchange, body)
        found.append(exchange.decided)
    assert found[0] is not None
    return found[0] is found[1]


async def test_the_same_body_leads_to_the_same(house: House) -> None:
    assert await decided_twice(house)


async def test_a_rule_that_always_says_the_same_may_be_remembered(build: Build) -> None:
    assert await decided_twice(await build(routes=BY_MODEL))


@pytest.mark.parametrize("routes", [WEIGHTED, BY_TOKENS], ids=["weighted", "by-tokens"])
async def test_what_may_be_decided_otherwise_the_next_time_is_not_remembered(
    build: Build, routes: list[object]
) -> None:
    assert not await decided_twice(await build(routes=routes))


async def test_a_long_body_is_not_remembered(house: House) -> None:
    assert not await decided_twice(house, BODY + b" " * LONGEST_BODY)


async def test_a_body_is_known_for_its_own_head_only(house: House) -> None:
    remembered(house)
    remembered(house, "X-GreyFox-Tags: project=web")
    one, other = again(house), again(house, "X-GreyFox-Tags: project=web")
    assert one is not None and other is not None
    await house.app.resolve(one, BODY)
    await house.app.resolve(other, BODY)

    assert (one.tags, other.tags) == ({}, {"project": "web"})


async def test_bodies_are_bounded(house: House) -> None:
    remembered(house)
    padding = b" " * (LONGEST_BODY - len(BODY) - 10)
    for n in range(2 * BODIES // LONGEST_BODY):
        exchange = again(house)
        assert exchange is not None
        await house.app.resolve(exchange, BODY + padding + b" " * (n % 10) + b"\n" * (n // 10))

    assert house.app.resolve._bodies._decided.currsize <= BODIES
