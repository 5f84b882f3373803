"""`${NAME}` and `${NAME:-default}` in the file's values. Pure: the environment is handed in.

A value is expanded once: what comes out of the environment is never read again, so it can hold any signs. `$${` stands
for `${` itself. Before YAML is parsed, each form is shielded: its characters are replaced, one for one, by characters
that mean nothing to YAML. So it may stand unquoted anywhere, also inside `{…}`, and places in the file stay what they
were.

Errors:  ValueError whose text completes a sentence that begins with the value and does not repeat it.
"""

import re
from collections.abc import Mapping

SHIELD = 0xF0000  # the first code point of a plane for private use: no keyboard writes it, YAML accepts it
_FORM = re.compile(r"\$?\$\{[A-Za-z_][A-Za-z0-9_]*(?::-[^}\r\n\ue000-\U0010ffff]*)?\}")
_SHIELDED = re.compile(f"[{chr(SHIELD)}-{chr(SHIELD + 0xFFFD)}]")
_PART = re.compile(r"(\$\$\{)|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}\r\n]*))?\}|(\$\{)")


def shielded(text: str) -> str:
    """The file's text with every form shielded; as long as before."""
    return _FORM.sub(lambda found: "".join(chr(SHIELD + ord(sign)) for sign in found[0]), text)


def unshielded(text: str) -> str:
    """As the file has it."""
    return _SHIELDED.sub(lambda found: chr(ord(found[0]) - SHIELD), text)


def has_forms(text: str) -> bool:
    """Whether anything in an (unshielded) value is to be expanded."""
    return "${" in text


def expanded(text: str, environ: Mapping[str, str]) -> str:
    """The value, each form replaced. As in a shell, `:-` holds for a variable that is unset or empty."""

    def replacement(found: re.Match[str]) -> str:
        escape, name, default, _ = found.groups()
        if escape:
            return "${"
        if not name:
            raise ValueError("not complete: write ${NAME} or ${NAME:-default}, and $${ for the signs themselves")
        value = environ.get(name)
        if default is not None:
            return value or default
        if value is None:
            raise ValueError(f"not set: the environment has no {name} (${{{name}:-…}} would give a default)")
        return value

    return _PART.sub(replacement, text)
