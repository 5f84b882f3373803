"""What GreyFox counts, for Prometheus. docs/metrics.md explains each name.

Every label comes from a closed or a bounded set: names beyond the bound count under `other`. No label holds a user, a
key, a prompt or an answer.

To count is to add to a plain number, which one thread alone does; Prometheus' own form is made when it is asked for.

Units: tokens, seconds, bytes, as the names say.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Literal

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from greyfox_core.cache.ports import Stats
from greyfox_core.quota.attempt import Settled
from greyfox_core.values.usage import Usage

Direction = Literal["input", "output"]

MODELS = 100  # distinct names a label may have; later ones count under OTHER
UPSTREAMS = 50
HOSTS = 100
PLACES = 50
OTHER = "other"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"  # of Prometheus' text format

_QUICK = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0)  # seconds, for our own work
SLOW = (0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)  # for an upstream's
_GROUP = (1, 2, 5, 10, 20, 50, 100, 200, 500)  # records


class _Bounded:
    """The first `most` distinct names as they are, later ones as OTHER."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def __call__(self, name: str) -> str:
        if name in self._known:
            return name
        if len(self._known) >= self._most:
            return OTHER
        self._known.add(name)
        return name


class _Counters(Collector):
    """A labelled counter: a number for each set of labels."""

    def __init__(self, name: str, text: str, labels: tuple[str, ...]) -> None:
        self._of = (name, text, labels)
        self._values: dict[tuple[str, ...], float] = {}

    def add(self, *labels: str, amount: float = 1) -> None:
        values = self._values
        values[labels] = values.get(labels, 0) + amount

    def collect(self) -> Iterator[Metric]:
        name, text, labels = self._of
        family = CounterMetricFamily(name, text, labels=labels)
        for values, count in list(self._values.items()):
            family.add_metric(values, count)
        yield family


class _Histograms(Collector):
    """The same for histograms: how many fell into each bucket, beyond the last one, and their sum."""

    def __init__(self, name: str, text: str, bounds: tuple[float, ...], labels: tuple[str, ...] = ()) -> None:
        self._of = (name, text, labels)
        self._bounds = bounds
        self._figures: dict[tuple[str, ...], list[float]] = {}
        if not labels:
            self._figures[()] = self._empty()

    def observe(self, amount: float, *labels: str) -> None:
        figures = self._figures.get(labels)
        if figures is None:
            figures = self._figures[labels] = self._empty()
        figures[bisect_left(self._bounds, amount)] += 1
        figures[-1] += amount

    def collect(self) -> Iterator[Metric]:
        name, text, labels = self._of
        family = HistogramMetricFamily(name, text, labels=labels)
        bounds = [*map(floatToGoString, self._bounds), "+Inf"]
        for values, figures in list(self._figures.items()):
            *counts, total = list(figures)
            family.add_metric(values, list(zip(bounds, accumulate(counts), strict=True)), total)
        yield family

    def _empty(self) -> list[float]:
        return [0.0] * (len(self._bounds) + 2)


class _Level(Collector):
    """A gauge without labels."""

    def __init__(self, name: str, text: str) -> None:
        self._of = (name, text)
        self.value = 0

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(*self._of, value=self.value)


class Metrics:
    """One registry of its own; what happens is told by the methods. Cheap enough for every request."""

    def __init__(self, version: str = "") -> None:
        """`version` is GreyFox's own, for `greyfox_info`."""
        self.registry = registry = CollectorRegistry()
        self._model, self._upstream = _Bounded(MODELS), _Bounded(UPSTREAMS)
        self._host, self._place = _Bounded(HOSTS), _Bounded(PLACES)

        def shown[C: Collector](collector: C) -> C:
            registry.register(collector)
            return collector

        def counters(name: str, text: str, *labels: str) -> _Counters:
            return shown(_Counters(f"greyfox_{name}", text, labels))

        def histograms(name: str, text: str, bounds: tuple[float, ...], *labels: str) -> _Histograms:
            return shown(_Histograms(f"greyfox_{name}", text, bounds, labels))

        self._requests = counters(
            "requests", "Governed requests answered.", "dialect", "upstream", "model", "status", "cache"
        )
        self._refused = counters("refused", "Requests that GreyFox itself refused.", "code")
        self._tokens = counters("tokens", "Tokens settled.", "direction", "kind", "upstream", "model")
        self._saved = counters("saved_tokens", "Tokens of answers served from the cache.", "direction", "model")
        self._settlements = counters("settlements", "Attempts settled.", "basis", "upstream")
        self._overshoot = counters("overshoot_tokens", "Tokens billed beyond their reservation.", "direction", "model")
        self._fail_closed = counters("fail_closed", "Requests refused because a step failed.", "where")
        self._shadow = counters("shadow", "Requests to known LLM hosts that no upstream names.", "host", "action")
        self._tunnels = counters("tunnels", "Tunnels asked for.", "outcome")
        self._reloads = counters("config_reloads", "Changes of the configuration.", "result")
        self._duration = histograms("request_seconds", "From a request to its answer's end.", SLOW, "dialect", "cache")
        self._first = histograms("first_byte_seconds", "An upstream's time to its answer's head.", SLOW, "upstream")
        self._overhead = histograms("overhead_seconds", "GreyFox's own share, up to the head.", _QUICK, "cache")
        self._commit = histograms("journal_commit_seconds", "One durable write of the journal.", _QUICK)
        self._group = histograms("journal_group_size", "Records in one durable write.", _GROUP)
        self._in_flight = shown(_Level("greyfox_requests_in_flight", "Governed requests under way."))
        self._open_tunnels = shown(_Level("greyfox_tunnels_open", "Tunnels open now."))
        info = Gauge("greyfox_info", "Always 1; the version is its label.", ("version",), registry=registry)
        info.labels(version).set(1)
        ProcessCollector(registry=registry)

    # --- requests

    def request(self, dialect: str, upstream: str, model: str, status: int, cache: str) -> None:
        """One governed request has its answer. Empty names where it got none."""
        self._requests.add(dialect, self._upstream(upstream), self._model(model), str(status), cache)

    def refused(self, code: str) -> None:
        """GreyFox refused, with this machine-readable code."""
        self._refused.add(code)

    def in_flight(self, change: int) -> None:
        """+1 where a request begins, -1 where it ends."""
        self._in_flight.value += change

    def latency(self, dialect: str, cache: str, seconds: float) -> None:
        """From the request's head to its answer's last byte."""
        self._duration.observe(seconds, dialect, cache)

    def first_byte(self, upstream: str, seconds: float) -> None:
        """From sending an attempt to the head of its answer."""
        self._first.observe(seconds, self._upstream(upstream))

    def overhead(self, cache: str, seconds: float) -> None:
        """GreyFox's own time up to the answer's head: what `x-greyfox-overhead-ms` says."""
        self._overhead.observe(seconds, cache)

    def fail_closed(self, where: str) -> None:
        """A step raised and its request was refused."""
        self._fail_closed.add(self._place(where))

    # --- tokens

    def settled(self, upstream: str, model: str, settled: Settled) -> None:
        """An attempt is settled: its tokens, on which basis, and what went beyond the reservation."""
        upstream, model = self._upstream(upstream), self._model(model)
        basis = "implausible" if settled.implausible else "estimated" if settled.estimated else "stated"
        self._settlements.add(basis, upstream)
        usage = settled.usage
        self._add_tokens("input", "cached", upstream, model, usage.input_cached_read)
        self._add_tokens("input", "cache_write", upstream, model, usage.input_cache_write)
        self._add_tokens(
            "input", "new", upstream, model, usage.input_total - usage.input_cached_read - usage.input_cache_write
        )
        self._add_tokens("output", "reasoning", upstream, model, usage.output_reasoning)
        self._add_tokens("output", "visible", upstream, model, usage.output_total - usage.output_reasoning)
        if settled.overshoot_input > 0:
            self._overshoot.add("input", model, amount=settled.overshoot_input)
        if settled.overshoot_output > 0:
            self._overshoot.add("output", model, amount=settled.overshoot_output)

    def saved(self, model: str, usage: Usage) -> None:
        """An answer came from the cache: what it had cost the first time."""
        model = self._model(model)
        self._saved.add("input", model, amount=usage.input_total)
        self._saved.add("output", model, amount=usage.output_total)

    def _add_tokens(self, direction: Direction, kind: str, upstream: str, model: str, tokens: int) -> None:
        if tokens > 0:
            self._tokens.add(direction, kind, upstream, model, amount=tokens)

    # --- journal, configuration

    def journal_commit(self, records: int, seconds: float) -> None:
        """The journal has made a group of records durable."""
        self._group.observe(records)
        self._commit.observe(seconds)

    def config_reload(self, result: Literal["applied", "refused"]) -> None:
        """The configuration's file has changed."""
        self._reloads.add(result)

    # --- tunnels

    def shadow(self, host: str, action: Literal["observed", "denied"]) -> None:
        """A known LLM host was asked for that no upstream names."""
        self._shadow.add(self._host(host), action)

    def tunnel(self, outcome: Literal["opened", "denied", "failed"]) -> None:
        """A tunnel was asked for."""
        self._tunnels.add(outcome)

    def open_tunnels(self, change: int) -> None:
        """+1 where a tunnel opens, -1 where it closes."""
        self._open_tunnels.value += change

    # --- read when asked for

    def watch_cache(self, stats: Callable[[], Stats]) -> None:
        """Show the cache's figures, read when metrics are."""
        self.registry.register(_CacheFigures(stats))

    def exposition(self) -> bytes:
        """Everything in Prometheus' text format (CONTENT_TYPE); some milliseconds, so call it in a thread."""
        return generate_latest(self.registry)


class _CacheFigures(Collector):
    def __init__(self, stats: Callable[[], Stats]) -> None:
        self._stats = stats

    def collect(self) -> Iterator[Metric]:
        stats = self._stats()
        yield GaugeMetricFamily("greyfox_cache_entries", "Entries in the cache.", value=stats.entries)
        yield GaugeMetricFamily("greyfox_cache_bytes", "What the entries take.", value=stats.size)
        events = CounterMetricFamily("greyfox_cache_events", "What happened in the cache.", labels=("event",))
        for event, count in (
            ("hit", stats.hits),
            ("miss", stats.misses),
            ("stored", stats.stored),
            ("evicted", stats.evicted),
            ("too_large", stats.refused),
        ):
            events.add_metric((event,), count)
        yield events
