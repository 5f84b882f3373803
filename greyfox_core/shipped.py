"""Where the files lie that are no modules of this package: the addons' script and the annotated configuration.

In a checkout they lie at its root, beside `greyfox_core/`; a wheel carries them inside the package, under
`_shipped/`, since a top-level package named `addons` in site-packages could be anybody's. Both places keep
the form `<folder>/addons/__init__.py`, so the script finds its siblings by putting `<folder>` on `sys.path`.

Errors: FileNotFoundError, naming both places, where neither holds the file (a broken installation).
"""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def addons_script() -> Path:
    """The file for mitmproxy's `-s`, absolute."""
    return _find("addons/__init__.py", _PACKAGE)


def config_template() -> Path:
    """The annotated `config.yaml` that a new installation starts from, absolute."""
    return _find("config.yaml", _PACKAGE)


def _find(name: str, package: Path) -> Path:
    checkout = package.parent
    # A config.yaml beside an installed package is a stranger's: only a folder with our addons is a checkout.
    places = [checkout] if (checkout / "addons" / "__init__.py").is_file() else []
    places.append(package / "_shipped")
    for place in places:
        if (found := place / name).is_file():
            return found
    raise FileNotFoundError(
        f"greyfox is installed incompletely: {name} is neither in {checkout} nor in {package / '_shipped'}; "
        "install it again"
    )
