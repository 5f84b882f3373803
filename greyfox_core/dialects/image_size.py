"""Width and height of a picture from its file header, without decoding it.

Units:   pixels.
Errors:  none: what is no PNG, JPEG, GIF or WebP, or is cut short, has no size.
Source:  the formats' specifications (PNG 11.2.2, JPEG B.2.2, GIF89a 18, WebP container).
"""

import binascii
from struct import unpack_from

HEADER = 262_144  # bytes of a file that are looked at: a JPEG's size comes after its thumbnail and colour profile
_URL_SAFE = str.maketrans("-_", "+/")

type Size = tuple[int, int]


def size_in_base64(text: str) -> Size | None:
    """The size of the picture in base64 (either alphabet), of which only the beginning is read."""
    start = text[: HEADER // 3 * 4].translate(_URL_SAFE)
    try:
        return image_size(binascii.a2b_base64(start[: len(start) // 4 * 4]))
    except (binascii.Error, ValueError):
        return None


def bytes_in_base64(text: str) -> int:
    """How many bytes `text` holds, rounded up."""
    return (len(text) * 3 + 3) // 4


def image_size(data: bytes) -> Size | None:
    """(width, height), or None."""
    if data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) >= 24:
        size = unpack_from(">II", data, 16)
    elif data[:6] in (b"GIF87a", b"GIF89a") and len(data) >= 10:
        size = unpack_from("<HH", data, 6)
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        size = _webp(data)
    elif data[:2] == b"\xff\xd8":
        size = _jpeg(data)
    else:
        return None
    width, height = size
    return (width, height) if width and height else None


def _webp(data: bytes) -> Size:
    if len(data) < 30:
        return 0, 0
    match data[12:16]:
        case b"VP8X":
            return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
        case b"VP8L":
            bits = int.from_bytes(data[21:25], "little")
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        case b"VP8 ":
            width, height = unpack_from("<HH", data, 26)
            return width & 0x3FFF, height & 0x3FFF
    return 0, 0


def _jpeg(data: bytes) -> Size:
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # filling
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # start of frame
            height, width = unpack_from(">HH", data, at + 5)
            return width, height
        elif marker == 0x01 or 0xD0 <= marker <= 0xD7:  # without a length
            at += 2
        else:
            at += 2 + int(unpack_from(">H", data, at + 2)[0])
    return 0, 0
