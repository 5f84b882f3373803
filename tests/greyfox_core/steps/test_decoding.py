"""A body's compression is undone, and no bomb goes off."""

import gzip
import sys
import tracemalloc
import zlib
from collections.abc import Callable

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greyfox_core.errors import BadRequest, Refused, TooLarge, Unsupported
from greyfox_core.steps.decoding import RATIO_FROM, decoded

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MIB = 1_048_576


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "zlib": ("deflate", zlib.compress),
    "raw-deflate": ("deflate", raw_deflate),
    "br": ("br", brotli.compress),
    "zstd": ("zstd", zstd.compress),
    "plain": ("", bytes),
    "identity": ("identity", bytes),
}
COMPRESSED = [name for name in PACKERS if name not in ("plain", "identity")]


def undo(body: bytes, encoding: str, max_size: int = 32 * MIB, max_ratio: int = 1000) -> bytes:
    return decoded(body, encoding, max_size=max_size, max_ratio=max_ratio)


@pytest.mark.parametrize("name", PACKERS)
@given(data=st.one_of(st.binary(max_size=2000), st.binary(max_size=20).map(lambda part: part * 5000)))
def test_what_was_packed_comes_out(name: str, data: bytes) -> None:
    encoding, pack = PACKERS[name]

    assert undo(pack(data), encoding) == data


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_body_of_many_steps_comes_out_whole(name: str) -> None:
    encoding, pack = PACKERS[name]
    data = bytes(range(256)) * 2048

    assert undo(pack(data), encoding.upper() + " ") == data


@pytest.mark.parametrize("name", COMPRESSED)
@pytest.mark.parametrize("size", [24 * MIB, 2 * MIB + 1], ids=["bomb", "just-too-long"])
def test_more_than_the_limit_is_refused_without_being_kept(name: str, size: int) -> None:
    encoding, pack = PACKERS[name]
    body = pack(bytes(size))
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            undo(body, encoding, max_size=2 * MIB, max_ratio=10**9)
        assert tracemalloc.get_traced_memory()[1] < 8 * MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_body_that_inflates_beyond_the_ratio_is_refused(name: str) -> None:
    encoding, pack = PACKERS[name]
    body = pack(bytes(4 * MIB))

    with pytest.raises(TooLarge, match="max_ratio"):
        undo(body, encoding, max_ratio=20)


def test_a_small_body_may_be_as_compressible_as_it_likes() -> None:
    assert len(undo(gzip.compress(bytes(RATIO_FROM)), "gzip", max_ratio=1)) == RATIO_FROM


@pytest.mark.parametrize("name", PACKERS)
def test_a_body_longer_than_the_limit_as_it_came_is_refused(name: str) -> None:
    encoding, _ = PACKERS[name]

    with pytest.raises(TooLarge):
        undo(bytes(11), encoding, max_size=10)


@pytest.mark.parametrize("name", PACKERS)
def test_a_body_as_long_as_the_limit_is_taken(name: str) -> None:
    encoding, pack = PACKERS[name]
    data = bytes(1000)

    assert undo(pack(data), encoding, max_size=1000) == data


@pytest.mark.parametrize("name", COMPRESSED)
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda packed: packed[:-1], id="cut"),
        pytest.param(lambda packed: packed[: len(packed) // 2], id="half"),
        pytest.param(lambda packed: packed + b"x", id="followed"),
        pytest.param(lambda packed: packed + packed, id="twice"),
        pytest.param(lambda packed: b"", id="empty"),
        pytest.param(lambda packed: b'{"model":"gpt-4o"}', id="plain"),
    ],
)
def test_what_does_not_fit_its_encoding_is_refused(name: str, damage: Callable[[bytes], bytes]) -> None:
    encoding, pack = PACKERS[name]

    with pytest.raises(BadRequest):
        undo(damage(pack(b'{"model": "gpt-4o", "messages": []}' * 20)), encoding)


@pytest.mark.parametrize(
    "encoding", ["gzip, gzip", "br,gzip", "identity, br, zstd", "compress", "snappy", "*", "gzip;q=1"]
)
def test_an_unknown_or_a_doubled_encoding_is_refused(encoding: str) -> None:
    with pytest.raises(Unsupported):
        undo(b"x", encoding)


@pytest.mark.parametrize("encoding", ["", "identity", "IDENTITY , ,", " "])
def test_no_encoding_is_none(encoding: str) -> None:
    assert undo(b"abc", encoding) == b"abc"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
@given(data=st.binary(max_size=300))
def test_garbage_is_refused_and_nothing_else_raised(encoding: str, data: bytes) -> None:
    try:
        undo(data, encoding, max_size=MIB)
    except Refused as refused:
        assert refused.status in (400, 413)
