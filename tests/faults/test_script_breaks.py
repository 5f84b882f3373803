"""The script's file breaks while it runs: the gateway goes on governed, or every door is shut."""

import asyncio
import os
import shutil
from pathlib import Path

import httpx
import pytest

from tests.faults.scene import DIALECTS, client, eventually, post, question
from tests.kit.configuration import config_for
from tests.kit.gateway import ROOT, Gateway
from tests.kit.provider import Provider

_WATCH = "        _stop_watching_script()\n"


class Copied(Gateway):
    """Stock mitmdump over a copy of the addons, whose files a test may break. `watched`: mitmproxy reloads them, as
    it would if what keeps it from that did not work.
    """

    watched = False

    @property
    def script(self) -> Path:
        return self.folder / "house" / "addons" / "__init__.py"

    def command(self) -> list[str]:
        if not self.script.exists() and not self.running:
            shutil.copytree(ROOT / "addons", self.script.parent, ignore=shutil.ignore_patterns("__pycache__"))
            if self.watched:
                start = self.script.with_name("start.py")
                text = start.read_text()
                # A `done` that must be awaited makes mitmproxy give the reload up: that protection goes, too.
                for there, instead in ((_WATCH, ""), ("    async def done(self)", "    async def never(self)")):
                    assert there in text, f"the copy cannot be changed: {there.strip()} is no longer in start.py"
                    text = text.replace(there, instead)
                start.write_text(text)
        command = super().command()
        command[command.index("-s") + 1] = str(self.script)
        return command


def _break(script: Path, how: str) -> None:
    match how:
        case "broken":
            script.write_text("this is no Python")
        case "removed":
            script.unlink()
        case "empty":
            script.write_text("addons = []\n")
    if script.exists():  # mitmproxy looks at the time stamp, which may be as coarse as a second
        os.utime(script, (0, script.stat().st_mtime + 10))


@pytest.mark.parametrize("how", ["broken", "removed", "empty"])
async def test_a_script_that_is_unloaded_leaves_every_door_shut(
    tmp_path: Path, certs: Path, provider: Provider, how: str
) -> None:
    class Watched(Copied):
        watched = True

    one = Watched(tmp_path / "gateway", config_for(provider), certs=certs, launch="script")
    await one.run()
    try:
        key = await one.create_key("alice")
        async with client(one, key) as by:
            assert (await post(by, question())).status_code == 200
            _break(one.script, how)

            async def shut() -> bool:
                return (await post(by, question())).status_code == 503

            try:
                await eventually(shut, what="the broken script is still served")
            except (httpx.TransportError, AssertionError):
                assert not one.running  # ending is shut, too
            else:
                await _every_door_is_shut(one, provider, key)
    finally:
        await one.kill()


async def _every_door_is_shut(gateway: Gateway, provider: Provider, key: str) -> None:
    """By base URL, by absolute-form, by CONNECT, with and without a key: refused, and the provider sees nothing."""
    seen, connected = len(provider.requests), provider.connections
    asked = question(prompt="Is anybody there?")
    for credential in (key, None):
        async with client(gateway, credential) as by:
            for dialect in DIALECTS:
                assert (await post(by, question(dialect))).status_code == 503
        proxy = gateway.proxy_url(credential)
        async with httpx.AsyncClient(proxy=proxy, trust_env=False, verify=False) as by:
            by_proxy = await by.post(f"{provider.url}{asked.path}", content=asked.content)
            assert by_proxy.status_code == 503
            with pytest.raises(httpx.ProxyError):
                await by.get(f"https://127.0.0.1:{provider.port}/")
    assert (len(provider.requests), provider.connections) == (seen, connected)


async def test_a_script_that_changes_is_not_even_looked_at(tmp_path: Path, certs: Path, provider: Provider) -> None:
    one = Copied(tmp_path / "gateway", config_for(provider), certs=certs, launch="script")
    await one.run()
    try:
        key = await one.create_key("alice")
        _break(one.script, "broken")
        deadline = asyncio.get_running_loop().time() + 2.5  # mitmproxy would look every second
        async with client(one, key) as by, client(one) as stranger:
            while asyncio.get_running_loop().time() < deadline:
                assert (await post(by, question())).status_code == 200
                assert (await post(stranger, question())).status_code == 401
        assert await one.stop() == 0
    finally:
        await one.kill()
