"""Where the addons' script and the configuration's template are found: in a checkout first, then in a wheel."""

from pathlib import Path

import pytest

from greyfox_core import shipped

ROOT = Path(__file__).parents[2]


def installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place where the package lies as a wheel puts it, without its shipped files."""
    package = folder / "greyfox_core"
    package.mkdir()
    monkeypatch.setattr(shipped, "_PACKAGE", package)
    return package


def write(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("", encoding="utf-8")
    return path


def test_a_checkout_serves_its_own_files() -> None:
    assert shipped.addons_script() == ROOT / "addons" / "__init__.py"
    assert shipped.config_template() == ROOT / "config.yaml"


def test_a_wheel_serves_what_it_carries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = installed(tmp_path, monkeypatch)
    script = write(package / "_shipped" / "addons" / "__init__.py")
    config = write(package / "_shipped" / "config.yaml")

    assert (shipped.addons_script(), shipped.config_template()) == (script, config)


def test_a_config_beside_an_installed_package_is_not_the_template(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write(installed(tmp_path, monkeypatch) / "_shipped" / "config.yaml")
    write(tmp_path / "config.yaml")

    assert shipped.config_template() == config


def test_a_checkout_comes_before_what_a_wheel_carries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = installed(tmp_path, monkeypatch)
    write(package / "_shipped" / "addons" / "__init__.py")
    script = write(tmp_path / "addons" / "__init__.py")

    assert shipped.addons_script() == script


def test_a_broken_installation_says_where_it_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = installed(tmp_path, monkeypatch)

    with pytest.raises(FileNotFoundError, match="install it again") as missing:
        shipped.addons_script()

    assert str(tmp_path) in str(missing.value)
    assert str(package / "_shipped") in str(missing.value)
