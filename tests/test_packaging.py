"""What a user installs: the wheel's content, the pinned requirements, and the scripts that set a machine up."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
REQUIREMENTS = ROOT / "requirements"
PINNED = ("runtime", "test", "bench", "build")
SCRIPTS = ("run.sh", ".ci/run", "requirements/remake.sh")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that `pip install .` would make; without an index and without a build environment."""
    folder = tmp_path_factory.mktemp("dist")
    build = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", build, str(folder)], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("greyfox-*.whl")
    return built


@pytest.fixture(scope="module")
def content(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def files(folder: str, pattern: str) -> set[str]:
    """Paths below the root, as a wheel writes them."""
    return {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob(pattern) if path.is_file()}


def pins(name: str) -> dict[str, tuple[Requirement, list[str]]]:
    """A pinned file as {package: (requirement, hashes)}."""
    text = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8")
    found: dict[str, tuple[Requirement, list[str]]] = {}
    for entry in re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)).splitlines():
        line, *hashes = entry.split("--hash=")
        requirement = Requirement(line.strip())
        found[canonicalize_name(requirement.name)] = (requirement, [given.strip() for given in hashes])
    return found


def declared() -> dict[str, list[str]]:
    """What pyproject.toml asks for, by the pinned file that answers it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    needed, extras = project["project"]["dependencies"], project["project"]["optional-dependencies"]
    return {
        "runtime": needed,
        "test": [*needed, *extras["test"]],
        "bench": [*needed, *extras["test"], *extras["bench"]],
        "build": project["build-system"]["requires"],
    }


def test_the_wheel_carries_every_addon_and_the_config(content: set[str]) -> None:
    addons = files("addons", "*.py")
    assert "addons/__init__.py" in addons
    assert {f"greyfox_core/_shipped/{file}" for file in addons | {"config.yaml"}} <= content


def test_the_wheel_carries_every_module_and_its_data(content: set[str]) -> None:
    wanted = {path for path in files("greyfox_core", "*") if "__pycache__" not in path}
    assert {path for path in wanted if path.endswith(".tiktoken")}, "no tokenizer data in the checkout"
    assert {path for path in wanted if path.startswith("greyfox_core/store/migrations/")}, "no migrations"
    assert wanted <= content


def test_the_wheel_puts_nothing_beside_greyfox_core_into_site_packages(content: set[str]) -> None:
    tops = {path.partition("/")[0] for path in content}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"greyfox_core"}


def test_the_wheel_carries_no_secret_and_no_leavings(content: set[str]) -> None:
    assert not [path for path in content if re.search(r"\.(pem|key|db|pyc)\b|__pycache__", path)]


def test_an_unpacked_wheel_finds_what_it_ships(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    (tmp_path / "config.yaml").write_text("not: ours\n", encoding="utf-8")
    ask = "from greyfox_core.shipped import *; print(addons_script()); print(config_template())"
    done = subprocess.run(
        [sys.executable, "-c", ask],
        cwd=tmp_path,
        env={"PATH": os.defpath, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    shipped = tmp_path.resolve() / "greyfox_core" / "_shipped"
    assert done.stdout.splitlines() == [str(shipped / "addons" / "__init__.py"), str(shipped / "config.yaml")]


def test_the_command_line_is_installed_as_greyfox(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [path for path in archive.namelist() if path.endswith("/entry_points.txt")]
        assert "greyfox = greyfox_core.cli.main:main" in archive.read(name).decode()


@pytest.mark.parametrize("name", PINNED)
def test_a_pinned_file_names_packages_and_hashes_only(name: str) -> None:
    text = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8")
    options = [line for line in text.splitlines() if line.startswith("-")]
    assert not options, "an index, a local file or another option"
    assert "://" not in text
    assert " @ " not in text, "a package by address"


@pytest.mark.parametrize("name", PINNED)
def test_every_pinned_package_has_one_version_and_its_hashes(name: str) -> None:
    for package, (requirement, hashes) in pins(name).items():
        assert re.fullmatch(r"==[^*,]+", str(requirement.specifier)), package
        assert hashes, package
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", given) for given in hashes), package


@pytest.mark.parametrize("name", PINNED)
def test_the_pinned_files_answer_what_pyproject_asks_for(name: str) -> None:
    pinned = pins(name)
    for text in declared()[name]:
        asked = Requirement(text)
        requirement, _ = pinned[canonicalize_name(asked.name)]
        (only,) = requirement.specifier
        assert asked.specifier.contains(only.version), f"{text} is not met by {requirement}: run requirements/remake.sh"


def test_the_test_requirements_hold_all_of_the_runtime_ones() -> None:
    # run.sh counts on it: an environment that is set up for tests serves the gateway too.
    tested = pins("test")
    for package, (requirement, _) in pins("runtime").items():
        assert tested[package][0].specifier == requirement.specifier, package


def test_the_build_requirements_agree_with_the_test_ones() -> None:
    tested = pins("test")
    for package, (requirement, _) in pins("build").items():
        assert tested[package][0].specifier == requirement.specifier, package


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_is_executable_bash_without_a_syntax_error(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)
    done = subprocess.run(["bash", "-n", ROOT / script], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_run_sh_refuses_an_unknown_verb_before_it_sets_anything_up() -> None:
    done = subprocess.run([ROOT / "run.sh", "tset"], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert "unknown verb 'tset'" in done.stderr
    assert done.stdout == ""
