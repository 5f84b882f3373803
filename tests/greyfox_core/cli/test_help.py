from typing import Annotated

import pytest
import typer

from greyfox_core.cli.help import add, group


def paint(colour: Annotated[str, typer.Option(help="of the paint")] = "red") -> None:
    """Paint it.

    All of it.

    Example: brush paint --colour blue | wc
    Exit status: 0 painted
    """


def clean() -> None:
    """Clean it.

    Example: brush clean
    Exit status: 0 clean
    """


def test_purpose_then_usage_then_options_then_example(capsys: pytest.CaptureFixture[str]) -> None:
    brush = group("A brush.", {"paint": paint})
    add(brush, "clean", clean)
    typer.main.get_command(brush).main(["paint", "--help"], prog_name="brush", standalone_mode=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:5] == ["Paint it.", "", "All of it.", "", "Usage: brush paint [OPTIONS]"]
    assert lines[6].split()[0] == "--colour" and lines[6].startswith("  ")
    assert lines[-2:] == ["Example: brush paint --colour blue | wc", "Exit status: 0 painted"]


def test_a_noun_lists_its_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    brush = group("A brush.", {"paint": paint, "clean": clean})
    typer.main.get_command(brush).main(["--help"], prog_name="brush", standalone_mode=False)
    out = capsys.readouterr().out
    assert "A brush." in out and "Paint it." in out and "Clean it." in out
