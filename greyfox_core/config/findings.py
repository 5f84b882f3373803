"""What is wrong with a file, by place. A finding knows a path into the tree or a span of the text; a problem is ready
to show.

Units:   lines and columns count from 1, as editors do; lengths are characters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

Place = tuple[str | int, ...]
"""A path into the tree: `("quotas", 0, "period")`."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of one line."""

    line: int
    column: int
    length: int = 1


@dataclass(frozen=True, slots=True)
class Finding:
    """`message` is a sentence without its full stop, and never holds a secret. `on_key`: the key is at fault, not its
    value.
    """

    place: Place
    message: str
    on_key: bool = False
    allowed: tuple[str, ...] = ()
    meant: str | None = None
    span: Span | None = None  # where it is, for what has no place in the tree


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding with its place in the file. `source` is the line there, with secrets blotted out."""

    file: str
    span: Span | None
    message: str
    source: str = ""
    allowed: tuple[str, ...] = ()
    meant: str | None = None

    def text(self) -> str:
        """As a person reads it: place and finding, the line with the token marked, what would be right."""
        if self.span is None:
            return f"{self.file}: {self.message}"
        line, column = self.span.line, self.span.column
        room = max(1, len(self.source) - column + 1)
        indent = "".join("\t" if sign == "\t" else " " for sign in self.source[: column - 1])
        lead = f"  {line} | "
        lines = [
            f"{self.file}:{line}:{column}: {self.message}",
            lead + self.source,
            " " * (len(lead) - 2) + "| " + indent + "^" * min(max(1, self.span.length), room),
        ]
        if self.allowed:
            lines.append(f"  allowed: {', '.join(self.allowed)}")
        if self.meant:
            lines.append(f'  did you mean "{self.meant}"?')
        return "\n".join(lines)


def report(problems: Sequence[Problem]) -> str:
    """All problems, top to bottom, and how many there are."""
    ordered = sorted(problems, key=lambda problem: problem.span or Span(0, 0))
    count = f"{len(ordered)} problem{'s' if len(ordered) != 1 else ''}."
    return "\n\n".join([*(problem.text() for problem in ordered), count])


def nearest(word: str, words: Sequence[str]) -> str | None:
    """What was probably meant."""
    close = get_close_matches(word, words, n=1, cutoff=0.6)
    return close[0] if close else None
