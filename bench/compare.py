"""`python -m bench compare FIGURES`: the ratios of a run beside stored ones. Exit status 1 where one is worse.

Ratios to stock mitmdump in the same run are compared, never absolute figures; 2 where the two share no figure.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from bench.ratios import changes, ratios_of, table

BASELINE = Path(__file__).with_name("baseline.json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("figures", type=Path, metavar="FIGURES", help="what `run --json` wrote")
    parser.add_argument("--against", type=Path, default=BASELINE, metavar="FILE", help="default bench/baseline.json")
    parser.add_argument("--tolerance", type=float, default=0.15, metavar="SHARE", help="default 0.15: 15 per cent")
    parser.add_argument("--store", metavar="NAME", help="instead: store the ratios there, under that name")


def main(options: argparse.Namespace) -> int:
    """Compare and print."""
    figures: dict[str, Any] = json.loads(options.figures.read_text(encoding="utf-8"))
    now = ratios_of(figures)
    if options.store:
        stored = {"name": options.store, "ratios": now}
        options.against.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
        return 0
    before = json.loads(options.against.read_text(encoding="utf-8"))
    found = changes(before["ratios"], now, options.tolerance)
    print(f"before: {before['name']}\n{table(found)}")
    if not any(change.share is not None for change in found):
        print("the two share no figure", file=sys.stderr)
        return 2
    worse = [change for change in found if change.worse]
    if worse:
        names = ", ".join(dict.fromkeys(change.name for change in worse))
        print(f"worse by more than {options.tolerance:.0%}: {names}", file=sys.stderr)
    return 1 if worse else 0
