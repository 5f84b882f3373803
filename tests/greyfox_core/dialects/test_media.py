"""Tokens of pictures, documents, sound and film by the model's own formula."""

import pytest

from greyfox_core.dialects.image_size import Size
from greyfox_core.dialects.media import audio_tokens, document_tokens, image_tokens, video_tokens


@pytest.mark.parametrize(
    ("model", "size", "detail", "tokens"),
    [
        ("gpt-4o", (1024, 1024), "high", 765),
        ("gpt-4o", (1024, 1024), "low", 85),
        ("gpt-4o", (2048, 4096), "high", 1105),
        ("gpt-4o", (100, 100), "auto", 255),
        ("gpt-4o", None, "auto", 85 + 8 * 170),
        ("openai/gpt-4o-2024-11-20", (1024, 1024), "high", 765),
        ("gpt-4o-mini", None, "auto", 2833 + 8 * 5667),
        ("gpt-5", (1024, 1024), "high", 70 + 4 * 140),
        ("gpt-5.1", None, "low", 70),
        ("o3", (1024, 1024), "high", 75 + 4 * 150),
        ("gpt-4.1-mini", (1024, 1024), "auto", 1659),
        ("gpt-4.1-nano", None, "low", 3779),
        ("o4-mini", (4096, 4096), "auto", 2642),
        ("gpt-5-nano", None, "auto", 2304),
        ("gpt-5-mini", (64, 64), "auto", 5),
        ("gpt-5.4", None, "auto", 15_000),
        ("gpt-5.4", None, "high", 3_000),
        ("gpt-6", (1024, 1024), "auto", 1229),
        ("claude-sonnet-4-5-20250929", None, "auto", 1572),
        ("claude-3-haiku-20240307", (28, 28), "auto", 5),
        ("claude-opus-4-6", (3136, 3136), "auto", 1572),
        ("claude-opus-4-7", None, "auto", 4788),
        ("claude-sonnet-5-5", (2576, 2576), "auto", 4788),
        ("anthropic.claude-opus-5", (560, 280), "auto", 204),
        ("gemini-2.5-flash", (384, 384), "auto", 258),
        ("gemini-2.5-flash", (1000, 500), "auto", 516),
        ("gemini-2.5-flash", None, "auto", 4128),
        ("gemini-3-pro", None, "auto", 2240),
        ("gemini-3-pro", (10, 10), "auto", 1120),
        ("gemini-3-pro", None, "MEDIA_RESOLUTION_LOW", 280),
        ("gemini-3.8-flash", None, "MEDIA_RESOLUTION_ULTRA_HIGH", 2240),
        ("qwen2.5-vl", (280, 280), "auto", 100),
        ("llama-4-scout", (1000, 1000), "auto", 4 * 1601),
        ("something-else", None, "auto", 16_384),
    ],
)
def test_pictures(model: str, size: Size | None, detail: str, tokens: int) -> None:
    assert image_tokens(model, size, detail) == tokens


def test_documents_sound_and_film() -> None:
    assert document_tokens(4001) == 1001
    assert audio_tokens("gpt-4o-audio", 16_001, "wav") == 20
    assert audio_tokens("gpt-4o-audio", 4_000, "mp3") == 10
    assert audio_tokens("gemini-2.5-flash", 4_000, "mp3") == 32
    assert video_tokens(25_001) == 526
