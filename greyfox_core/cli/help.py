"""How commands explain themselves. A command's docstring is its help: purpose, then example and exit status.

Purpose.
Usage: …
  --option  …
Example: …
Exit status: …
"""

from collections.abc import Callable, Mapping
from typing import Any

import typer
from typer.core import TyperCommand

WIDTH = {"max_content_width": 100}  # columns


class Command(TyperCommand):
    """A command whose help has that order."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write it. Types of the two differ between versions of the library."""
        purpose, _, example = (self.help or "").partition("\n\nExample")
        formatter.write(purpose.rstrip() + "\n\n")
        self.format_usage(ctx, formatter)
        formatter.write("\n")
        records = [parameter.get_help_record(ctx) for parameter in self.get_params(ctx)]
        formatter.indent()
        formatter.write_dl([record for record in records if record is not None])
        formatter.dedent()
        formatter.write(f"\nExample{example.rstrip()}\n")


def group(about: str, commands: Mapping[str, Callable[..., Any]]) -> typer.Typer:
    """A noun and its verbs."""
    made = typer.Typer(
        help=about,
        rich_markup_mode=None,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings=WIDTH,
    )
    for name, command in commands.items():
        add(made, name, command)
    return made


def add(to: typer.Typer, name: str, command: Callable[..., Any], **settings: Any) -> None:
    """Register a command; `settings` are the parser's."""
    to.command(name, cls=Command, context_settings=WIDTH | settings)(command)
