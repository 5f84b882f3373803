"""The official clients in front of a gateway, by either way in."""

from typing import Any, assert_never

from tests.kit.gateway import Gateway
from tests.kit.sdks import DUMMY_KEY, HOSTS, Sdk, Way


def through(gateway: Gateway, api: str, key: str, way: Way = "base-url", **options: Any) -> Sdk:
    """An `Sdk` that reaches its provider through the gateway with a virtual key; `options` as of `Sdk`.

    "https-proxy": the client believes in its provider's own host, its own key is a dummy, the virtual key is the
    proxy's password, and the gateway's CA is all it trusts.
    """
    match way:
        case "base-url":
            return Sdk(api, gateway.base_url, key, **options)
        case "https-proxy":
            host = HOSTS[api.partition("-")[0]]
            proxy = gateway.proxy_url(key)
            return Sdk(api, f"https://{host}", DUMMY_KEY, proxy=proxy, ca_file=gateway.ca_file, **options)
        case _:
            assert_never(way)
