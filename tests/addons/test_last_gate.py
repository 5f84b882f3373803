"""The last gate by itself: what no step has let through goes nowhere, whatever the other addons did or did not do."""

import pytest
from mitmproxy import connection
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.test import tflow

from addons._flow import House
from addons.last_gate import LastGate
from greyfox_core.values.principal import Principal
from greyfox_core.values.tunnel import Tunnel

ALICE = Principal("alice", "k1")


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def gate(house: House) -> LastGate:
    return LastGate(house)


def connecting(client: connection.Client) -> ServerConnectionHookData:
    return ServerConnectionHookData(connection.Server(address=("example.test", 443)), client)


@pytest.mark.parametrize("hook", ["requestheaders", "request", "http_connect"])
def test_a_flow_that_no_step_has_seen_is_refused(hook: str, gate: LastGate) -> None:
    flow = tflow.tflow()

    getattr(gate, hook)(flow)

    assert flow.response is not None
    assert (flow.response.status_code, b"greyfox_unavailable" in (flow.response.content or b"")) == (503, True)


@pytest.mark.parametrize("hook", ["requestheaders", "request", "http_connect"])
def test_an_answer_that_a_step_has_given_stands(hook: str, gate: LastGate) -> None:
    flow = tflow.tflow(resp=True)
    given = flow.response

    getattr(gate, hook)(flow)

    assert flow.response is given


@pytest.mark.parametrize("tunnel", [None, Tunnel("api.openai.test", 443, "openai", ALICE)], ids=["none", "governed"])
def test_no_connection_goes_out_but_a_tunnels(tunnel: Tunnel | None, house: House, gate: LastGate) -> None:
    data = connecting(tflow.tflow().client_conn)
    if tunnel is not None:
        house.tunnels[data.client] = tunnel

    gate.server_connect(data)

    assert data.server.error


def test_a_tunnel_is_dialled_at_the_address_that_was_judged(house: House, gate: LastGate) -> None:
    data = connecting(tflow.tflow().client_conn)
    house.tunnels[data.client] = Tunnel("example.test", 443, None, ALICE, address="1.1.1.1")

    gate.server_connect(data)

    assert (data.server.address, data.server.error) == (("1.1.1.1", 443), None)
