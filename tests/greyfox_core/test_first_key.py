"""What the very first start says."""

from greyfox_core.connect_lines import connect_lines
from greyfox_core.first_key import FirstKey, welcome

ADDRESS = "http://127.0.0.1:9000"


def test_every_line_of_every_tool_is_shown_beneath_its_name() -> None:
    shown = [line.strip() for line in welcome(FirstKey("alice", "gf_x"), ADDRESS, "greyfox").splitlines()]

    for tool, lines in connect_lines(ADDRESS, "gf_x").items():
        place = shown.index(f"# {tool}") + 1
        assert shown[place : place + len(lines)] == lines


def test_the_command_is_named_as_the_reader_can_type_it() -> None:
    assert ".venv/bin/greyfox key create --user NAME" in welcome(FirstKey("a", "gf_x"), ADDRESS, ".venv/bin/greyfox")
