"""What a request is to GreyFox, by its head alone."""

from types import SimpleNamespace
from typing import Any

import pytest

from greyfox_core.clock import SystemClock
from greyfox_core.dialects.paths import Served
from greyfox_core.errors import BadRequest, Forbidden, MethodNotAllowed, NoRoute, Refused
from greyfox_core.steps.ingress import Ingress, new_id
from greyfox_core.values.exchange import Exchange
from greyfox_core.values.http import RequestHead, Way

RULES: Any = SimpleNamespace(
    hosts={"api.openai.test": "openai", "models.test": "ollama"},
    served={"openai": Served("openai", "/v1"), "ollama": Served("ollama")},
)


def opened(method: str, path: str, way: Way = Way.BASE_URL, host: str = "", named: str | None = None) -> Exchange:
    port = 443 if way is Way.TUNNEL else 80
    headers = (("host", named if named is not None else host),)
    head = RequestHead(method, path, "", headers, way, host, port if host else 0)
    return Ingress(SystemClock()).open(head, RULES)


@pytest.mark.parametrize("way", [Way.PROXY, Way.TUNNEL])
def test_by_proxy_the_host_names_the_upstream(way: Way) -> None:
    exchange = opened("POST", "/v1/chat/completions", way, "api.openai.test")

    assert exchange.unrouted is None and exchange.endpoint is not None
    assert (exchange.addressed, exchange.endpoint.operation) == ("openai", "generate")


def test_by_base_url_the_path_tells_and_the_host_says_nothing() -> None:
    exchange = opened("POST", "/v1/chat/completions", named="models.test")

    assert exchange.unrouted is None and exchange.endpoint is not None
    assert (exchange.addressed, exchange.endpoint.api) == (None, "openai")


@pytest.mark.parametrize(
    ("way", "host", "named", "reason"),
    [
        (Way.PROXY, "evil.test", "evil.test", Forbidden),
        (Way.PROXY, "127.0.0.1", "127.0.0.1", Forbidden),
        (Way.PROXY, "api.openai.test", "evil.test", BadRequest),
        (Way.PROXY, "api.openai.test", "", BadRequest),
        (Way.PROXY, "api.openai.test", "api.openai.test:81", BadRequest),
        (Way.PROXY, "api.openai.test", "API.OpenAI.test", None),
        (Way.PROXY, "api.openai.test", "api.openai.test:80", None),
        (Way.TUNNEL, "api.openai.test", "evil.test", None),
    ],
)
def test_a_proxied_request_names_one_governed_host(
    way: Way, host: str, named: str, reason: type[Refused] | None
) -> None:
    exchange = opened("GET", "/v1/models", way, host, named)

    assert (type(exchange.unrouted) if exchange.unrouted else None) is reason


@pytest.mark.parametrize(
    ("method", "path", "reason"),
    [
        ("TRACE", "/", MethodNotAllowed),
        ("CONNECT", "/", MethodNotAllowed),
        ("OPTIONS", "*", MethodNotAllowed),
        ("GET", "/v1/chat/completions", MethodNotAllowed),
        ("POST", "/v1/batches", NoRoute),
    ],
)
def test_what_is_not_served_is_kept_for_an_authenticated_caller_to_hear(
    method: str, path: str, reason: type[Refused]
) -> None:
    assert type(opened(method, path).unrouted) is reason


@pytest.mark.parametrize(("path", "page"), [("/greyfox/me", "me"), ("/greyfox/connect/ca.pem", "connect/ca.pem")])
def test_own_pages_are_on_the_gateways_own_address_only(path: str, page: str) -> None:
    assert opened("GET", path).own_page == page
    assert opened("GET", path, Way.PROXY, "api.openai.test").own_page is None


def test_ids_are_unique_and_sort_by_time() -> None:
    ids = [new_id() for _ in range(1000)]

    assert len(set(ids)) == 1000
    assert [identity[:16] for identity in ids] == sorted(identity[:16] for identity in ids)
