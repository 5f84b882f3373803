"""Content parts of OpenAI's family: what a part costs, and what is behind a handle."""

from typing import Any

import pytest

from greyfox_core.dialects.openai_parts import fields_that_count, handles, media_tokens, parts_of


@pytest.mark.parametrize(
    ("part", "tokens"),
    [
        ({"type": "text", "text": "a"}, None),
        ({"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}}, 85),
        ({"type": "image_url", "image_url": {"url": "https://x/y.png"}}, 85 + 8 * 170),
        ({"type": "input_image", "image_url": "https://x/y.png", "detail": "low"}, 85),
        ({"type": "input_image", "file_id": "f"}, 85 + 8 * 170),
        ({"type": "computer_screenshot", "image_url": "data:image/png;base64,AAAA"}, 85 + 8 * 170),
        ({"type": "input_audio", "input_audio": {"data": "A" * 64_000, "format": "wav"}}, 30),
        ({"type": "audio_url", "audio_url": {"url": "data:audio/mp3;base64," + "A" * 8000}}, 20),
        ({"type": "video_url", "video_url": {"url": "data:video/mp4;base64," + "A" * 8000}}, 263),
        ({"type": "video_url", "video_url": {"url": "https://x/y.mp4"}}, 0),
        ({"type": "file", "file": {"file_data": "data:application/pdf;base64," + "A" * 4000}}, 750 + 85 + 8 * 170),
        ({"type": "input_file", "file_data": "A" * 4000}, 750 + 85 + 8 * 170),
        ({"type": "file", "file": {"file_id": "f"}}, None),
    ],
)
def test_what_a_part_costs(part: dict[str, Any], tokens: int | None) -> None:
    assert media_tokens("gpt-4o", part) == tokens


@pytest.mark.parametrize(
    ("part", "found"),
    [
        ({"type": "text", "text": "https://x"}, []),
        ({"image_url": {"url": "https://x"}}, [("a picture behind a URL", False)]),
        ({"image_url": "https://x"}, [("a picture behind a URL", False)]),
        ({"image_url": "data:image/png;base64,AAAA"}, []),
        ({"video_url": {"url": "https://x"}}, [("sound or film behind a URL", True)]),
        ({"audio_url": {"url": "data:audio/mp3;base64,AAAA"}}, []),
        ({"type": "file", "file": {"file_id": "f"}}, [("a stored file", True)]),
        ({"type": "input_file", "file_id": "f"}, [("a stored file", True)]),
        ({"type": "input_image", "file_id": "f"}, [("a stored file", False)]),
        ({"type": "input_file", "file_url": "https://x"}, [("a file behind a URL", True)]),
    ],
)
def test_what_is_behind_a_handle(part: dict[str, Any], found: list[tuple[str, bool]]) -> None:
    assert list(handles(iter([part]))) == found


def test_the_parts_of_tool_results_are_parts_too() -> None:
    items = [{"content": [{"a": 1}]}, {"output": [{"b": 1}]}, {"output": {"c": 1}}, {"content": "text"}, 5]
    assert list(parts_of(items)) == [{"a": 1}, {"b": 1}, {"c": 1}]


def test_an_unset_store_and_false_are_the_same_and_true_is_not() -> None:
    def kept(**body: Any) -> dict[str, Any]:
        return fields_that_count(body, b"", conversation="messages")

    assert kept(a=1) == kept(a=1, store=False) == kept(a=1, store=None) == {"a": 1}
    assert kept(a=1, store=True) == {"a": 1, "store": True}
