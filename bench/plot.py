"""Figures as SVG, by matplotlib, which is not needed for anything else: `pip install 'greyfox[bench]'`."""

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.processes import DidNotStart
from bench.report import Row

COLOURS = ("#1f6f8b", "#c8553d", "#6a994e", "#7b5ea7", "#8d99ae")
Lines = Mapping[str, Sequence[tuple[float, float]]]


def check() -> None:
    """Raises DidNotStart where matplotlib is missing: before a run, not after it."""
    try:
        importlib.import_module("matplotlib")
    except ImportError:
        raise DidNotStart("plots need matplotlib: pip install --require-hashes -r requirements/bench.txt") from None


def comparison(rows: Sequence[Row], folder: Path) -> None:
    """Requests a second and CPU a request to stock's; latencies of the paced runs."""
    compared = [row for row in rows if row["ratio"] is not None]
    bars(folder / "ratio.svg", "requests a second, × stock mitmdump", {row["name"]: row["ratio"] for row in compared})
    spent = {row["name"]: row["cpu_ratio"] for row in compared if row["cpu_ratio"] is not None}
    bars(folder / "cpu.svg", "CPU a request, × stock mitmdump", spent)
    paced = {row["name"]: row["latency_ms"]["p99"] for row in rows if " at " in row["name"]}
    bars(folder / "latency.svg", "p99 in ms, paced", {name: value for name, value in paced.items() if value})


def bars(file: Path, title: str, values: Mapping[str, float]) -> None:
    """A bar a value, each with its number, a colour a gateway. Nothing where there are none."""
    if not values:
        return
    axes = _axes(1 + 0.28 * len(values))
    gateways = list(dict.fromkeys(name.partition(",")[0] for name in values))
    colours = [COLOURS[gateways.index(name.partition(",")[0]) % len(COLOURS)] for name in values]
    drawn = axes.barh(list(values), list(values.values()), color=colours, height=0.65)
    axes.bar_label(drawn, fmt="{:,.3g}", padding=3, fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_title(title, loc="left", fontsize=10)
    _save(axes, file)


def lines(file: Path, title: str, across: str, series: Lines, *, logarithmic: bool = True) -> None:
    """A line a series; y begins at nought. Nothing where there are none."""
    if not series:
        return
    axes = _axes(3)
    for number, (name, points) in enumerate(series.items()):
        xs, ys = [x for x, _ in points], [y for _, y in points]
        axes.plot(xs, ys, marker="o", markersize=4, color=COLOURS[number % len(COLOURS)], label=name)
    if logarithmic:
        axes.set_xscale("symlog", linthresh=1)
        axes.xaxis.set_major_formatter(lambda size, _: f"{size:,.0f}")
    axes.set_ylim(bottom=0)
    axes.set_xlabel(across, fontsize=8)
    axes.set_title(title, loc="left", fontsize=10)
    axes.grid(axis="y", linewidth=0.4, color="#cccccc")
    axes.legend(fontsize=8, frameon=False)
    _save(axes, file)


def _axes(height: float) -> Any:
    check()
    matplotlib: Any = importlib.import_module("matplotlib")
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "greyfox", "font.size": 8})
    pyplot: Any = importlib.import_module("matplotlib.pyplot")
    _, axes = pyplot.subplots(figsize=(6.4, height), layout="constrained")
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def _save(axes: Any, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    axes.figure.savefig(file, metadata={"Date": None})
    importlib.import_module("matplotlib.pyplot").close(axes.figure)
