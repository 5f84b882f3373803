"""The operator's command line: `greyfox NOUN VERB`.

Exit status: 0 done, 1 failed, 2 wrong usage. Whatever fails is said in one line on stderr, as `{"error": …}` under
`--json`, and never with a traceback: it could quote a secret.
"""

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import typer

from greyfox_core.cli import ca, config, doctor, env, key, me, quota, run, usage, user
from greyfox_core.cli.desk import Desk, Failed
from greyfox_core.cli.help import add, group
from greyfox_core.errors import ConfigError, Refused, StoreUnavailable

FAILED, USAGE = 1, 2
# The parser's own error, whichever module this version of the library keeps it in.
PARSER_ERROR: type[Any] = typer.BadParameter.__mro__[2]


def build() -> typer.Typer:
    """All commands."""
    root = group("GreyFox, the token-economy control plane for LLM traffic: the operator's command line.", {})
    add(root, "run", run.run, ignore_unknown_options=True, allow_extra_args=True)
    nouns = {"key": key, "user": user, "quota": quota, "config": config, "ca": ca}
    for name, noun in nouns.items():
        root.add_typer(noun.commands(), name=name)
    verbs: dict[str, Callable[..., Any]] = {
        "usage": usage.usage,
        "me": me.me,
        "env": env.env,
        "doctor": doctor.doctor,
    }
    for name, command in verbs.items():
        add(root, name, command)
    return root


def main(arguments: Sequence[str] | None = None, desk: Desk | None = None) -> int:
    """Run one command; the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that knows no dash gets its code, not an exception
            stream.reconfigure(errors="backslashreplace")
    try:
        command = typer.main.get_command(build())
        status = command.main(args=words, prog_name="greyfox", standalone_mode=False, obj=desk or Desk())
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except Exception as error:
        return _tell(error, as_json="--json" in words)


def _tell(error: Exception, *, as_json: bool) -> int:
    status, text = FAILED, _words(error)
    if isinstance(error, PARSER_ERROR):
        status = USAGE
        context = getattr(error, "ctx", None)
        if context is not None:
            text = f"{text.rstrip('.')} (see {context.command_path} --help)"
    sys.stderr.write((orjson.dumps({"error": text}).decode() if as_json else f"greyfox: {text}") + "\n")
    return status


def _words(error: Exception) -> str:
    if isinstance(error, PARSER_ERROR):
        return str(error.format_message())
    match error:
        case StoreUnavailable() if error.__cause__ is not None:
            cause = getattr(error.__cause__, "orig", None) or error.__cause__
            return f"the database does not answer: {cause}"
        case Refused():
            return error.message
        case ConfigError() | Failed():
            return str(error)
        case OSError():
            return f"{error.filename}: {error.strerror}" if error.filename else str(error)
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"this is a fault of GreyFox: {type(error).__name__} in {Path(last.filename).name}:{last.lineno}"


if __name__ == "__main__":
    sys.exit(main())
