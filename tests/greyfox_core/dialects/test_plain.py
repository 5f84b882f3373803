"""A plain answer in pieces is read once, when it is whole."""

from typing import Any

import pytest

from greyfox_core.dialects import plain
from greyfox_core.dialects.plain import PlainReader
from greyfox_core.errors import UpstreamFailed
from tests.greyfox_core.dialects.asked import CHAT, asked, read_in, sample


def reader() -> Any:
    dialect, request = asked(CHAT)
    found = dialect.stream(request, "application/json")
    assert isinstance(found, PlainReader)
    return found


def test_a_whole_answer() -> None:
    read = reader()
    data = b"\n\n" + sample("openai-chat.plain.json")  # blank lines keep a connection alive
    assert read.feed(data[:50]) == data[:50]
    assert (read.complete, read.usage) == (False, None)
    assert read.feed(data[50:]) + read.finish() == data[50:]
    assert read.complete and read.cacheable and not read.failed
    assert (read.received_text(), read.received_chars()) == ("The tide turns at six.", 22)


@pytest.mark.parametrize("data", [b"", b"<html>", b'{"choices":', b"[]", b'"text"'])
def test_anything_else_is_not_complete(data: bytes) -> None:
    read = reader()
    assert read_in(read, [data]) == data
    assert (read.complete, read.cacheable, read.usage, read.received_text()) == (False, False, None, "")


def test_an_error_object_is_a_failure() -> None:
    read = reader()
    read_in(read, [b'{"error":{"message":"x"}}'])
    assert read.failed and not read.complete


def test_half_an_object_has_no_place_for_an_error() -> None:
    read = reader()
    read.feed(b'{"a"')
    assert read.cut(UpstreamFailed("It broke off."), "r") == b""


def test_a_longer_answer_passes_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain, "MAX_ANSWER", 100)
    read = reader()
    data = sample("openai-chat.plain.json")
    assert read_in(read, [data[:90], data[90:]]) == data
    assert not read.complete
