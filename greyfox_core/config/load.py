"""From a file to a configuration, or to every reason why not, at once and each with its place.

Errors:  ConfigError, whose text is ready to be shown. No text holds a secret, nor anything else from the environment.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from greyfox_core.config import forms
from greyfox_core.config.blot import blotted, covered
from greyfox_core.config.checks import check
from greyfox_core.config.document import MAX_BYTES, Document, read
from greyfox_core.config.findings import Finding, Place, Problem, report
from greyfox_core.config.schema import Config
from greyfox_core.config.validate import validate
from greyfox_core.config.warnings import warnings
from greyfox_core.errors import ConfigError


@dataclass(frozen=True)
class Loaded:
    """A configuration in use, the file that it came from, and what is worth a second look."""

    config: Config
    path: Path
    warnings: tuple[Problem, ...] = ()
    document: Document = field(default_factory=lambda: Document([]), repr=False, compare=False)

    @property
    def folder(self) -> Path:
        """Where the relative paths of the file begin."""
        return self.path.parent

    @property
    def store_path(self) -> Path:
        """The database's file."""
        return self.folder / self.config.store.removeprefix(forms.STORE_PREFIX)

    def problem(self, place: Place, message: str) -> Problem:
        """A problem with this file that only its use has shown, told at `place`."""
        return _problems(self.path, self.document, [Finding(place, message)])[0]


def load(path: Path, environ: Mapping[str, str]) -> Loaded:
    """The configuration in `path`, its values expanded from `environ`. Reads the disk: not for the event loop."""
    return load_bytes(read_bytes(path), path, environ)


def read_bytes(path: Path) -> bytes:
    """The file's content, or one byte more than it may have."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: the configuration cannot be read: {error.strerror}") from None


def load_bytes(data: bytes, path: Path, environ: Mapping[str, str]) -> Loaded:
    """The configuration in `data`, as if it had been read from `path`."""
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{path}: a configuration has at most {MAX_BYTES:,} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: the file is not in UTF-8 (byte 0x{data[error.start]:02x})") from None
    document = read(text, environ)
    findings = list(document.findings)
    config = None
    if document.tree is not None or not findings:
        config, invalid = validate(document)
        findings += [*invalid, *check(document, path.parent)]
    if config is None or findings:
        raise ConfigError(report(_problems(path, document, _once(findings))))
    return Loaded(config, path, tuple(_problems(path, document, warnings(config))), document)


def _once(findings: Iterable[Finding]) -> list[Finding]:
    """One problem a place: a variable that is not set leaves nothing that could fit, and that needs no telling."""
    kept: dict[tuple[Place, bool], Finding] = {}
    for finding in findings:
        if finding.span is None:
            kept.setdefault((finding.place, finding.on_key), finding)
    return [
        finding
        for finding in findings
        if finding.span is not None or kept.get((finding.place, finding.on_key)) is finding
    ]


def _problems(path: Path, document: Document, findings: Iterable[Finding]) -> list[Problem]:
    lines = blotted(document)
    made = []
    for finding in findings:
        span = finding.span or document.span(finding.place, on_key=finding.on_key)
        source = lines[span.line - 1] if span is not None and span.line <= len(lines) else ""
        made.append(Problem(str(path), span, covered(finding.message), source, finding.allowed, finding.meant))
    return made
