"""Compressed answers: whole in any pieces, never more than a step at a time, never a part for the whole."""

import gzip
import sys
import zlib
from collections.abc import Callable
from itertools import pairwise

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greyfox_core.forwarding.decompress import STEP, BadCoding, decompressor

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "X-GZip": gzip.compress,
    "deflate": zlib.compress,
    "Deflate": raw_deflate,
    "br": brotli.compress,
    "zstd": zstd.compress,
}
MOST = 2 * STEP
SOME = b"A grey fox climbs trees. " * 40


def unpacked(coding: str, *pieces: bytes) -> bytes:
    """All of a body that comes in these pieces. Raises BadCoding."""
    plain = decompressor(coding)
    assert plain is not None
    found = bytearray()
    for piece in pieces:
        data = plain.more(piece)
        while data:
            assert len(data) <= MOST
            found += data
            data = plain.more()
    if not plain.whole:
        raise BadCoding
    return bytes(found)


@pytest.mark.parametrize("coding", PACKERS)
@given(data=st.binary(max_size=2000) | st.just(SOME), cuts=st.lists(st.integers(0, 2000), max_size=5))
def test_a_body_is_the_same_in_any_pieces(coding: str, data: bytes, cuts: list[int]) -> None:
    packed = PACKERS[coding](data)
    at = [0, *sorted(cuts), len(packed)]

    assert unpacked(coding, *(packed[a:b] for a, b in pairwise(at))) == data


@pytest.mark.parametrize("coding", PACKERS)
def test_a_body_that_ends_early_is_not_whole_wherever_it_ends(coding: str) -> None:
    packed = PACKERS[coding](SOME)
    for end in range(1, len(packed)):
        with pytest.raises(BadCoding):
            unpacked(coding, packed[:end])


@pytest.mark.parametrize("coding", PACKERS)
def test_no_body_is_no_body(coding: str) -> None:
    assert unpacked(coding) == unpacked(coding, b"") == b""


@pytest.mark.parametrize("coding", PACKERS)
def test_what_is_not_in_its_coding_is_bad(coding: str) -> None:
    with pytest.raises(BadCoding):
        unpacked(coding, b"\xff" + SOME)


@pytest.mark.parametrize("coding", PACKERS)
def test_what_follows_the_end_is_bad(coding: str) -> None:
    packed = PACKERS[coding](SOME)
    for pieces in ((packed + b"\xffjunk",), (packed, b"\xffjunk")):
        with pytest.raises(BadCoding):
            unpacked(coding, *pieces)


@pytest.mark.parametrize("coding", ["deflate", "Deflate", "br"])
def test_where_a_body_is_one_stream_another_after_it_is_bad(coding: str) -> None:
    with pytest.raises(BadCoding):
        unpacked(coding, PACKERS[coding](b"a") + PACKERS[coding](b"b"))


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_body_of_several_members_is_all_of_them(coding: str) -> None:
    pack = PACKERS[coding]

    assert unpacked(coding, pack(b"a") + pack(b"b"), pack(b"c")) == b"abc"


@pytest.mark.parametrize("coding", PACKERS)
def test_a_bomb_comes_a_step_at_a_time(coding: str) -> None:
    packed = PACKERS[coding](bytes(100 * STEP))
    plain = decompressor(coding)
    assert plain is not None

    assert 0 < len(plain.more(packed)) <= MOST
    assert len(unpacked(coding, packed)) == 100 * STEP


@pytest.mark.parametrize("coding", ["", "identity", "compress", "gzip, br"])
def test_another_coding_is_left_as_it_is(coding: str) -> None:
    assert decompressor(coding) is None
