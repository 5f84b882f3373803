"""Which hosts serve language models."""

import pytest

from greyfox_core.forwarding.shadow import is_llm_host


@pytest.mark.parametrize(
    "host", ["api.openai.com", "API.OpenAI.com.", "mine.openai.azure.com", "europe-west1-aiplatform.googleapis.com"]
)
def test_a_known_service_is_known_in_every_spelling(host: str) -> None:
    assert is_llm_host(host)


@pytest.mark.parametrize(
    "host", ["example.com", "api.openai.com.evil.test", "notapi.openai.com", "openai.azure.com", ""]
)
def test_another_host_is_not(host: str) -> None:
    assert not is_llm_host(host)
