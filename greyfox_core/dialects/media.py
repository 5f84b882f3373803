"""Input tokens of pictures, documents, audio and video, by the formula of the model that reads them.

Units:   tokens an item; sizes in pixels, lengths in bytes of the file (not of its base64).
Errors:  none: an unknown size counts as the largest that the model makes of a picture.
Source:  the providers' pages on vision and files, and measurements where those disagree with bills. Open models and the
         bytes that a second of sound or film has are judgement; docs/usage.md lists all of them.
"""

import re
from dataclasses import dataclass
from math import ceil

from greyfox_core.dialects.image_size import Size

PDF_BYTES_A_TOKEN = 4
SOUND_BYTES_A_SECOND = {"wav": 16_000, "pcm16": 16_000}
LEAST_SOUND_BYTES_A_SECOND = 4_000  # 32 kbit/s: what compressed speech seldom goes below
LEAST_FILM_BYTES_A_SECOND = 25_000
_CLAUDE = re.compile(r"claude-(?:[a-z]+-)?(\d+)(?:[-.](\d{1,2})(?!\d))?")
_GEMINI = re.compile(r"gemini-(\d+)")
_GPT = re.compile(r"gpt-(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class Tiles:
    """OpenAI's older formula: a base, and so much for each 512-pixel tile."""

    base: int
    tile: int

    def tokens(self, size: Size | None, detail: str) -> int:
        if detail == "low":
            return self.base
        if size is None:
            return self.base + 8 * self.tile
        width, height = _fit(size, 2048)
        short = min(width, height)
        if short > 768:
            width, height = width * 768 / short, height * 768 / short
        return self.base + self.tile * ceil(width / 512) * ceil(height / 512)


@dataclass(frozen=True, slots=True)
class Patches:
    """OpenAI's newer formula: patches of 32 pixels times a factor of the model, at most so many patches."""

    factor: float
    most: int
    most_high: int

    def tokens(self, size: Size | None, detail: str) -> int:
        most = self.most_high if detail == "high" else self.most
        patches = most if size is None else min(most, ceil(size[0] / 32) * ceil(size[1] / 32))
        return ceil(patches * self.factor)


def image_tokens(model: str, size: Size | None, detail: str = "auto") -> int:
    """One picture. `detail` is OpenAI's `low|high|auto|original` or Gemini's media resolution."""
    name = model.rpartition("/")[2].lower()
    if openai := _openai_formula(name):
        return openai.tokens(size, detail)
    if claude := _CLAUDE.search(name):
        newer = (int(claude[1]), int(claude[2] or 0)) >= (4, 7)
        return _claude_tokens(size, edge=2576, most=4784) if newer else _claude_tokens(size, edge=1568, most=1568)
    if gemini := _GEMINI.search(name):
        return _gemini_tokens(size, detail, int(gemini[1]))
    if size is None:
        return 16_384
    if "llama" in name:
        return 1_601 * min(4, ceil(size[0] / 560) * ceil(size[1] / 560))
    return ceil(size[0] / 28) * ceil(size[1] / 28)


def document_tokens(length: int) -> int:
    """A PDF whose pages are not counted: as its bytes."""
    return ceil(length / PDF_BYTES_A_TOKEN)


def audio_tokens(model: str, length: int, kind: str) -> int:
    """Sound of unknown length in seconds: as long as its bytes can last."""
    seconds = ceil(length / SOUND_BYTES_A_SECOND.get(kind, LEAST_SOUND_BYTES_A_SECOND))
    return seconds * (32 if "gemini" in model.lower() else 10)


def video_tokens(length: int) -> int:
    """A film of unknown length in seconds: as long as its bytes can last, at the dearest rate."""
    return ceil(length / LEAST_FILM_BYTES_A_SECOND) * 263


def _openai_formula(name: str) -> Tiles | Patches | None:
    if name.startswith("gpt-4o-mini"):
        return Tiles(2833, 5667)
    for prefix, factor in (("gpt-4.1-mini", 1.62), ("gpt-4.1-nano", 2.46), ("o4-mini", 1.72)):
        if name.startswith(prefix):
            return Patches(factor, 1536, 1536)
    if name.startswith(("gpt-5-mini", "gpt-5-nano")):
        return Patches(1.2 if name.startswith("gpt-5-mini") else 1.5, 1536, 1536)
    if name.startswith(("o1", "o3", "o4")):
        return Tiles(75, 150)
    if name.startswith(("gpt-4", "chatgpt-4")):
        return Tiles(85, 170)
    if gpt := _GPT.match(name):
        return Tiles(70, 140) if (int(gpt[1]), int(gpt[2] or 0)) <= (5, 1) else Patches(1.2, 12_500, 2_500)
    return None


def _claude_tokens(size: Size | None, *, edge: int, most: int) -> int:
    if size is None:
        return most + 4
    width, height = _fit(size, edge)
    return min(most, ceil(width / 28) * ceil(height / 28)) + 4


def _gemini_tokens(size: Size | None, detail: str, generation: int) -> int:
    if generation >= 3:
        if size is None and detail == "auto":
            return 2_240
        by_resolution = {"low": 280, "medium": 560, "high": 1_120, "ultra_high": 2_240}
        return by_resolution.get(detail.lower().removeprefix("media_resolution_"), 1_120)
    if size is None:
        return 4_128
    width, height = size
    return 258 if width <= 384 and height <= 384 else 258 * ceil(width / 768) * ceil(height / 768)


def _fit(size: Size, edge: int) -> tuple[float, float]:
    longest = max(size)
    scale = min(1.0, edge / longest)
    return size[0] * scale, size[1] * scale
