from array import array
from collections import Counter

from bench.report import Measured, summary, table


def run(name: str, rates: list[float], cpu: float | None, **more: object) -> Measured:
    made = Measured(name, "stock", rates=rates, cpu=cpu, statuses=Counter({"200": 4}), seconds=2.0, load_busy=0.5)
    made.latencies = array("I", [1000, 2000, 3000, 4000])
    made.first_bytes = array("I", [500] * 4)
    for field, value in more.items():
        setattr(made, field, value)
    return made


def test_ratios_are_to_the_baseline_of_the_same_run() -> None:
    stock, fast = summary([run("stock", [90, 110, 100], 0.4), run("fast", [300, 290, 310], 0.1)])
    assert (stock["ratio"], stock["cpu_ratio"]) == (1, 1)
    assert (fast["ratio"], fast["cpu_ratio"]) == (3, 0.25)
    assert fast["cpu_ms_per_request"] == 25
    assert fast["latency_ms"] == {"p50": 2, "p99": 4, "p99.9": 4}
    assert (fast["gateway_busy"], fast["load_busy"]) == (0.05, 0.25)


def test_what_was_not_measured_has_no_ratio() -> None:
    (alone,) = summary([run("fast", [300], 0.1)])
    assert (alone["ratio"], alone["cpu_ratio"]) == (None, None)


def test_a_paced_run_has_no_ratio_of_rates() -> None:
    _, paced = summary([run("stock", [100], 0.4), run("fast at 200/s", [100], 0.1, paced=True)])
    assert (paced["ratio"], paced["cpu_ratio"]) == (None, 0.25)


def test_an_answer_that_was_not_to_come_is_a_failure() -> None:
    refused = run("fast, 401", [10], 0.1, status="401", statuses=Counter({"401": 3, "200": 1}), broken=2)
    assert refused.failures == 3


def test_the_table_has_a_line_for_each_run() -> None:
    lines = table(summary([run("stock", [100], 0.4), run("direct", [9000], None)])).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["stock", "direct"]
    assert len({len(line) for line in lines}) == 1
