"""The file's lines as they may be shown: what could be a secret is blotted out, sign for sign, so that columns stay.

Secrets belong into the environment, and a message shows `${NAME}` as it is. But a file that is wrong is often wrong in
this, too. So a value is blotted out by its key's name, by its own form, and in a line that is no YAML by what it
looks like.
"""

import re

from greyfox_core.config.document import Document
from greyfox_core.config.findings import Place

_SECRET_KEY = re.compile(r"(?i)api[_-]?key|secret|password|passwd|authorization|credential|private|encryption|^token$")
_REFERENCE = re.compile(r"\$\{\w+(:-)?\}", re.ASCII)
_FORMS = re.compile(
    r"(?<=://)[^\s/]+(?=@)"  # user:password@ of a URL
    r"|\b(?:sk|gsk|pk|xai|gf|whsec)[-_][\w-]{8,}|\bAIza[\w-]{8,}|\beyJ[\w-]{5,}[\w.-]*",  # common keys, a JWT
    re.ASCII,
)
_LOOSE = re.compile(
    r"(?i)[\w-]*(?:api[_-]?key|secret|password|passwd|authorization|encryption_key)[\w-]*[\"']?\s*:\s*(\$\{\w+(?::-)?\}|[^\s#].*)"
)


def blotted(document: Document) -> list[str]:
    """The document's lines, fit to be shown."""
    lines = list(document.lines)
    for place, text in document.written.items():
        span = document.values[place]
        if is_secret(place) and not _REFERENCE.fullmatch(text) and span.line not in document.spread:
            lines[span.line - 1] = _cover(lines[span.line - 1], span.column - 1, span.column - 1 + span.length)
    for number, place in document.spread.items():
        if is_secret(place) and number <= len(lines):
            lines[number - 1] = "*" * len(lines[number - 1])
    if document.tree is None:  # no YAML: nobody knows where its values are
        lines = [_loosely(line) for line in lines]
    return [covered(line) for line in lines]


def covered(text: str) -> str:
    """`text` with everything blotted out that has the form of a key or a password."""
    return _FORMS.sub(lambda found: "*" * len(found[0]), text)


def is_secret(place: Place) -> bool:
    """Whether what is there must not be shown."""
    return any(isinstance(part, str) and (part == "headers" or _SECRET_KEY.search(part)) for part in place)


def _loosely(line: str) -> str:
    found = _LOOSE.search(line)
    if found is None or _REFERENCE.fullmatch(found[1]):
        return line
    return _cover(line, found.start(1), found.end(1))


def _cover(line: str, start: int, end: int) -> str:
    return line[:start] + "*" * (min(end, len(line)) - start) + line[end:]
