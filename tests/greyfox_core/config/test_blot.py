"""What could be a secret is in no line that is shown."""

import pytest

from greyfox_core.config.blot import blotted, covered
from greyfox_core.config.document import read

SECRET = "zqx-123-very-secret"


@pytest.mark.parametrize(
    "text",
    [
        f"api_key: {SECRET}",
        f'api_key: "{SECRET}"',
        f"a: {{api_key: {SECRET}, b: c}}",
        f"secret: |\n  first\n  {SECRET}\n",
        f"secret: 'first\n  {SECRET}'\n",
        f"headers: {{X-Anything: {SECRET}}}",
        f"password: {SECRET}",
        f"encryption_key: {SECRET}",
        f"api_key: ${{KEY:-{SECRET}}}",
        f"api_key: [{SECRET}]",
        f"a: b: c\napi_key: {SECRET}",  # no YAML at all
        f"a: {{api_key: {SECRET}, b: @}}",
        f"base_url: https://user:{SECRET}@a.example/v1",
        f"store: postgresql://greyfox:p@{SECRET}@db/greyfox",
        f"note: sk-{SECRET}",
    ],
)
def test_a_secret_is_blotted_out(text: str) -> None:
    document = read(text, {})
    lines = blotted(document)
    assert "zqx" not in "\n".join(lines)
    assert [len(line) for line in lines] == [len(line) for line in document.lines]


@pytest.mark.parametrize(
    "line", ["api_key: ${OPENAI_API_KEY:-}", "output_token: 2000", "match: {key: laptop}", "a: b: c"]
)
def test_what_is_no_secret_stays(line: str) -> None:
    assert blotted(read(line, {"OPENAI_API_KEY": "x"})) == [line]


def test_keys_are_known_by_their_form() -> None:
    assert covered("see gf_abcdefghijkl and eyJhbGciOi.eyJz.c2ln here") == f"see {'*' * 15} and {'*' * 20} here"
