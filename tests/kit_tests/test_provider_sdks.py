"""The stand-in provider answers every official client as the real providers do."""

import pytest

from tests.kit.problems import problem
from tests.kit.provider import Behaviour, Provider, ToolCall
from tests.kit.sdks import APIS, EMBEDDING_APIS, straight

QUESTION = "When does the tide turn at Whitby?"
TOOL_APIS = [api for api in APIS if api not in ("openai-completions", "ollama-generate")]
CUT_SHORT = {"length", "incomplete", "max_tokens", "MAX_TOKENS"}


@pytest.mark.parametrize("api", APIS)
async def test_a_plain_answer_states_what_the_bill_says(api: str, provider: Provider) -> None:
    async with straight(api, provider.url) as sdk:
        reply = await sdk.ask(QUESTION)

    (entry,) = provider.requests
    assert reply.text and len(reply.text.split()) == reply.output_tokens == entry.output_tokens == 12
    assert reply.input_tokens == entry.input_tokens >= len(QUESTION.split())
    assert (entry.model, entry.dialect, entry.status, entry.completed) == (sdk.model, sdk.dialect, 200, True)
    assert provider.bill().input_tokens == entry.input_tokens and provider.bill().output_tokens == 12


@pytest.mark.parametrize("api", APIS)
async def test_a_stream_says_the_same_in_pieces_and_is_billed_the_same(api: str, provider: Provider) -> None:
    async with straight(api, provider.url) as sdk:
        plain = await sdk.ask(QUESTION)
        streamed = await sdk.ask_stream(QUESTION)

    first, second = provider.requests
    assert streamed.text == plain.text and streamed.pieces == 12
    assert (streamed.input_tokens, streamed.output_tokens) == (plain.input_tokens, plain.output_tokens)
    assert (second.input_tokens, second.output_tokens) == (first.input_tokens, first.output_tokens)
    assert second.stream and second.completed


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("api", APIS)
async def test_the_cap_cuts_the_answer_and_the_bill(api: str, streamed: bool, provider: Provider) -> None:
    provider.always(Behaviour(output_tokens=40))
    async with straight(api, provider.url) as sdk:
        reply = await (sdk.ask_stream if streamed else sdk.ask)(QUESTION, cap=20)

    assert len(reply.text.split()) == reply.output_tokens == provider.bill().output_tokens == 20
    assert reply.finish in CUT_SHORT


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("api", TOOL_APIS)
async def test_a_tool_call_arrives_whole(api: str, streamed: bool, provider: Provider) -> None:
    provider.always(Behaviour(tool_calls=(ToolCall("tide_table", {"harbour": "Whitby"}), ToolCall("wind"))))
    async with straight(api, provider.url) as sdk:
        reply = await (sdk.ask_stream if streamed else sdk.ask)(QUESTION, tools=True)

    assert reply.calls == [("tide_table", {"harbour": "Whitby"}), ("wind", {})]
    assert reply.output_tokens == provider.bill().output_tokens == 16


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("api", APIS)
async def test_cached_and_hidden_tokens_are_parts_of_the_totals(api: str, streamed: bool, provider: Provider) -> None:
    told = Behaviour(input_tokens=2006, cached_tokens=1920, cache_write_tokens=64, reasoning_tokens=30, output_tokens=4)
    provider.always(told)
    async with straight(api, provider.url) as sdk:
        reply = await (sdk.ask_stream if streamed else sdk.ask)(QUESTION, cap=100)

    bill = provider.bill()
    assert (reply.input_tokens, reply.output_tokens) == (2006, 34) == (bill.input_tokens, bill.output_tokens)
    assert (bill.cached_tokens, bill.cache_write_tokens, bill.reasoning_tokens) == (1920, 64, 30)
    if sdk.dialect != "ollama":  # its client knows neither
        assert (reply.cached_tokens, reply.reasoning_tokens) == (1920, 30)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("status", "raised"), [(429, "limit"), (500, "server"), (404, "found")])
@pytest.mark.parametrize("api", [*APIS])
async def test_an_error_is_raised_as_the_clients_own(
    api: str, status: int, raised: str, streamed: bool, provider: Provider
) -> None:
    provider.once(Behaviour(status=status, message="Not today.", error_code="standin_says_no"))
    async with straight(api, provider.url) as sdk:
        with pytest.raises(Exception) as caught:
            await (sdk.ask_stream if streamed else sdk.ask)(QUESTION)

    seen = problem(caught.value)
    assert seen.status == status and "Not today." in seen.message
    assert seen.code in ("standin_says_no", None if sdk.dialect == "ollama" else "standin_says_no")
    if sdk.dialect in ("openai", "anthropic"):
        assert raised in seen.raised.lower()
    assert provider.bill().output_tokens == provider.bill().input_tokens == 0
    assert sdk.heads[-1].status == status


@pytest.mark.parametrize("api", APIS)
async def test_an_error_inside_a_stream_ends_it(api: str, provider: Provider) -> None:
    provider.once(Behaviour(error_after=4, message="The model fell over."))
    async with straight(api, provider.url) as sdk:
        if api == "openai-responses":  # its client hands the failure on as an event
            reply = await sdk.ask_stream(QUESTION)
            assert reply.finish is None
            assert b"event: response.failed" in provider.requests[0].sent
        else:
            with pytest.raises(Exception) as caught:
                await sdk.ask_stream(QUESTION)
            assert "The model fell over." in problem(caught.value).message
    assert 0 < provider.bill().output_tokens < 12 or api in ("openai-responses", "anthropic-messages")


@pytest.mark.parametrize("api", EMBEDDING_APIS)
async def test_embeddings_have_input_only(api: str, provider: Provider) -> None:
    async with straight(api, provider.url) as sdk:
        vectors = await sdk.embed(["high water at six", "neap"])
        again = await sdk.embed(["high water at six"])

    assert len(vectors) == 2 and len(vectors[0]) == 8 and vectors[0] != vectors[1]
    assert again[0] == vectors[0]
    assert provider.requests[0].input_tokens == 5
    assert provider.bill().output_tokens == 0


@pytest.mark.parametrize("api", ["openai-chat", "anthropic-messages", "gemini-generate", "ollama-chat"])
async def test_models_are_listed_in_each_dialect_for_nothing(api: str) -> None:
    async with Provider(models=("one", "two")) as provider, straight(api, provider.url) as sdk:
        assert await sdk.models() == ["one", "two"]
        assert provider.requests[0].dialect == sdk.dialect
        assert provider.bill().input_tokens == 0


@pytest.mark.parametrize("api", ["anthropic-messages", "gemini-generate"])
async def test_counting_is_free_and_agrees_with_the_bill(api: str, provider: Provider) -> None:
    async with straight(api, provider.url) as sdk:
        counted = await sdk.count_tokens(QUESTION)
        assert provider.bill().input_tokens == 0
        reply = await sdk.ask(QUESTION)

    assert counted == reply.input_tokens


async def test_several_choices_are_billed_together(provider: Provider) -> None:
    async with straight("openai-chat", provider.url) as sdk:
        answer = await sdk.client.chat.completions.create(**sdk.arguments(QUESTION, cap=5), n=3)

    assert len({choice.message.content for choice in answer.choices}) == 3
    assert answer.usage.completion_tokens == provider.bill().output_tokens == 15


async def test_best_of_bills_what_it_does_not_show(provider: Provider) -> None:
    async with straight("openai-completions", provider.url) as sdk:
        answer = await sdk.client.completions.create(model="gpt-4o", prompt=["a b", "c"], n=1, best_of=4, max_tokens=5)

    assert len(answer.choices) == 2
    assert answer.usage.completion_tokens == provider.bill().output_tokens == 2 * 4 * 5
    assert answer.usage.prompt_tokens == 3


async def test_legacy_completions_stop_at_sixteen_tokens_where_no_cap_is_given(provider: Provider) -> None:
    provider.always(Behaviour(output_tokens=40))
    async with straight("openai-completions", provider.url) as sdk:
        reply = await sdk.ask(QUESTION)

    assert (reply.output_tokens, reply.finish) == (16, "length")


@pytest.mark.parametrize("api", ["openai-chat", "openai-completions"])
async def test_an_openai_stream_has_usage_only_where_it_was_asked_for(api: str, provider: Provider) -> None:
    async with straight(api, provider.url) as sdk:
        reply = await sdk.ask_stream(QUESTION, include_usage=False)

    assert reply.output_tokens is None and provider.bill().output_tokens == 12
    assert b'"usage"' not in provider.requests[0].sent


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("api", ["openai-chat", "openai-responses", "gemini-generate", "ollama-chat"])
async def test_usage_can_be_left_out_or_invented(api: str, streamed: bool, provider: Provider) -> None:
    async with straight(api, provider.url) as sdk:
        ask = sdk.ask_stream if streamed else sdk.ask
        provider.once(Behaviour(usage="absent"))
        silent = await ask(QUESTION)
        invented = {
            "openai-chat": {"prompt_tokens": -5, "completion_tokens": 10**12, "total_tokens": 1},
            "openai-responses": {"input_tokens": -5, "output_tokens": 10**12, "total_tokens": 1},
            "gemini-generate": {"promptTokenCount": -5, "candidatesTokenCount": 10**12},
            "ollama-chat": {"prompt_eval_count": -5, "eval_count": 10**12},
        }
        if api != "openai-responses":  # its client insists on the details
            provider.once(Behaviour(usage=invented[api]))
            told = await ask(QUESTION)
            assert (told.input_tokens, told.output_tokens) == (-5, 10**12)

    assert silent.output_tokens is None and provider.requests[0].output_tokens == 12


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("api", APIS)
async def test_a_model_may_bill_past_its_cap(api: str, streamed: bool, provider: Provider) -> None:
    provider.always(Behaviour(output_tokens=50, ignore_cap=True))
    async with straight(api, provider.url) as sdk:
        reply = await (sdk.ask_stream if streamed else sdk.ask)(QUESTION, cap=20)

    assert reply.output_tokens == provider.bill().output_tokens == 50
