"""How commands write: tables for people, JSON and CSV for programs.

Whatever a name holds, no cell can move the cursor, break a line or become a formula.
Source:  https://owasp.org/www-community/attacks/CSV_Injection for the cells that spreadsheets calculate.
"""

import csv
import io
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from rich.cells import cell_len

NOTHING = "–"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write(text: str) -> None:
    """One line or several on stdout."""
    sys.stdout.write(text + "\n")


def remark(text: str) -> None:
    """To the person at the terminal; stdout stays what a program reads."""
    sys.stderr.write(text + "\n")


def write_json(value: Any) -> None:
    """One JSON document on stdout."""
    write(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def write_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns two spaces apart; one whose name begins with `>` holds numbers and stands right."""
    right = [column.startswith(">") for column in columns]
    cells = [[column.removeprefix(">") for column in columns], *([shown(cell) for cell in row] for row in rows)]
    widths = [max(cell_len(row[place]) for row in cells) for place in range(len(columns))]
    for row in cells:
        padded = []
        for cell, width, to_the_right in zip(row, widths, right, strict=True):
            room = " " * (width - cell_len(cell))
            padded.append(room + cell if to_the_right else cell + room)
        write("  ".join(padded).rstrip())


def shown(cell: object) -> str:
    """A cell as a person reads it: numbers by thousands, nothing as a dash, control characters spelled out."""
    if cell is None or cell == "":
        return NOTHING
    if isinstance(cell, int):
        return f"{cell:,}"
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in str(cell))


def write_csv(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """With a head line. A text that a spreadsheet would calculate gets a leading apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")  # RFC 4180; and so a lone CR in a cell is quoted on every Python
    writer.writerow(columns)
    writer.writerows([_inert(row[column]) for column in columns] for row in rows)
    sys.stdout.write(text.getvalue())


def _inert(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
