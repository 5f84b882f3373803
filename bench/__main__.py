"""`python -m bench [COMMAND]`: how fast GreyFox is on this machine. Without a command: `run`.

Needs the test dependencies and nothing outside the machine; docs/performance.md says what each figure is.
"""

import argparse
import importlib
import signal
import sys
from collections.abc import Sequence

from bench.machine import raise_open_files
from bench.processes import DidNotStart

SUMMARY = "How fast GreyFox is on this machine. Without a command: run. Each command has its own --help."
COMMANDS = {
    "run": ("bench.run", "compare with stock mitmdump, other gateways and no gateway, in one run"),
    "compare": ("bench.compare", "the ratios of a run beside stored ones"),
    "growth": (
        "bench.growth.command",
        "how speed changes with keys, quotas, rules, entries, rows, sizes and connections",
    ),
    "seed": ("bench.seed", "a hundred people asking a model that takes 1.2 s: what GreyFox adds and saves"),
    "soak": ("bench.soak", "whether memory grows under a steady load"),
}


def main(arguments: Sequence[str]) -> int:
    """The exit status of the command."""
    first = arguments[0] if arguments else "run"
    if first.startswith("-") and first not in ("-h", "--help"):
        arguments = ["run", *arguments]
    elif not arguments:
        arguments = ["run"]
    parser = argparse.ArgumentParser(prog="python -m bench", description=SUMMARY)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    chosen = [name for name in COMMANDS if name == arguments[0]]
    for name, (module, words) in COMMANDS.items():
        command = commands.add_parser(name, help=words, description=words)
        if name in chosen:  # the others are not imported
            loaded = importlib.import_module(module)
            command.description = (loaded.__doc__ or "").partition(": ")[2]
            loaded.add_arguments(command)
            command.set_defaults(main=loaded.main)
    options = parser.parse_args(arguments)
    raise_open_files()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that what was started is ended
    try:
        return int(options.main(options))
    except DidNotStart as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
