"""The two faces that README offers start, serve, and show who asked for what."""

import asyncio
import os
import pty
import re
import termios
from contextlib import suppress
from typing import Self

import aiohttp
import httpx

from tests.conftest import GatewayFactory
from tests.docs.test_operations_page import bearer
from tests.faults.scene import eventually, post, question
from tests.kit.configuration import config_for
from tests.kit.gateway import Gateway, free_port
from tests.kit.provider import Provider

SCREEN_CLOSED = b"\x1b[?1049l"


async def test_mitmweb_prints_its_address_with_a_token_and_shows_who_asked(
    gateway: GatewayFactory, provider: Provider
) -> None:
    port = free_port()
    one = await gateway(config_for(provider), arguments=["--face", "web", "--set", f"web_port={port}"])
    key = await one.create_key("alice")
    async with httpx.AsyncClient(base_url=one.base_url, headers=bearer(key), trust_env=False) as by:
        assert (await post(by, question())).status_code == 200
    (address,) = re.findall(rf"http://127\.0\.0\.1:{port}/\?token=\w+", one.log_text())
    async with httpx.AsyncClient(trust_env=False, follow_redirects=True) as person:
        assert (await person.get(address.partition("?")[0])).status_code == 403
        assert (await person.get(address)).status_code == 200
        flows = await person.get(f"http://127.0.0.1:{port}/flows")
    assert re.fullmatch(r"alice · gpt-4o · \d+\+\d+ · miss", flows.json()[0]["comment"])
    assert key not in flows.text


async def test_the_console_starts_serves_and_ends(gateway: GatewayFactory, provider: Provider) -> None:
    one = await gateway(config_for(provider), start=False, arguments=["--face", "console"])
    key = await one.create_key("alice")
    terminal = await Terminal.of(one)
    try:
        await eventually(lambda: ready(one), what="the console never was ready")
        async with httpx.AsyncClient(base_url=one.base_url, headers=bearer(key), trust_env=False) as by:
            assert (await post(by, question())).status_code == 200
        await eventually(lambda: shows(terminal, b"POST"), what="the console shows no request")
    finally:
        code = await terminal.end()
    assert code == 0, bytes(terminal.screen)
    assert key.encode() not in terminal.screen


async def test_the_console_leaves_the_first_key_behind_when_its_screen_is_gone(
    gateway: GatewayFactory, provider: Provider
) -> None:
    one = await gateway(config_for(provider), start=False, arguments=["--face", "console"])
    terminal = await Terminal.of(one)
    try:
        await eventually(lambda: shows(terminal, b"first key is shown when you quit"), what="nobody is told to wait")
        await eventually(lambda: ready(one), what="the console never was ready")
        assert b"gf_" not in terminal.screen
        terminal.type(b"q")
        await eventually(lambda: shows(terminal, b"Quit"), what="the console does not ask whether to quit")
        terminal.type(b"y")
        assert await terminal.ended() == 0
    finally:
        await terminal.end()
    left = bytes(terminal.screen).rpartition(SCREEN_CLOSED)[2].decode()
    assert "\r\n  Welcome to GreyFox." in left
    (key,) = set(re.findall(r"\bgf_[\w-]{43}\b", left))

    again = await Terminal.of(one)
    try:
        await eventually(lambda: ready(one), what="the console never was ready again")
        async with httpx.AsyncClient(base_url=one.base_url, headers=bearer(key), trust_env=False) as by:
            assert (await post(by, question())).status_code == 200
    finally:
        assert await again.end() == 0
    assert b"first key" not in again.screen


class Terminal:
    """A gateway in a terminal of its own, whose screen is read as it comes."""

    def __init__(self, process: asyncio.subprocess.Process, terminal: int) -> None:
        self.screen = bytearray()
        self._process = process
        self._terminal = terminal
        os.set_blocking(terminal, False)
        asyncio.get_running_loop().add_reader(terminal, self._read)

    @classmethod
    async def of(cls, gateway: Gateway) -> Self:
        ours, its = pty.openpty()
        termios.tcsetwinsize(its, (40, 120))
        process = await asyncio.create_subprocess_exec(
            *gateway.command(),
            cwd=gateway.folder,
            env=gateway.env | {"TERM": "xterm-256color"},
            stdin=its,
            stdout=its,
            stderr=its,
            start_new_session=True,
        )
        os.close(its)
        return cls(process, ours)

    def _read(self) -> None:
        try:
            self.screen += os.read(self._terminal, 65536)
        except OSError:  # its process has ended
            asyncio.get_running_loop().remove_reader(self._terminal)

    def type(self, keys: bytes) -> None:
        """What a person at it would press."""
        os.write(self._terminal, keys)

    async def ended(self) -> int:
        """Its exit status, once it has ended."""
        return await asyncio.wait_for(self._process.wait(), 45)

    async def end(self) -> int:
        """SIGTERM where it still runs, then its exit status; the screen is as it was left."""
        if self._process.returncode is None:
            self._process.terminate()
        code = await self.ended()
        asyncio.get_running_loop().remove_reader(self._terminal)
        with suppress(OSError):  # there is no more
            while piece := os.read(self._terminal, 65536):
                self.screen += piece
        os.close(self._terminal)
        return code


async def ready(gateway: Gateway) -> bool:
    try:
        async with aiohttp.ClientSession(trust_env=False) as session:
            return (await session.get(f"{gateway.admin_url}/readyz")).status == 200
    except aiohttp.ClientError:
        return False


async def shows(terminal: Terminal, words: bytes) -> bool:
    return words in bytes(terminal.screen)
