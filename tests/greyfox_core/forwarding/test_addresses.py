"""Which addresses a tunnel may reach; the resolver is ours here."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greyfox_core.errors import Forbidden
from greyfox_core.forwarding.addresses import TunnelPolicy, by_system, is_public


class Resolver:
    """Answers from a list, one entry a call, the last one for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append((host, port))
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


async def unknown(host: str, port: int) -> list[str]:
    raise OSError("no such name")


async def unspeakable(host: str, port: int) -> list[str]:
    raise UnicodeError("label too long")


PUBLIC = ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"]
PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00::1",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2001:0:7f00:1::80ff:fffe",
    "::7f00:1",
    "localhost",
    "2130706433",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_open_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_no_other_address_is_in_whatever_disguise(address: str) -> None:
    assert not is_public(address)


@given(st.integers(0, 2**32 - 1))
def test_an_address_is_no_more_public_in_ipv6_than_in_ipv4(number: int) -> None:
    plain = IPv4Address(number)
    for disguise in (0xFFFF << 32, 0x64FF9B << 96, 0):
        inner = IPv6Address(disguise | number)
        assert not is_public(str(inner)) or is_public(str(plain))
    assert not is_public(str(IPv6Address(0x2002 << 112 | number << 80))) or is_public(str(plain))


async def test_the_address_that_was_judged_is_the_one_to_dial() -> None:
    resolver = Resolver(["1.1.1.1"], ["127.0.0.1"])  # rebinding: another answer a moment later

    assert await TunnelPolicy().address_for("rebinding.test", 443, resolver) == "1.1.1.1"
    assert resolver.asked == [("rebinding.test", 443)]
    with pytest.raises(Forbidden):
        await TunnelPolicy().address_for("rebinding.test", 443, resolver)


async def test_of_several_addresses_only_a_public_one_is_dialled() -> None:
    assert await TunnelPolicy().address_for("mixed.test", 443, Resolver(["10.0.0.1", "::1", "1.1.1.1"])) == "1.1.1.1"


@pytest.mark.parametrize("port", [1, 22, 25, 80, 442, 444, 8443])
async def test_another_port_is_refused_before_anything_is_resolved(port: int) -> None:
    resolver = Resolver(["1.1.1.1"])

    with pytest.raises(Forbidden, match=r"443 only"):
        await TunnelPolicy().address_for("public.test", port, resolver)

    assert resolver.asked == []


@pytest.mark.parametrize("resolver", [unknown, unspeakable])
async def test_a_name_that_does_not_resolve_is_refused(resolver: object) -> None:
    with pytest.raises(Forbidden, match="could not be resolved"):
        await TunnelPolicy().address_for("nowhere.test", 443, resolver)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("allow", "host", "port", "reached"),
    [
        ("files.test", "files.test", 443, True),
        ("files.test", "FILES.test", 443, True),
        ("files.test", "files.test", 8443, False),
        ("files.test", "other.test", 443, False),
        ("files.test", "files.test.evil.test", 443, False),
        ("files.test:8443", "files.test", 8443, True),
        ("files.test:8443", "files.test", 443, False),
        ("10.0.0.0/8", "files.test", 443, True),
        ("10.0.0.0/8", "files.test", 8443, False),
        ("192.168.0.0/16", "files.test", 443, False),
        ("fd00::/8", "files.test", 443, False),
        ("10.0.0.1/8", "files.test", 443, True),
    ],
)
async def test_an_operator_allows_a_host_a_port_or_a_network(allow: str, host: str, port: int, reached: bool) -> None:
    policy, resolver = TunnelPolicy((allow,)), Resolver(["10.1.2.3"])

    if reached:
        assert await policy.address_for(host, port, resolver) == "10.1.2.3"
    else:
        with pytest.raises(Forbidden):
            await policy.address_for(host, port, resolver)


async def test_the_system_knows_this_machine() -> None:
    assert {"127.0.0.1", "::1"} & set(await by_system("localhost", 443))
    assert await by_system("2130706433", 443) == ["127.0.0.1"]
