"""The types of single values in the file, each with the forms that it may be written in.

Units:   `Seconds` and `Wait` are seconds, `Bytes` bytes, `Tokens` tokens.
Errors:  a value that does not fit gives one problem, told at its place (see `findings.py`).
"""

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_core import PydanticCustomError

from greyfox_core.config import forms, jwt_keys
from greyfox_core.config.patterns import Pattern
from greyfox_core.config.units import comparison, duration, size

MOST = 2**53  # the largest whole number that every reader of JSON knows


def at(key: str, sentence: str) -> PydanticCustomError:
    """A problem of a whole part, told at one of its keys."""
    return PydanticCustomError("at", "{sentence}", {"at": key, "sentence": sentence})


def _no_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("no number")
    return value


def _checked(check: Callable[[str], object]) -> Callable[[str], str]:
    """A check that raises ValueError, as a validator that keeps the value."""

    def keep(value: str) -> str:
        check(value)
        return value

    return keep


def _header_safe(value: SecretStr) -> SecretStr:
    key = value.get_secret_value().strip()
    if not (key.isascii() and key.isprintable()):
        raise ValueError("no key that a header field can carry: printable ASCII on one line")
    return SecretStr(key)


def _local_only(value: object) -> object:
    if value != "local":
        raise ValueError("not in this version: the cache is local, in this node's memory")
    return value


_LISTED = BeforeValidator(forms.as_tuple, json_schema_input_type=str | list[str])
_NUMBER = BeforeValidator(_no_bool, json_schema_input_type=int)

Seconds = Annotated[float, BeforeValidator(duration, json_schema_input_type=float | str)]
"""`90`, `"90s"`, `"15m"`, `"1h"`, `"30d"`."""

Wait = Annotated[Seconds, Field(gt=0)]
"""A duration that is not nothing."""

Bytes = Annotated[int, BeforeValidator(size, json_schema_input_type=int | str), Field(gt=0)]
"""`1048576`, `"32MiB"`, `"10GB"`."""

Tokens = Annotated[int, _NUMBER, Field(ge=0, le=MOST)]
Count = Annotated[int, _NUMBER, Field(gt=0, le=MOST)]
Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$")]
UpstreamName = Annotated[Name, AfterValidator(forms.upstream_name)]

Globs = Annotated[tuple[Text, ...], _LISTED, Field(min_length=1)]
Hosts = Annotated[tuple[Annotated[str, AfterValidator(forms.host)], ...], _LISTED]
TunnelGoals = Annotated[tuple[Annotated[str, AfterValidator(forms.tunnel_goal)], ...], _LISTED]
AllowedPaths = Annotated[tuple[Annotated[str, AfterValidator(forms.allowed_path)], ...], _LISTED]
Patterns = Annotated[tuple[Annotated[Text, AfterValidator(_checked(Pattern))], ...], _LISTED]
Algorithms = Annotated[tuple[Annotated[str, AfterValidator(jwt_keys.algorithm)], ...], _LISTED, Field(min_length=1)]

Api = Literal["openai", "anthropic", "gemini", "ollama"]
Dimension = Literal["user", "key", "team", "model"]
Dimensions = Annotated[tuple[Dimension, ...], _LISTED, Field(min_length=1)]
BaseUrl = Annotated[str, AfterValidator(forms.base_url)]
SecureUrl = Annotated[str, AfterValidator(forms.secure_url)]
HeaderFields = Annotated[dict[str, str], AfterValidator(forms.headers)]
UpstreamKey = Annotated[SecretStr, AfterValidator(_header_safe)]
Listen = Annotated[str, AfterValidator(forms.listen)]
Store = Annotated[str, AfterValidator(forms.store)]
Zone = Annotated[str, AfterValidator(forms.zone)]
TimeOfDay = Annotated[str, AfterValidator(forms.time_of_day)]
Comparison = Annotated[str, AfterValidator(_checked(comparison))]
Goal = Annotated[str, AfterValidator(forms.target)]
Backend = Annotated[Literal["local"], BeforeValidator(_local_only)]
