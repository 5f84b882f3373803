import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from tests.greyfox_core.cli.kit import Operator

FACTS = {"user": "alice", "team": "core", "roles": [], "key": "key_a", "models": [], "quotas": [], "usage": []}


class Gateway(HTTPServer):
    """Stands in for a gateway: remembers what it is asked, answers what it is told."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer: tuple[int, bytes] = (200, json.dumps(FACTS).encode())
        self.asked: list[tuple[str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Gateway

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["authorization"]))
        status, body = self.server.answer
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_running_gateway_is_asked_with_the_callers_key(operator: Operator, gateway: Gateway) -> None:
    told = operator.ok("me", "--key", "gf_a", "--url", gateway.url + "/", "--json").json()
    assert told == FACTS
    assert gateway.asked == [("/greyfox/me", "Bearer gf_a")]
    operator.environ["GREYFOX_KEY"] = "gf_b"
    assert "alice, team core, key key_a" in operator.ok("me", "--url", gateway.url).out
    assert gateway.asked[1][1] == "Bearer gf_b"


def test_a_proxy_of_the_environment_is_not_asked(
    operator: Operator, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    operator.ok("me", "--key", "gf_a", "--url", gateway.url)


def test_a_refusal_is_told_in_the_gateways_words(operator: Operator, gateway: Gateway) -> None:
    gateway.answer = (401, json.dumps({"error": {"message": "No valid GreyFox credential."}}).encode())
    ended = operator("me", "--key", "gf_a", "--url", gateway.url)
    assert ended.code == 1 and ended.err == "greyfox: No valid GreyFox credential.\n"


@pytest.mark.parametrize("answer", [(500, b""), (200, b"<html>"), (200, b"[]"), (302, b"")])
def test_what_is_no_gateway_is_told(operator: Operator, gateway: Gateway, answer: tuple[int, bytes]) -> None:
    gateway.answer = answer
    assert operator("me", "--key", "gf_a", "--url", gateway.url).code == 1


def test_nobody_listens(operator: Operator) -> None:
    ended = operator("me", "--key", "gf_a", "--url", "http://127.0.0.1:1")
    assert ended.code == 1 and "is it running" in ended.err and "gf_a" not in ended.err


@pytest.mark.parametrize(
    "options", [[], ["--key", "a\r\nb"], ["--key", "ü"], ["--key", "a", "--url", "file:///etc/passwd"]]
)
def test_wrong_usage(operator: Operator, options: list[str]) -> None:
    assert operator("me", *options).code == 2
