"""A start: what is said on the very first one, and the one clear line of one that cannot be."""

import re
import shutil
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.conftest import GatewayFactory
from tests.faults.scene import client, post, question
from tests.kit.configuration import config_for
from tests.kit.gateway import Gateway
from tests.kit.provider import Provider

KEY = re.compile(r"\bgf_[A-Za-z0-9_-]{20,}")
SOON = 20  # seconds until a start that fails must have ended, on a busy machine


async def _refusal(gateway: Gateway) -> str:
    """What a start that cannot be says; it ends by itself, soon, with a failure and without a traceback."""
    await gateway.spawn()
    code = await gateway.wait(SOON)
    said = gateway.log_text()
    assert code != 0, said
    assert "Traceback" not in said, said
    assert not KEY.search(said)
    return said


@contextmanager
def _taken(port: int) -> Iterator[None]:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        yield


def _one_line_with(said: str, *words: str) -> None:
    assert any(all(word in line for word in words) for line in said.splitlines()), said


@pytest.fixture(params=["cli", "script"])
def launch(request: pytest.FixtureRequest) -> str:
    """By the product's own command, and under stock mitmdump."""
    return str(request.param)


async def test_the_first_key_is_printed_once_on_the_very_first_start_and_works(
    gateway: GatewayFactory, provider: Provider, launch: str
) -> None:
    one = await gateway(config_for(provider), launch=launch)
    printed = set(KEY.findall(one.log_text()))
    assert len(printed) == 1, one.log_text()
    assert one.log_text().count("This is your first key") == 1
    assert f"curl {one.base_url}/v1/chat/completions" in one.log_text()
    assert "export OPENAI_BASE_URL=" in one.log_text()
    async with client(one, printed.pop()) as by:
        assert (await post(by, question())).status_code == 200
    said = one.log_text()
    await one.restart()
    assert not KEY.search(one.log_text().removeprefix(said))


async def test_who_made_a_key_before_the_first_start_is_shown_none(gateway: GatewayFactory, provider: Provider) -> None:
    one = await gateway(config_for(provider), start=False)
    key = await one.create_key("alice")
    await one.run()
    assert not KEY.search(one.log_text())
    async with client(one, key) as by:
        assert (await post(by, question())).status_code == 200


async def test_a_start_that_fails_prints_no_first_key_and_the_next_one_does(
    gateway: GatewayFactory, provider: Provider
) -> None:
    one = await gateway(config_for(provider), start=False)
    with _taken(one.port):
        await _refusal(one)
    await one.run()
    assert len(set(KEY.findall(one.log_text()))) == 1


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("upstreams:\n  openai: {dialect: openai, base_url: 'https://x.test/v1'}\nquotaz: []\n", 3, '"quotaz"'),
        ("upstreams:\n  openai: {dialect: openai, base_url: 'https://x.test/v1'\nquotas: []\n", 3, ""),
        ("upstreams:\n  a: {dialect: openai, base_url: 'https://x.test'}\n  a: {}\n", 3, '"a"'),
    ],
    ids=["unknown-key", "no-yaml", "duplicate-key"],
)
async def test_a_wrong_configuration_is_told_with_its_line(
    gateway: GatewayFactory, provider: Provider, text: str, line: int, words: str
) -> None:
    one = await gateway(config_for(provider), start=False)
    one.config_file.write_text(text)
    _one_line_with(await _refusal(one), f"config.yaml:{line}:", words)


async def test_a_missing_configuration_is_told(gateway: GatewayFactory, provider: Provider) -> None:
    one = await gateway(config_for(provider), start=False, launch="script")
    one.config_file.unlink()
    _one_line_with(await _refusal(one), "config.yaml")


async def test_a_wrong_configuration_is_told_by_stock_mitmdump_too(gateway: GatewayFactory, provider: Provider) -> None:
    one = await gateway(config_for(provider), start=False, launch="script")
    one.config_file.write_text(f"{one.config_file.read_text()}quotaz: []\n")
    _one_line_with(await _refusal(one), "config.yaml:", '"quotaz"')


async def test_a_taken_port_is_told(gateway: GatewayFactory, provider: Provider, launch: str) -> None:
    one = await gateway(config_for(provider), start=False, launch=launch)
    with _taken(one.port):
        _one_line_with(await _refusal(one), str(one.port))


async def test_a_taken_admin_port_is_told(gateway: GatewayFactory, provider: Provider) -> None:
    one = await gateway(config_for(provider), start=False)
    with _taken(one.admin_port):
        _one_line_with(await _refusal(one), f"127.0.0.1:{one.admin_port}", "admin.listen")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _ran_before(tmp_path_factory: pytest.TempPathFactory, certs: Path) -> Path:
    """The folder of a gateway that has run and ended in peace: its database, its key, its pepper."""
    folder = tmp_path_factory.mktemp("ran-before")
    async with Provider() as provider:
        one = await Gateway.start(folder, config_for(provider), certs=certs)
        await one.create_key("alice")
        assert await one.stop() == 0
    return folder


@pytest.fixture
async def used(gateway: GatewayFactory, provider: Provider, _ran_before: Path) -> Gateway:
    """A gateway that is not started, with the database of one that has run."""
    one = await gateway(config_for(provider), start=False)
    for file in _ran_before.glob("greyfox.db*"):
        shutil.copy2(file, one.folder)
    return one


@pytest.mark.parametrize("damage", ["no-database", "a-page", "another-programs"])
async def test_a_damaged_database_is_told_and_not_replaced(used: Gateway, damage: str) -> None:
    match damage:
        case "no-database":
            used.database.write_bytes(b"This is a letter and no database." * 200)
        case "a-page":
            pages = bytearray(used.database.read_bytes())
            pages[4096 * 2 : 4096 * 4] = b"\xa5" * 8192
            used.database.write_bytes(pages)
        case "another-programs":
            used.database.unlink()
            with closing(sqlite3.connect(used.database)) as other:
                other.execute("CREATE TABLE recipes (name TEXT)")
                other.commit()
    damaged = used.database.read_bytes()
    _one_line_with(await _refusal(used), "greyfox.db")
    assert used.database.read_bytes() == damaged


async def test_the_database_of_a_newer_greyfox_is_left_alone(used: Gateway) -> None:
    with closing(sqlite3.connect(used.database)) as database:
        database.execute("UPDATE alembic_version SET version_num = 'r9999'")
        database.commit()
    _one_line_with(await _refusal(used), "greyfox.db", "newer")


async def test_a_second_gateway_on_one_database_is_refused_and_the_first_works_on(
    gateway: GatewayFactory, provider: Provider
) -> None:
    first = await gateway(config_for(provider))
    key = await first.create_key("alice")
    shared: dict[str, Any] = {"store": f"sqlite:///{first.database}"}
    second = await gateway(config_for(provider, **shared), start=False)
    _one_line_with(await _refusal(second), "greyfox.db", "another gateway", str(first.pid))
    async with client(first, key) as by:
        assert (await post(by, question())).status_code == 200


async def test_without_the_pepper_no_key_can_be_verified_so_it_does_not_start(used: Gateway) -> None:
    pepper = used.database.with_name("greyfox.db.pepper")
    pepper.unlink()
    _one_line_with(await _refusal(used), "greyfox.db.pepper", "missing")
    assert not pepper.exists()  # another one would make every key worthless, without a word


@pytest.mark.parametrize("option", ["mode=transparent", "map_remote=|//x|//y"])
async def test_an_option_of_mitmproxy_that_goes_past_the_gateway_is_refused(
    gateway: GatewayFactory, provider: Provider, option: str
) -> None:
    one = await gateway(config_for(provider), start=False, arguments=["--set", option])
    _one_line_with(await _refusal(one), option.partition("=")[0])


async def test_it_listens_on_this_machine_only_unless_told_otherwise(
    gateway: GatewayFactory, provider: Provider
) -> None:
    class Unasked(Gateway):
        def command(self) -> list[str]:
            command = super().command()
            place = command.index("--listen-host")
            return command[:place] + command[place + 2 :]

    made = await gateway(config_for(provider), start=False, launch="script")
    bare = Unasked(made.folder.parent / "bare", config_for(provider), certs=made.folder / "certs", launch="script")
    await bare.run()
    try:
        others = [address for address in _own_addresses() if not address.startswith("127.")]
        async with httpx.AsyncClient(trust_env=False) as by:
            assert (await by.get(f"{bare.base_url}/greyfox/me")).status_code == 401
            for address in others:
                with pytest.raises(httpx.ConnectError):
                    await by.get(f"http://{address}:{bare.port}/greyfox/me")
    finally:
        assert await bare.stop() == 0
    shutil.rmtree(bare.folder)


def _own_addresses() -> list[str]:
    """Addresses of this machine that are not loopback, as far as its own name tells."""
    try:
        return [str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
    except OSError:
        return []
