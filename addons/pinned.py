"""What of mitmproxy's inside GreyFox relies on. A version that has moved it ends the start with one line."""

import inspect

from mitmproxy.proxy.layers.http import Http1Server, HttpLayer, HttpStream


def check() -> str | None:
    """What is no longer where `layers` and `http1` need it; None if all is."""
    wanted = {
        HttpStream: ("send_response", "flow_done", "make_server_connection", "handle_event", "check_killed"),
        HttpLayer: ("make_stream", "event_to_child", "_handle_event"),
        Http1Server: ("read_headers", "read_body", "done"),
    }
    for owner, names in wanted.items():
        for name in names:
            if not inspect.isfunction(getattr(owner, name, None)):
                return f"mitmproxy's {owner.__name__} has no method {name}"
    states = ("state_wait_for_request_headers", "state_consume_request_body", "state_done", "state_errored")
    missing = [name for name in states if not hasattr(HttpStream, name)]
    if missing:
        return f"mitmproxy's HttpStream has no {missing[0]}"
    return None
