"""README and docs/ are true: links lead somewhere, commands exist, examples load and run."""

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer

from greyfox_core.cli.main import build
from greyfox_core.config.load import load
from greyfox_core.connect_lines import connect_lines
from greyfox_core.first_key import FirstKey, welcome
from tests.conftest import GatewayFactory
from tests.docs.pages import (
    PAGES,
    ROOT,
    anchors,
    blocks,
    commands,
    greyfox_words,
    inline_code,
    links,
    name_of,
    shell_lines,
    text_of,
)
from tests.kit.configuration import config_for
from tests.kit.provider import Provider

README = ROOT / "README.md"
ADDRESS = "http://127.0.0.1:8080"
UPSTREAM = "upstreams: {openai: {dialect: openai, base_url: https://a.example}}\n"
REGISTRIES = ("pypi.", "pythonhosted", "npmjs", "registry.", "anaconda.org", "crates.io")
PLACES_OF_ONE_MACHINE = ("/home/", "/Users/", "/tmp/")

every_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


@every_page
def test_every_link_leads_somewhere(page: Path) -> None:
    dead = []
    for link in links(page):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        goal = (page.parent / path).resolve() if path else page
        if not goal.exists() or not goal.is_relative_to(ROOT) or (anchor and anchor not in anchors(goal)):
            dead.append(link)
    assert dead == []


def test_readme_leads_to_every_page() -> None:
    assert {name_of(page) for page in PAGES} - {"README.md"} <= set(links(README))


@every_page
def test_no_page_names_a_registry_or_a_place_of_one_machine(page: Path) -> None:
    assert [word for word in (*REGISTRIES, *PLACES_OF_ONE_MACHINE) if word in text_of(page)] == []


# --- commands


def typed() -> Iterator[Any]:
    for page in PAGES:
        for line in shell_lines(page):
            for words in greyfox_words(line):
                yield pytest.param(words, id=f"{name_of(page)}: {' '.join(words)}")


def command_of(words: list[str]) -> tuple[Any, list[str]]:
    """The command that the words name, and the rest of them; LookupError where there is none."""
    command: Any = typer.main.get_command(build())
    rest = list(words)
    while hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    return command, rest


@pytest.mark.parametrize("words", list(typed()))
def test_every_command_that_a_reader_would_type_is_right(words: list[str]) -> None:
    command, rest = command_of(words)
    if rest == ["--help"]:
        return
    command.make_context("greyfox", rest)  # raises for what the command does not know, and for what it misses


@every_page
def test_every_command_in_the_text_exists_with_its_options(page: Path) -> None:
    wrong = []
    for code in inline_code(page):
        if not code.startswith("greyfox ") or re.search(r"\b(NOUN|VERB)\b|…$", code):
            continue
        alternatives = [code]
        if (several := re.search(r"\S+\|\S+", code)) is not None:  # `greyfox key create|list|revoke`
            alternatives = [code.replace(several[0], one) for one in several[0].split("|")]
        for one in alternatives:
            for words in greyfox_words(one):
                try:
                    command, rest = command_of(words)
                except LookupError:
                    wrong.append(one)
                    continue
                known = {name for parameter in command.params for name in parameter.opts} | {"--help"}
                options = {word.partition("=")[0] for word in rest if word.startswith("--")}
                if words[0] != "run" and options - known:
                    wrong.append(one)
    assert wrong == []


@every_page
def test_run_sh_is_called_by_verbs_that_it_has(page: Path) -> None:
    known = {"run", "web", "console", "test"}
    lines = [*shell_lines(page), *(code for code in inline_code(page) if code.startswith("./run.sh"))]
    calls = [words[1:2] for line in lines for words in commands(line) if words[0] == "./run.sh"]
    assert [call for call in calls if call and not call[0].startswith("-") and call[0] not in known] == []


# --- examples


@every_page
def test_every_piece_of_configuration_loads(page: Path, tmp_path: Path) -> None:
    for number, block in enumerate(blocks(page, "yaml")):
        file = tmp_path / f"{number}.yaml"
        file.write_text(block if "upstreams:" in block else UPSTREAM + block, encoding="utf-8")
        load(file, {"OPENAI_API_KEY": "k", "GROQ_API_KEY": "k"})


def test_the_lines_for_tools_are_those_that_the_gateway_shows() -> None:
    shown = {
        line.removeprefix("export ") for lines in connect_lines(ADDRESS, "$GREYFOX_KEY").values() for line in lines
    }
    table = text_of(README).split("| tool | lines |", 1)[1].split("\n\n", 1)[0]
    said = {code for code in re.findall(r"`([^`]+)`", table.replace(r"\|", "|")) if "=" in code or "codex" in code}
    assert said <= shown
    assert len(said) >= 10


def readme_curl() -> tuple[str, dict[str, str], dict[str, Any]]:
    """URL, header fields and body of the one request that README shows."""
    (words,) = [
        words for line in shell_lines(README) for words in commands(line) if words[0] == "curl" and "-d" in words
    ]
    pairs = list(pairwise(words))
    fields = dict(value.split(": ", 1) for option, value in pairs if option == "-H")
    (body,) = [value for option, value in pairs if option == "-d"]
    return words[1], fields, json.loads(body)


def test_the_first_start_shows_the_same_request() -> None:
    url, _, body = readme_curl()
    text = welcome(FirstKey("alice", "gf_x"), ADDRESS, "greyfox")
    assert url in text
    assert json.dumps(body) in text


async def test_the_request_of_readme_asked_twice(gateway: GatewayFactory, provider: Provider) -> None:
    one = await gateway(config_for(provider))
    key = await one.create_key("alice")
    url, fields, body = readme_curl()
    assert url.startswith(ADDRESS)
    async with httpx.AsyncClient(trust_env=False) as by:
        answers = [
            await by.post(
                url.replace(ADDRESS, one.base_url),
                headers={name: value.replace("$GREYFOX_KEY", key) for name, value in fields.items()},
                json=body,
            )
            for _ in range(2)
        ]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [answer.headers["x-greyfox-cache"] for answer in answers] == ["miss", "hit"]
    assert answers[0].content == answers[1].content
    assert len(provider.requests) == 1
