"""What docs/operations.md promises an operator: files and their modes, a backup that can be restored, TLS."""

import re
import shlex
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import httpx

from addons.start import CONTRADICTING, NEEDED
from tests.conftest import GatewayFactory
from tests.docs.pages import ROOT, commands, shell_lines, text_of
from tests.faults.scene import post, question
from tests.kit.configuration import config_for
from tests.kit.gateway import Gateway
from tests.kit.provider import Provider

PAGE = ROOT / "docs" / "operations.md"


def section(heading: str) -> str:
    return text_of(PAGE).split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def rows(table: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("| `")
    ]


async def test_the_files_that_it_makes_and_their_modes(gateway: GatewayFactory, provider: Provider) -> None:
    modes = {
        name: mode
        for names, mode, *_ in rows(section("What it makes, and where"))
        for name in re.findall(r"`([^`]+)`", names)
        if mode.startswith("0")
    }
    assert len(modes) == 6
    one = await gateway(config_for(provider))
    await one.create_key("alice")
    for name, mode in modes.items():
        if name != "certs/":  # copied from elsewhere in these tests
            assert stat.S_IMODE((one.folder / name).stat().st_mode) == int(mode, 8), name
    documented = {*modes, "config.yaml"}
    made = {file.name for file in one.folder.iterdir() if file.is_file() and file.suffix != ".log"}
    assert made <= documented


def test_every_message_of_a_start_that_fails_is_one_that_the_program_has() -> None:
    source = "".join(
        # Strings that are written in pieces, as one.
        re.sub(r'"\s*f?"', "", file.read_text(encoding="utf-8"))
        for folder in ("greyfox_core", "addons")
        for file in (ROOT / folder).rglob("*.py")
    )
    messages = [
        part
        for cells in rows(section("A start that fails"))
        for message in re.findall(r"`([^`]+)`", cells[0])
        for part in re.split(r"config\.yaml:5:5:|…|\(process N\)|the pepper of the virtual keys is", message)
        if part.strip()
    ]
    assert len(messages) > 8
    assert [part for part in messages if part.strip() not in source] == []


def test_the_options_that_are_refused_and_set_are_all_named() -> None:
    text = section("Options of mitmproxy")
    assert [name for name in (*CONTRADICTING, *NEEDED) if f"`{name}`" not in text] == []


def back_up(folder: Path) -> Path:
    """Run the page's own line in `folder`; the file that it makes."""
    (words,) = [words for line in shell_lines(PAGE) for words in commands(line) if words[0] == "python3"]
    subprocess.run([sys.executable, *words[1:]], cwd=folder, check=True, timeout=60)
    return folder / "greyfox-backup.db"


async def test_a_backup_under_a_running_gateway_can_be_restored(gateway: GatewayFactory, provider: Provider) -> None:
    one = await gateway(config_for(provider))
    key = await one.create_key("alice")
    async with httpx.AsyncClient(base_url=one.base_url, headers=bearer(key), trust_env=False) as by:
        assert (await post(by, question())).status_code == 200
        backup = back_up(one.folder)

    other = await gateway(config_for(provider), start=False)
    backup.rename(other.database)
    other.database.chmod(0o600)
    (one.folder / "greyfox.db.pepper").rename(other.folder / "greyfox.db.pepper")
    await other.run()
    async with httpx.AsyncClient(base_url=other.base_url, headers=bearer(key), trust_env=False) as by:
        assert (await post(by, question())).status_code == 200
    assert (await other.cli("quota", "verify")).code == 0


async def test_the_same_port_speaks_tls_to_who_trusts_the_ca(gateway: GatewayFactory, provider: Provider) -> None:
    one = await gateway(config_for(provider))
    key = await one.create_key("alice")
    trust = ssl.create_default_context(cafile=str(one.ca_file))
    async with httpx.AsyncClient(base_url=secure(one), headers=bearer(key), verify=trust, trust_env=False) as by:
        assert (await post(by, question())).status_code == 200
    proxy = httpx.Proxy(secure(one), auth=("alice", key), ssl_context=trust)
    async with httpx.AsyncClient(base_url="https://api.openai.test", proxy=proxy, verify=trust, trust_env=False) as by:
        assert (await post(by, question(prompt="And at night?"))).status_code == 200
    assert await one.stop() == 0
    assert [row["way"] for row in one.ledger()] == ["base-url", "tunnel"]


def test_the_unit_starts_what_the_page_says() -> None:
    (unit,) = re.findall(r"^```ini\n(.*?)^```$", text_of(PAGE), re.DOTALL | re.MULTILINE)
    settings = dict(line.split("=", 1) for line in unit.splitlines() if "=" in line)
    assert shlex.split(settings["ExecStart"])[1:] == ["run"]
    assert settings["Environment"] == "PYTHONOPTIMIZE=1"


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def secure(gateway: Gateway) -> str:
    return gateway.base_url.replace("http:", "https:")
