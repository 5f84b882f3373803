"""A picture's size stands in its header."""

import base64
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greyfox_core.dialects.image_size import bytes_in_base64, image_size, size_in_base64

PNG = b"\x89PNG\r\n\x1a\n" + pack(">I4sII", 13, b"IHDR", 640, 480)
GIF = b"GIF89a" + pack("<HH", 640, 480)
RIFF = b"RIFF\x00\x00\x00\x00WEBP"
EXTENDED = RIFF + b"VP8X" + bytes(8) + (639).to_bytes(3, "little") + (479).to_bytes(3, "little")
LOSSLESS = RIFF + b"VP8L" + bytes(4) + b"\x2f" + (639 | 479 << 14).to_bytes(4, "little") + bytes(10)
LOSSY = RIFF + b"VP8 " + bytes(10) + pack("<HH", 640 | 1 << 14, 480)
FRAME = b"\xff\xc2\x00\x11\x08" + pack(">HH", 480, 640) + bytes(10)
JPEG = b"\xff\xd8\xff\xe0\x00\x10" + bytes(14) + b"\xff\xff\xdb\x00\x04ab" + b"\xff\xc4\x00\x03x" + FRAME

FILES = {"png": PNG, "gif": GIF, "webp": EXTENDED, "lossless": LOSSLESS, "lossy": LOSSY, "jpeg": JPEG}


@pytest.mark.parametrize("kind", FILES)
def test_every_format(kind: str) -> None:
    assert image_size(FILES[kind]) == (640, 480)
    assert size_in_base64(base64.b64encode(FILES[kind] + bytes(100)).decode()) == (640, 480)
    assert size_in_base64(base64.urlsafe_b64encode(FILES[kind] + bytes(100)).decode()) == (640, 480)


@pytest.mark.parametrize("kind", FILES)
def test_a_file_cut_short_has_no_size_or_the_right_one(kind: str) -> None:
    for end in range(len(FILES[kind])):
        assert image_size(FILES[kind][:end]) in (None, (640, 480))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text",
        b"%PDF-1.7",
        b"\xff\xd8",
        b"\xff\xd8\xff\xd9" + bytes(20),
        PNG[:16] + bytes(8),
        RIFF + b"NONE" + bytes(20),
    ],
)
def test_other_files_have_none(data: bytes) -> None:
    assert image_size(data) is None


@given(st.binary(max_size=60), st.sampled_from([b"", b"\xff\xd8", RIFF + b"VP8 ", b"\x89PNG\r\n\x1a\n", b"GIF87a"]))
def test_nothing_raises(data: bytes, start: bytes) -> None:
    image_size(start + data)
    size_in_base64((start + data).decode("latin-1"))


def test_the_length_of_base64() -> None:
    assert bytes_in_base64("") == 0
    assert bytes_in_base64("AAAA") == 3
    assert bytes_in_base64("AAAAA") == 4
