"""What a gateway adds to a slow upstream, and what its cache saves. Pure.

Every answer tells for how long the upstream held it back; what it took beyond that was added. What the people are
allowed is what they would reach if nothing were added: their time would be all waiting for the upstream.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bench import text
from bench.figures import mean, percentile
from bench.users import Asked


@dataclass(frozen=True)
class Added:
    """Milliseconds; `added` is the mean of what a miss took beyond the upstream, `of_mean` in per cent of its mean.

    `allowed` is the throughput in per cent of what the people allow.
    """

    name: str
    answers: int
    rate: float
    hits: float
    added: float | None
    added_p99: float | None
    of_mean: float | None
    hit_p50: float | None
    hit_p99: float | None
    allowed: float
    failed: int


def added(name: str, asked: Sequence[Asked], upstream_mean: float) -> Added:
    """From every answer; `upstream_mean` is seconds."""
    good = [one for one in asked if one.status == 200]
    beyond = [one.took - one.held for one in good if not one.hit]
    hits = [one.took for one in good if one.hit]
    by_person = Counter[int]()
    for one in good:
        by_person[one.person] += one.took
    time = sum(by_person.values()) / 1e6  # of all people, all of it between a question and its answer
    extra = mean(beyond)
    return Added(
        name=name,
        answers=len(good),
        rate=len(good) / (time / len(by_person)) if time else 0.0,
        hits=100 * len(hits) / len(good) if good else 0.0,
        added=extra,
        added_p99=percentile(beyond, 99),
        of_mean=None if extra is None else round(extra / upstream_mean / 10, 3),
        hit_p50=percentile(hits, 50),
        hit_p99=percentile(hits, 99),
        allowed=round(100 * sum(one.held for one in good) / 1e6 / time, 2) if time else 0.0,
        failed=len(asked) - len(good),
    )


HEADS = (
    *("", "answers", "req/s", "hits %", "miss + ms", "p99 + ms", "+ % of mean", "hit p50", "hit p99 ms"),
    *("% of allowed", "failed"),
)


def table(found: Sequence[Added]) -> str:
    """For a terminal."""
    return text.table(
        HEADS,
        [
            (
                *(one.name, one.answers, round(one.rate, 1), round(one.hits, 1), one.added, one.added_p99),
                *(one.of_mean, one.hit_p50, one.hit_p99, f"{one.allowed:.2f}", one.failed),
            )
            for one in found
        ],
    )
