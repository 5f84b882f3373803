"""How the source is laid out: which package may know which, how long a file may be, and that each has its test.

The names of the tests are the rules. A rule that fails names the file and the line that break it.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CORE = ROOT / "greyfox_core"
ADDONS = ROOT / "addons"

# Each row may import the rows below it, never its own row or one above.
ORDER: tuple[frozenset[str], ...] = (
    frozenset({"cli"}),
    frozenset({"admin"}),
    frozenset({"app"}),
    frozenset({"steps"}),
    frozenset({"rules", "metrics", "first_key"}),
    frozenset({"store", "forwarding"}),
    frozenset({"auth", "quota", "cache", "routing", "dialects", "tokens", "http1"}),
    frozenset({"config"}),
    frozenset({"values"}),
    frozenset({"errors", "clock", "record", "shipped", "connect_lines", "version"}),
)
FEATURES = next(row for row in ORDER if "quota" in row)
# The exchange carries what the parts above put on it. It may name their types, for the type checker alone.
NAMES_TYPES_ABOVE = "values"
# These are handed plain values: not even the configuration's form is theirs to know.
PURE_FEATURES = frozenset({"tokens"})
BELOW_FEATURES = frozenset({"values", "errors", "clock", "record"})

LONGEST_ADDON = 250
LONGEST_CORE_MODULE = 400


@dataclass(frozen=True)
class Import:
    """One import: `what` is the dotted module, `for_types` whether it stands under `if TYPE_CHECKING`."""

    file: Path
    line: int
    what: str
    for_types: bool

    @property
    def where(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line}"

    @property
    def top(self) -> str:
        return self.what.partition(".")[0]


def sources(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def imports(file: Path) -> Iterator[Import]:
    """Every import of a file, also those inside functions and under TYPE_CHECKING; relative ones made absolute."""
    tree = ast.parse(file.read_text(encoding="utf-8"), filename=str(file))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for what in modules_of(node, file.relative_to(ROOT).parent.parts):
                yield Import(file, node.lineno, what, id(node) in for_types)


def modules_of(node: ast.Import | ast.ImportFrom, package: tuple[str, ...]) -> list[str]:
    """The dotted modules that a statement imports, seen from a file of `package`."""
    if isinstance(node, ast.Import):
        return [name.name for name in node.names]
    above = package[: len(package) - node.level + 1] if node.level else ()
    base = ".".join([*above, *([node.module] if node.module else [])])
    if base == CORE.name:  # `from greyfox_core import quota` means greyfox_core.quota
        return [f"{base}.{name.name}" for name in node.names]
    return [base]


def part_of(file: Path) -> str:
    """The package, or the single module, of greyfox_core that a file belongs to."""
    return file.relative_to(CORE).parts[0].removesuffix(".py")


def arrows() -> Iterator[tuple[str, str, Import]]:
    """(from, to, import) for each import inside greyfox_core that crosses from one part to another."""
    for file in sources(CORE):
        source = part_of(file)
        for found in imports(file):
            if found.what.startswith(f"{CORE.name}."):
                target = found.what.split(".")[1]
                names_a_type = found.for_types and source == NAMES_TYPES_ABOVE
                if source not in (target, "__init__") and not names_a_type:
                    yield source, target, found


def goes_down(source: str, target: str) -> bool:
    """Whether the target's row is below the source's; a part without a row has nothing below it."""
    below = False
    for row in ORDER:
        if target in row:
            return below
        below = below or source in row
    return False


def listed(problems: list[str]) -> str:
    return "\n".join(["", *problems])


def test_every_part_of_the_core_has_a_place_in_the_order() -> None:
    known = frozenset[str]().union(*ORDER) | {"__init__"}
    strangers = sorted({part_of(file) for file in sources(CORE)} - known)
    assert not strangers, f"no row of ORDER names {strangers}: decide who may import it"


def test_the_core_knows_neither_mitmproxy_nor_the_addons() -> None:
    problems = [
        f"{found.where}: imports {found.what}"
        for file in sources(CORE)
        for found in imports(file)
        if found.top in ("mitmproxy", "addons")
    ]
    assert not problems, listed(problems)


def test_arrows_go_down_only() -> None:
    problems = [
        f"{found.where}: {source} may not import {target}"
        for source, target, found in arrows()
        if not goes_down(source, target) and not {source, target} <= FEATURES
    ]
    assert not problems, listed(problems)


def test_features_are_siblings_that_never_import_one_another() -> None:
    problems = [
        f"{found.where}: {source} may not import {target}: they meet in a step or in app"
        for source, target, found in arrows()
        if {source, target} <= FEATURES
    ]
    assert not problems, listed(problems)


def test_tokens_and_routing_know_values_only() -> None:
    problems = [
        f"{found.where}: {source} may not import {target}"
        for source, target, found in arrows()
        if source in PURE_FEATURES and target not in BELOW_FEATURES | FEATURES
    ]
    assert not problems, listed(problems)


def test_no_addon_is_named_like_a_standard_module() -> None:
    # mitmproxy puts the script's folder first on sys.path: addons/inspect.py would be everybody's `inspect`.
    shadows = [file.name for file in sources(ADDONS) if file.stem in sys.stdlib_module_names]
    assert not shadows, f"rename {shadows}"


@pytest.mark.parametrize(
    ("folder", "longest"),
    [pytest.param(ADDONS, LONGEST_ADDON, id="addons"), pytest.param(CORE, LONGEST_CORE_MODULE, id="core")],
)
def test_a_file_is_read_in_one_sitting(folder: Path, longest: int) -> None:
    problems = [
        f"{file.relative_to(ROOT)}: {length} lines, at most {longest}"
        for file in sources(folder)
        if "versions" not in file.parts  # generated migrations
        if (length := len(file.read_text(encoding="utf-8").splitlines())) > longest
    ]
    assert not problems, listed(problems)


def test_every_module_of_a_feature_has_its_test() -> None:
    problems = []
    for feature in sorted(FEATURES):
        for file in sources(CORE / feature):
            if file.name == "__init__.py":
                continue  # names only: what it names is tested where it lives
            relative = file.relative_to(ROOT)
            test = ROOT / "tests" / relative.with_name(f"test_{file.name}")
            if not test.is_file():
                problems.append(f"{relative}: no {test.relative_to(ROOT)}")
    assert not problems, listed(problems)
