"""The gateway's harness, tried on a process that stands for the gateway: readiness, ends, environment, logs."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.kit.clients import through
from tests.kit.configuration import UPSTREAM_KEYS, config_for
from tests.kit.gateway import DidNotStart, Gateway, free_port
from tests.kit.provider import Provider
from tests.kit.sdks import APIS, HOSTS

# Answers /readyz on its admin port with 503 once and 200 from then on, says what it sees, ends with 7 on SIGTERM.
_IMPOSTOR = """
import os, signal, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Ready(BaseHTTPRequestHandler):
    asked = 0
    def do_GET(self):
        Ready.asked += 1
        self.send_response(503 if Ready.asked == 1 else 200)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *parts):
        pass

signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print("names", *sorted(os.environ), flush=True)
print("folder", os.getcwd(), file=sys.stderr, flush=True)
HTTPServer(("127.0.0.1", int(sys.argv[1])), Ready).serve_forever()
"""


class Impostor(Gateway):
    """A gateway whose process is the script above."""

    script = _IMPOSTOR

    def command(self) -> list[str]:
        return [sys.executable, "-c", self.script, str(self.admin_port)]


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    folder = tmp_path / "authority"
    folder.mkdir()
    (folder / "mitmproxy-ca-cert.pem").write_text("a certificate")
    return folder


async def test_it_starts_when_ready_stops_politely_and_can_be_restarted(tmp_path: Path, authority: Path) -> None:
    gateway = await Impostor.start(tmp_path / "g", {}, certs=authority)
    first = gateway.pid
    assert gateway.running and gateway.exit_code is None
    await gateway.restart()
    assert gateway.pid != first and gateway.running
    assert await gateway.stop() == 7 == gateway.exit_code
    assert not gateway.running and not gateway.died_unasked


async def test_it_can_be_killed(tmp_path: Path, authority: Path) -> None:
    gateway = await Impostor.start(tmp_path / "g", {}, certs=authority)
    assert await gateway.kill() == -9
    assert not gateway.running


async def test_a_process_that_ends_at_once_is_told_with_its_output(tmp_path: Path, authority: Path) -> None:
    class Broken(Impostor):
        script = "import sys; sys.exit('config.yaml:1:1: nonsense')"

    with pytest.raises(DidNotStart, match=r"exit status 1\nconfig\.yaml:1:1: nonsense"):
        await Broken.start(tmp_path / "g", {}, certs=authority)


async def test_its_environment_holds_nothing_of_ours(
    tmp_path: Path, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://elsewhere.test")
    monkeypatch.setenv("XAI_API_KEY", "of the developer")
    gateway = await Impostor.start(tmp_path / "g", {}, certs=authority, env={"OPENAI_API_KEY": "given"})
    await gateway.stop()
    names = set(gateway.log_text().splitlines()[0].split()[1:])
    assert names - set(os.environ) <= {"OPENAI_API_KEY", "GREYFOX_CONFIG", "PYTHONUNBUFFERED", "PYTHONPATH", "LC_CTYPE"}
    assert {"OPENAI_API_KEY", "GREYFOX_CONFIG", "HOME"} <= names
    assert not names & {"HTTPS_PROXY", "XAI_API_KEY", "GROQ_API_KEY"}
    assert f"folder {gateway.folder}" in gateway.log_text()


async def test_secrets_in_the_log_are_found(tmp_path: Path, authority: Path) -> None:
    gateway = await Impostor.start(tmp_path / "g", {}, certs=authority)
    await gateway.stop()
    gateway.secrets.add("gf_never_printed")
    assert gateway.seen_in_logs(["GREYFOX_CONFIG", "no such word"]) == ["GREYFOX_CONFIG"]


async def test_its_configuration_points_every_upstream_at_the_provider(
    tmp_path: Path, authority: Path, provider: Provider
) -> None:
    quota = {"name": "day", "per": "user", "period": "day", "timezone": "UTC", "output_tokens": 10}
    gateway = Gateway(tmp_path / "g", config_for(provider, quotas=[quota]), certs=authority)
    written = YAML(typ="safe").load(gateway.config_file)

    assert written["quotas"] == [quota]
    assert written["admin"] == {"listen": f"127.0.0.1:{gateway.admin_port}"}
    assert written["upstreams"]["openai"]["base_url"] == f"{provider.url}/v1"
    assert written["upstreams"]["openai"]["api_key"] == "${OPENAI_API_KEY:-}"
    assert not any(secret in gateway.config_file.read_text() for secret in UPSTREAM_KEYS.values())
    assert gateway.ca_file.read_text() == "a certificate"
    assert gateway.ledger() == []


# Stock mitmproxy with an addon that sends every request to the provider and answers /readyz.
_PROXY = """
import asyncio, os

class Redirect:
    def __init__(self):
        self.servers = []
    async def running(self):
        async def ready(reader, writer):
            await reader.readuntil(b"\\r\\n\\r\\n")
            writer.write(b"HTTP/1.1 200 OK\\r\\ncontent-length: 0\\r\\nconnection: close\\r\\n\\r\\n")
            writer.close()
        self.servers.append(await asyncio.start_server(ready, "127.0.0.1", int(os.environ["READY_PORT"])))
    def requestheaders(self, flow):
        flow.request.headers["x-asked-host"] = flow.request.pretty_host
        flow.request.scheme, flow.request.host = "http", "127.0.0.1"
        flow.request.port = int(os.environ["PROVIDER_PORT"])

addons = [Redirect()]
"""


class StockProxy(Gateway):
    """mitmproxy itself in place of the gateway."""

    def command(self) -> list[str]:
        script = self.folder / "redirect.py"
        script.write_text(_PROXY)
        self.env |= {"READY_PORT": str(self.admin_port)}
        options = ("confdir=certs", "connection_strategy=lazy", "upstream_cert=false", "proxyauth=any")
        mitmdump = str(Path(sys.executable).with_name("mitmdump"))
        listen = ["--listen-host", "127.0.0.1", "--listen-port", str(self.port)]
        return [mitmdump, "-q", "-s", str(script), *listen, *(part for option in options for part in ("--set", option))]


async def test_every_client_passes_an_intercepting_proxy(tmp_path: Path, certs: Path, provider: Provider) -> None:
    env = {"PROVIDER_PORT": str(provider.port)}
    gateway = await StockProxy.start(tmp_path / "g", config_for(provider), certs=certs, env=env)
    try:
        for api in APIS:
            async with through(gateway, api, "gf_1", "https-proxy") as sdk:
                assert (await sdk.ask("hello there")).output_tokens == 12
                assert (await sdk.ask_stream("hello there")).pieces == 12
        assert {entry.headers["x-asked-host"] for entry in provider.requests} == set(HOSTS.values())
        assert not any("gf_1" in str(entry.headers) for entry in provider.requests)
    finally:
        await gateway.stop()


async def test_both_ways_in_are_offered_to_every_client(tmp_path: Path, certs: Path, provider: Provider) -> None:
    gateway = Gateway(tmp_path / "g", config_for(provider), certs=certs)
    assert gateway.proxy_url("gf_1", "alice") == f"http://alice:gf_1@127.0.0.1:{gateway.port}"
    async with through(gateway, "openai-chat", "gf_1") as sdk:
        assert str(sdk.client.base_url).startswith(gateway.base_url) and sdk.client.api_key == "gf_1"
    async with through(gateway, "openai-chat", "gf_1", "https-proxy") as sdk:
        assert str(sdk.client.base_url) == "https://api.openai.test/v1/" and sdk.client.api_key != "gf_1"


def test_the_two_ways_of_starting_name_the_product(tmp_path: Path, authority: Path) -> None:
    def command(**options: object) -> list[str]:
        given: Mapping[str, object] = options
        return Gateway(tmp_path / "g", {}, certs=authority, **given).command()  # type: ignore[arg-type]

    assert command()[1:4] == ["-m", "greyfox_core.cli.main", "run"]
    script = command(launch="script", arguments=["--set", "x=y"])
    assert script[1:3] == ["-q", "-s"] and script[3].endswith("addons/__init__.py") and script[-2:] == ["--set", "x=y"]


def test_free_ports_differ() -> None:
    assert len({free_port() for _ in range(5)}) > 1
