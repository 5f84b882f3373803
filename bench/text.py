"""Tables for a terminal, and how numbers are written in them. Pure."""

import sys
from collections.abc import Sequence

Cell = str | int | float | None


def written(cell: Cell) -> str:
    """A dash for what is not known; thousands apart; as many digits as a reader can use."""
    if cell is None:
        return "–"
    if isinstance(cell, float) and abs(cell) < 100:
        return f"{cell:.3g}" if abs(cell) < 10 else f"{cell:.1f}"
    return cell if isinstance(cell, str) else f"{cell:,.0f}"


def table(heads: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """Words left in the first column, numbers right in the others."""
    lines = [list(heads), *([written(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def say(text: str) -> None:
    """How far it is; the figures alone go to standard output."""
    print(text, file=sys.stderr, flush=True)
