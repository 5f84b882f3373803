from datetime import datetime
from typing import Any

import pytest

from greyfox_core.config.schema import RateLimit
from greyfox_core.errors import QuotaBusy, QuotaExhausted
from greyfox_core.quota.reckoning import Block
from greyfox_core.quota.refusals import refusal, too_fast
from tests.greyfox_core.quota.house import counter, quota

EVENING = datetime.fromisoformat("2026-11-24T18:00:00+01:00")


def test_the_sentence_of_the_contract() -> None:
    one = counter(quota(output_tokens=2000, timezone="Europe/Berlin"), now=EVENING, output=(2000, 0))
    refused = refusal(Block(one, "output", 0, busy=False), EVENING)
    assert isinstance(refused, QuotaExhausted)
    assert refused.message == (
        "Daily output-token quota of user alice is used up (2,000 of 2,000). It resets at 2026-11-25T00:00:00+01:00."
    )
    assert refused.retry_after == 6 * 3600
    assert not refused.retryable


@pytest.mark.parametrize(
    ("words", "sides", "needs", "start"),
    [
        (
            {"period": "week"},
            {"input": (1000, 0)},
            5,
            "Weekly input-token quota of user alice is used up (1,000 of 1,000).",
        ),
        (
            {"period": "month"},
            {"input": (1200, 0)},
            5,
            "Monthly input-token quota of user alice is used up (1,200 of 1,000).",
        ),
        (
            {},
            {"input": (990, 0)},
            50,
            "Daily input-token quota of user alice has 10 of 1,000 left; this request needs 50.",
        ),
        ({}, {}, 1500, "Daily input-token quota of user alice is 1,000; this request alone needs 1,500."),
    ],
)
def test_it_says_whose_which_how_much(words: dict[str, Any], sides: dict[str, Any], needs: int, start: str) -> None:
    one = counter(quota(input_tokens=1000, **words), **sides)
    assert refusal(Block(one, "input", needs, busy=False), EVENING).message.startswith(f"{start} It resets at ")


def test_busy_can_be_tried_again_in_a_second() -> None:
    one = counter(quota(output_tokens=2000), output=(100, 1900))
    refused = refusal(Block(one, "output", 1, busy=True), EVENING)
    assert isinstance(refused, QuotaBusy)
    assert (refused.retry_after, refused.retryable) == (1, True)
    assert "1,900 of 2,000" in refused.message


def test_a_rate_limit_says_when_there_is_room() -> None:
    limit = RateLimit(name="burst", requests_per_minute=1000)
    refused = too_fast(limit, '{"key":"key_a"}', "requests", 1000, 1.2)
    assert refused.message == "Rate limit burst of key key_a is reached: 1,000 requests a minute. There is room in 2 s."
    assert refused.retry_after == 2
    assert too_fast(limit, '{"key":"key_a"}', "requests", 1000, 0.001).retry_after == 1
