import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from greyfox_core.cli import run
from greyfox_core.cli.run import Face, arguments_for, listening
from greyfox_core.shipped import addons_script, config_template
from tests.greyfox_core.cli.kit import Operator


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str], str]]:
    """What would have been started: program, arguments, and the configuration that the addons would read."""
    calls: list[tuple[str, list[str], str]] = []

    def program(name: str) -> object:
        return lambda arguments: calls.append((name, arguments, os.environ["GREYFOX_CONFIG"]))

    faces = SimpleNamespace(**{name: program(name) for name in ("mitmdump", "mitmweb", "mitmproxy")})
    monkeypatch.setattr(run, "importlib", SimpleNamespace(import_module=lambda _: faces))
    monkeypatch.setattr(sys, "argv", ["greyfox"])
    monkeypatch.setenv("GREYFOX_CONFIG", "to be put back")
    return calls


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


Started = list[tuple[str, list[str], str]]


@pytest.mark.parametrize(("face", "program"), [("dump", "mitmdump"), ("web", "mitmweb"), ("console", "mitmproxy")])
def test_each_face_is_a_program_of_mitmproxy(operator: Operator, started: Started, face: str, program: str) -> None:
    port = free_port()
    operator.ok("run", "--face", face, "--listen-port", port, "--set", "a=b", "-v")
    ((name, arguments, config),) = started
    assert name == program
    assert arguments[:2] == ["-s", str(addons_script())]
    assert arguments[-5:] == ["--listen-port", port, "--set", "a=b", "-v"]
    assert f"confdir={operator.folder / 'certs'}" in arguments
    assert config == str(operator.config)
    assert (operator.folder / "certs").stat().st_mode & 0o777 == 0o700


def test_a_configuration_that_is_named_must_be_there(operator: Operator, started: Started) -> None:
    operator.config.unlink()
    ended = operator("run", "-p", free_port())
    assert ended.code == 1 and ended.err == f"greyfox: {operator.config}: there is no such file\n"
    assert not operator.config.exists() and started == []


def test_the_first_run_writes_the_annotated_configuration_and_says_so(
    operator: Operator, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator.config.unlink()
    del operator.environ["GREYFOX_CONFIG"]
    monkeypatch.chdir(operator.folder)
    ended = operator.ok("run", "-p", free_port())
    assert operator.config.read_bytes() == config_template().read_bytes()
    assert str(operator.config) in ended.err
    operator.config.write_text(operator.config.read_text() + "# mine\n")
    operator.ok("run", "-p", free_port())
    assert operator.config.read_text().endswith("# mine\n")


def test_a_broken_configuration_starts_nothing(operator: Operator, started: Started) -> None:
    operator.config.write_text("upstreams: 5\n")
    ended = operator("run", "-p", free_port())
    assert ended.code == 1 and "config.yaml:1:" in ended.err
    assert started == []


def test_a_taken_port_is_one_clear_line(operator: Operator, started: Started, taken: int) -> None:
    operator.environ["OPENAI_API_KEY"] = "k"  # no warning
    ended = operator("run", "--listen-port", str(taken))
    assert ended.code == 1
    assert ended.err == f"greyfox: 127.0.0.1:{taken} is taken by another program; choose another: --listen-port N\n"
    assert started == []


def test_an_address_that_is_not_ours(operator: Operator, started: Started) -> None:
    assert operator("run", "--listen-host", "192.0.2.1", "-p", "0").code == 1
    assert operator("run", "--listen-port", "many").code == 2
    assert operator("run", "--face", "none").code == 2


def test_where_it_will_listen() -> None:
    assert listening([]) == ("127.0.0.1", 8080)
    assert listening(["--listen-port", "9000", "-v", "--set", "x=y"]) == ("127.0.0.1", 9000)
    assert listening(["-p", "9000", "--listen-host", "::1"]) == ("::1", 9000)
    assert listening(["--listen-port=9000"]) == ("127.0.0.1", 9000)


# What mitmproxy does with its arguments before it starts, and then tells.
READ_OPTIONS = """
import asyncio, importlib, json, sys
from mitmproxy import options
from mitmproxy.tools import cmdline, main

async def read(program, place, *arguments):
    module, _, name = place.rpartition(".")
    read = options.Options()
    getattr(importlib.import_module(module), name)(read)
    parser = getattr(cmdline, program)(read)
    parsed = parser.parse_args(arguments)
    read.set(*parsed.setoptions, defer=True)
    main.process_options(parser, read, parsed)
    print(json.dumps({"unknown": sorted(read.deferred), **{name: getattr(read, name) for name in read.keys()}}))

asyncio.run(read(*sys.argv[1:]))
"""
MASTERS = {
    Face.DUMP: "mitmproxy.tools.dump.DumpMaster",
    Face.WEB: "mitmproxy.tools.web.master.WebMaster",
    Face.CONSOLE: "mitmproxy.tools.console.master.ConsoleMaster",
}


@pytest.mark.parametrize("face", Face)
def test_mitmproxy_takes_every_option_that_it_is_given(face: Face, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("")
    arguments = arguments_for(face, ["--listen-port", "9000", "--listen-host", "127.0.0.2"], tmp_path, script)
    told = subprocess.run(
        [sys.executable, "-c", READ_OPTIONS, run.PROGRAMS[face], MASTERS[face], *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    options = json.loads(told.stdout)
    assert options["unknown"] == []
    assert options["scripts"] == [str(script)]
    assert (options["listen_host"], options["listen_port"]) == ("127.0.0.2", 9000)  # the operator's word is the last
    assert (options["confdir"], options["connection_strategy"]) == (str(tmp_path), "lazy")
    if face is Face.WEB:
        assert (options["web_port"], options["web_open_browser"]) == (8081, False)
        assert options["web_columns"] == list(run.WEB_COLUMNS)


def test_other_commands_never_import_mitmproxy() -> None:
    program = (
        "import sys; from greyfox_core.cli.main import main; code = main(['config', 'schema']);"
        "sys.exit(code or any(name.partition('.')[0] == 'mitmproxy' for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL, timeout=60)
