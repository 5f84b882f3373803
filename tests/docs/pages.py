"""README and the pages of docs/, taken apart: code blocks, links, command lines."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))
ENDS_A_COMMAND = frozenset(";|&<>()")

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_SUBSTITUTION = re.compile(r'"\$\(([^")]*)\)"')  # in quotes, which would make one word of it
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of one language, "" for none."""
    return [text for label, text in _BLOCK.findall(text_of(page)) if label == language]


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return _BLOCK.sub("", text_of(page))


def inline_code(page: Path) -> list[str]:
    return _INLINE.findall(prose(page))


def links(page: Path) -> list[str]:
    return _LINK.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """What a link may name behind `#`, as forges make it of headings."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in _HEADING.findall(prose(page))}


def shell_lines(page: Path) -> Iterator[str]:
    """Lines that a reader would type: of `sh` blocks, behind `$` in plain ones, and what a service starts."""
    for block in blocks(page, "sh"):
        yield from block.replace("\\\n", " ").splitlines()
    for block in blocks(page, ""):
        yield from (line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ "))
    for block in blocks(page, "ini"):
        yield from (line.removeprefix("ExecStart=") for line in block.splitlines() if line.startswith("ExecStart="))


def commands(line: str) -> list[list[str]]:
    """The simple commands of a shell line, those inside `$(…)` too, as words."""
    lexer = shlex.shlex(_SUBSTITUTION.sub(r"$(\1)", line), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    found: list[list[str]] = [[]]
    for word in lexer:
        if set(word) <= ENDS_A_COMMAND:
            found.append([])
        else:
            found[-1].append(word)
    return [words for words in found if words]


def greyfox_words(line: str) -> Iterator[list[str]]:
    """What stands behind `greyfox` in each command of the line that is one."""
    for words in commands(line):
        if words[0].rpartition("/")[2] == "greyfox":
            yield words[1:]
