"""Lines pass as they came and are read when they are whole."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greyfox_core.dialects import ndjson
from greyfox_core.dialects.ndjson import NdjsonReader
from greyfox_core.errors import Refused


class Noting(NdjsonReader):
    def __init__(self) -> None:
        super().__init__()
        self.noted: list[bytes] = []

    @property
    def cacheable(self) -> bool:
        return self.complete

    def matters(self, block: bytes) -> bool:
        return True

    def read(self, line: bytes) -> None:
        self.noted.append(line)

    def text_in(self, lines: bytes) -> str:
        return lines.decode(errors="replace")

    def error_line(self, error: Refused, request_id: str) -> bytes:
        return b"error\n"


@given(
    st.lists(st.text(alphabet="ab{}", min_size=1, max_size=6), max_size=8), st.lists(st.integers(0, 99)), st.booleans()
)
def test_lines_are_the_same_however_they_are_split(lines: list[str], places: list[int], ended: bool) -> None:
    data = "\n".join(lines).encode() + (b"\n" if ended and lines else b"")
    cuts = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    reader = Noting()
    for a, b in itertools.pairwise(cuts):
        assert reader.feed(data[a:b]) == data[a:b]
    assert reader.finish() == b""
    assert reader.noted == [line.encode() for line in lines]
    assert reader.received_text() == data.decode()
    assert reader.received_chars() == len(data)


@pytest.mark.parametrize("size", [1, 7])
def test_a_line_that_is_too_long_passes_unread_and_the_next_is_read(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ndjson, "MAX_LINE", 50)
    data = b"one\n" + b"x" * 300 + b"\ntwo\n"
    reader = Noting()
    for at in range(0, len(data), size):
        reader.feed(data[at : at + size])
    assert reader.noted == [b"one", b"two"]
