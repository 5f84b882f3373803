"""What is counted, in bounded label sets, and that docs/metrics.md says so."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.parser import text_string_to_metric_families

from greyfox_core.cache.ports import Stats
from greyfox_core.metrics import MODELS, OTHER, SLOW, Metrics
from greyfox_core.quota.attempt import Settled
from greyfox_core.values.usage import Usage

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
STATS = Stats(entries=2, size=300, hits=5, misses=7, stored=3, evicted=1, refused=4)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("0.1.0")


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_a_request_is_counted_by_what_it_was(metrics: Metrics) -> None:
    for _ in range(2):
        metrics.request("openai-chat", "openai", "gpt-4o", 200, "miss")
    labels = {"dialect": "openai-chat", "upstream": "openai", "model": "gpt-4o", "status": "200", "cache": "miss"}
    assert value(metrics, "greyfox_requests_total", **labels) == 2


def test_settled_tokens_add_up_to_the_totals(metrics: Metrics) -> None:
    metrics.settled("openai", "gpt-4o", Settled(Usage(100, 50, 30, 20, 40), estimated=False))
    tokens = {
        kind: value(metrics, "greyfox_tokens_total", direction=direction, kind=kind, upstream="openai", model="gpt-4o")
        for direction, kind in (
            ("input", "new"),
            ("input", "cached"),
            ("input", "cache_write"),
            ("output", "visible"),
            ("output", "reasoning"),
        )
    }
    assert tokens == {"new": 50, "cached": 30, "cache_write": 20, "visible": 10, "reasoning": 40}
    assert value(metrics, "greyfox_settlements_total", basis="stated", upstream="openai") == 1


def test_parts_that_exceed_their_total_never_count_down(metrics: Metrics) -> None:
    metrics.settled("openai", "gpt-4o", Settled(Usage(10, 1, 30, 0, 5), estimated=False))
    assert (
        value(metrics, "greyfox_tokens_total", direction="input", kind="new", upstream="openai", model="gpt-4o") is None
    )


@pytest.mark.parametrize(
    ("settled", "basis"),
    [
        (Settled(Usage(1, 1), estimated=False), "stated"),
        (Settled(Usage(1, 1), estimated=True), "estimated"),
        (Settled(Usage(1, 1), estimated=True, implausible=True), "implausible"),
    ],
)
def test_settlements_tell_their_basis(metrics: Metrics, settled: Settled, basis: str) -> None:
    metrics.settled("openai", "gpt-4o", settled)
    assert value(metrics, "greyfox_settlements_total", basis=basis, upstream="openai") == 1


def test_overshoot_is_counted_apart(metrics: Metrics) -> None:
    metrics.settled("openai", "m", Settled(Usage(1, 1), estimated=False, overshoot_output=7))
    assert value(metrics, "greyfox_overshoot_tokens_total", direction="output", model="m") == 7
    assert value(metrics, "greyfox_overshoot_tokens_total", direction="input", model="m") is None


def test_names_beyond_the_bound_count_together(metrics: Metrics) -> None:
    for number in range(MODELS + 50):
        metrics.saved(f"model-{number}", Usage(1, 2))
    assert value(metrics, "greyfox_saved_tokens_total", direction="output", model=OTHER) == 100
    assert value(metrics, "greyfox_saved_tokens_total", direction="output", model="model-0") == 2
    metrics.saved("model-0", Usage(1, 2))
    assert value(metrics, "greyfox_saved_tokens_total", direction="output", model="model-0") == 4


def test_gauges_go_up_and_down(metrics: Metrics) -> None:
    for change in (1, 1, -1):
        metrics.in_flight(change)
        metrics.open_tunnels(change)
    assert value(metrics, "greyfox_requests_in_flight") == 1
    assert value(metrics, "greyfox_tunnels_open") == 1


def test_durations_and_groups_are_histograms(metrics: Metrics) -> None:
    metrics.latency("anthropic", "hit", 0.2)
    metrics.first_byte("anthropic", 0.3)
    metrics.overhead("hit", 0.001)
    metrics.journal_commit(12, 0.004)
    assert value(metrics, "greyfox_request_seconds_sum", dialect="anthropic", cache="hit") == 0.2
    assert value(metrics, "greyfox_first_byte_seconds_count", upstream="anthropic") == 1
    assert value(metrics, "greyfox_overhead_seconds_bucket", cache="hit", le="0.001") == 1
    assert value(metrics, "greyfox_journal_group_size_sum") == 12
    assert value(metrics, "greyfox_journal_commit_seconds_sum") == 0.004


@given(st.lists(st.floats(0, 1000) | st.sampled_from([0.005, 1.0, 600.0]), max_size=30))
def test_buckets_are_filled_as_prometheus_own_histogram_fills_them(seconds: list[float]) -> None:
    metrics, registry = Metrics(), CollectorRegistry()
    theirs = Histogram("greyfox_request_seconds", "x", ("dialect", "cache"), registry=registry, buckets=SLOW)
    for each in seconds:
        metrics.latency("anthropic", "hit", each)
        theirs.labels("anthropic", "hit").observe(each)

    def samples(of: CollectorRegistry) -> dict[tuple[str, str], float]:
        return {
            (sample.name, sample.labels.get("le", "")): sample.value
            for family in of.collect()
            for sample in family.samples
            if sample.name.startswith("greyfox_request_seconds_") and not sample.name.endswith("_created")
        }

    assert samples(metrics.registry) == pytest.approx(samples(registry))


def test_the_rest_is_counted_under_its_label(metrics: Metrics) -> None:
    metrics.refused("greyfox_quota_exhausted")
    metrics.fail_closed("quota.request")
    metrics.config_reload("refused")
    metrics.shadow("api.cohere.com", "observed")
    metrics.tunnel("denied")
    assert value(metrics, "greyfox_refused_total", code="greyfox_quota_exhausted") == 1
    assert value(metrics, "greyfox_fail_closed_total", where="quota.request") == 1
    assert value(metrics, "greyfox_config_reloads_total", result="refused") == 1
    assert value(metrics, "greyfox_shadow_total", host="api.cohere.com", action="observed") == 1
    assert value(metrics, "greyfox_tunnels_total", outcome="denied") == 1


def test_the_cache_is_read_when_metrics_are(metrics: Metrics) -> None:
    metrics.watch_cache(lambda: STATS)
    assert value(metrics, "greyfox_cache_entries") == 2
    assert value(metrics, "greyfox_cache_bytes") == 300
    events = {
        event: value(metrics, "greyfox_cache_events_total", event=event) for event in ("hit", "evicted", "too_large")
    }
    assert events == {"hit": 5, "evicted": 1, "too_large": 4}


def test_two_of_them_share_nothing() -> None:
    one, other = Metrics(), Metrics()
    one.in_flight(1)
    assert value(other, "greyfox_requests_in_flight") == 0


def test_the_exposition_is_prometheus_text(metrics: Metrics) -> None:
    metrics.refused('odd"\n\\')
    families = {family.name for family in text_string_to_metric_families(metrics.exposition().decode())}
    assert {"greyfox_refused", "greyfox_requests_in_flight", "process_resident_memory_bytes"} <= families


def documented() -> dict[str, set[str]]:
    """Name and labels of each row of the page's tables."""
    rows = re.findall(r"^\| `(greyfox_\w+)` \|([^|]*)\|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}


def test_the_page_and_the_registry_agree(metrics: Metrics) -> None:
    metrics.watch_cache(lambda: STATS)
    suffix = {"counter": "_total"}
    names = {
        family.name + suffix.get(family.type, "")
        for family in metrics.registry.collect()
        if family.name.startswith("greyfox_")
    }
    assert set(documented()) == names


def test_the_page_names_the_labels(metrics: Metrics) -> None:
    metrics.request("d", "u", "m", 200, "miss")
    metrics.settled("u", "m", Settled(Usage(1, 1), estimated=False, overshoot_input=1))
    metrics.saved("m", Usage(1, 1))
    metrics.latency("d", "hit", 1)
    metrics.first_byte("u", 1)
    metrics.overhead("hit", 1)
    metrics.watch_cache(lambda: STATS)
    test_the_rest_is_counted_under_its_label(metrics)
    page = documented()
    for family in metrics.registry.collect():
        for sample in family.samples:
            if sample.name.startswith("greyfox_"):
                name = family.name + ("_total" if family.type == "counter" else "")
                assert set(sample.labels) - {"le"} == page[name], name
