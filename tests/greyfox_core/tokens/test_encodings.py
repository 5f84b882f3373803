"""The shipped tokenizers: whole, offline, and the same as tiktoken's own."""

import socket
from pathlib import Path
from typing import Any

import pytest
import tiktoken
from tiktoken_ext import openai_public  # type: ignore[import-untyped]

from greyfox_core.tokens.encodings import BrokenData, EncodingName, Encodings

DATA = Path(__file__).parents[3] / "greyfox_core" / "tokens" / "data"
TEXTS = [
    "Hello, world! It's 2026-11-24.",
    "def f(x):\n    return x  # ünïcode 漢字 😀\n\n\n",
    "DON'T SHOUT — 1234567 items\r\n\t tabs   and   spaces   ",
    "<|endoftext|> is text here",
    "",
]
NAMES: list[EncodingName] = ["o200k_base", "cl100k_base"]


@pytest.fixture(scope="module")
def encodings() -> Encodings:
    return Encodings()


@pytest.mark.parametrize("name", NAMES)
def test_it_counts_like_tiktoken_itself(
    encodings: Encodings, name: EncodingName, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = encodings.get(name)
    ranks = {ours.decode_single_token_bytes(rank): rank for rank in range(ours.n_vocab)}

    def load(url: str, expected_hash: str) -> dict[bytes, int]:
        assert name in url
        return ranks

    monkeypatch.setattr(openai_public, "load_tiktoken_bpe", load)
    theirs = tiktoken.Encoding(**getattr(openai_public, name)())
    for text in TEXTS:
        assert ours.encode_ordinary(text) == theirs.encode_ordinary(text)


def test_it_opens_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any) -> None:
        raise AssertionError("a tokenizer asked for the network")

    monkeypatch.setattr(socket, "socket", refuse)
    assert Encodings().get("cl100k_base").encode_ordinary("hello world") == [15339, 1917]


def test_it_is_built_once_and_says_when_it_is_ready() -> None:
    fresh = Encodings()
    assert not fresh.ready("o200k_base")
    fresh.warm()
    assert fresh.ready("o200k_base")
    assert fresh.ready("cl100k_base")
    assert fresh.get("o200k_base") is fresh.get("o200k_base")


def test_the_data_is_checked_without_building_anything() -> None:
    fresh = Encodings()
    fresh.check()
    assert not any(map(fresh.ready, NAMES))


@pytest.mark.parametrize("name", NAMES)
def test_an_altered_file_is_refused(tmp_path: Path, name: EncodingName) -> None:
    for each in NAMES:
        data = (DATA / f"{each}.tiktoken").read_bytes()
        (tmp_path / f"{each}.tiktoken").write_bytes(data[:-1] + b" " if each == name else data)
    for asked in (lambda: Encodings(tmp_path).get(name), Encodings(tmp_path).check):
        with pytest.raises(BrokenData, match=f"{name} is not what was shipped"):
            asked()


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_refused(tmp_path: Path, name: EncodingName) -> None:
    for each in NAMES:
        if each != name:
            (tmp_path / f"{each}.tiktoken").write_bytes((DATA / f"{each}.tiktoken").read_bytes())
    for asked in (lambda: Encodings(tmp_path).get(name), Encodings(tmp_path).check):
        with pytest.raises(BrokenData, match=f"{name} is missing"):
            asked()


def test_the_licence_ships_beside_the_data() -> None:
    assert "MIT License" in (DATA / "LICENSE").read_text(encoding="utf-8")
