"""Who may have a tunnel to where. The address is judged once, here, and it is the one that may be dialled."""

from types import SimpleNamespace
from typing import Any

import pytest

from greyfox_core.errors import BadRequest, Forbidden, Refused, Unauthenticated
from greyfox_core.forwarding.addresses import TunnelPolicy
from greyfox_core.metrics import Metrics
from greyfox_core.steps.connect import Connector
from greyfox_core.values.http import Headers
from greyfox_core.values.principal import Principal
from greyfox_core.values.tunnel import Tunnel

ALICE = Principal("alice", "k1")


class Doorkeeper:
    """Knows alice."""

    async def connect(self, headers: Headers) -> Principal:
        if headers != (("proxy-authorization", "alice"),):
            raise Unauthenticated("no")
        return ALICE


class Resolver:
    """Knows every name, and remembers which it was asked for."""

    def __init__(self, address: str) -> None:
        self._address = address
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        return [self._address]


async def asked(
    host: str, port: int, *, resolver: Resolver | None = None, who: str = "alice", allow: Any = (), **proxy: str
) -> Tunnel:
    settings = SimpleNamespace(**{"unknown_hosts": "tunnel", "shadow": "observe"} | proxy)
    rules: Any = SimpleNamespace(
        hosts={"api.openai.test": "openai"},
        upstream=lambda name: SimpleNamespace(base_url="https://api.openai.test:8443/v1"),
        tunnels=TunnelPolicy(tuple(allow)),
        config=SimpleNamespace(proxy=settings),
    )
    doorkeeper: Any = Doorkeeper()
    connector = Connector(doorkeeper, Metrics(), resolver or Resolver("1.1.1.1"))
    return await connector(host, port, (("proxy-authorization", who),), rules)


@pytest.mark.parametrize("host", ["api.openai.test", "API.OpenAI.test", "api.openai.test."])
async def test_a_governed_host_is_intercepted_and_nothing_may_be_dialled(host: str) -> None:
    resolver = Resolver("1.1.1.1")

    tunnel = await asked(host, 443, resolver=resolver)

    assert tunnel == Tunnel("api.openai.test", 443, "openai", ALICE, address=None)
    assert resolver.asked == []


@pytest.mark.parametrize("port", [80, 443, 8443])
async def test_a_governed_host_is_intercepted_on_the_ports_where_it_can_be_meant(port: int) -> None:
    assert (await asked("api.openai.test", port)).upstream == "openai"


async def test_a_governed_host_is_no_way_to_its_other_ports() -> None:
    with pytest.raises(Forbidden):
        await asked("api.openai.test", 22)


async def test_another_host_is_reached_at_the_address_that_was_judged() -> None:
    assert await asked("example.test", 443) == Tunnel("example.test", 443, None, ALICE, address="1.1.1.1")


@pytest.mark.parametrize(
    ("host", "port", "options", "reason"),
    [
        ("example.test", 443, {"who": "bob"}, Unauthenticated),
        ("api.openai.test", 443, {"who": "bob"}, Unauthenticated),
        ("example.test", 443, {"resolver": Resolver("127.0.0.1")}, Forbidden),
        ("example.test", 22, {}, Forbidden),
        ("example.test", 443, {"unknown_hosts": "deny"}, Forbidden),
        ("api.mistral.ai", 443, {"shadow": "deny"}, Forbidden),
        ("", 443, {}, BadRequest),
        (".", 443, {}, BadRequest),
        ("a" * 254, 443, {}, BadRequest),
        ("example.test", 0, {}, BadRequest),
        ("example.test", 65_536, {}, BadRequest),
    ],
)
async def test_who_or_where_to_can_be_wrong(
    host: str, port: int, options: dict[str, Any], reason: type[Refused]
) -> None:
    with pytest.raises(reason):
        await asked(host, port, **options)


async def test_a_stranger_makes_nobody_resolve_a_name() -> None:
    resolver = Resolver("1.1.1.1")

    with pytest.raises(Unauthenticated):
        await asked("example.test", 443, resolver=resolver, who="mallory")

    assert resolver.asked == []


@pytest.mark.parametrize("unknown_hosts", ["tunnel", "deny"])
async def test_what_the_operator_names_is_reached_wherever_it_is(unknown_hosts: str) -> None:
    inside = Resolver("10.0.0.1")

    tunnel = await asked("files.test", 8443, resolver=inside, allow=["files.test:8443"], unknown_hosts=unknown_hosts)

    assert tunnel.address == "10.0.0.1"


async def test_shadow_use_is_let_through_where_it_is_only_observed() -> None:
    assert (await asked("api.mistral.ai", 443)).address == "1.1.1.1"
