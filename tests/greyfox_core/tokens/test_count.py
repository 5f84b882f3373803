"""Estimates: exact where the tokenizer is public, on the safe side elsewhere, and never in the loop's way."""

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greyfox_core.errors import Unavailable
from greyfox_core.tokens import count
from greyfox_core.tokens.count import LOOK_UP, SHORT, TOKENISE, TokenCounter
from greyfox_core.tokens.encodings import Encodings
from greyfox_core.values.request import Prompt

ENGLISH = "The quick brown fox jumps over the lazy dog. " * 20


@pytest.fixture(scope="module")
def encodings() -> Encodings:
    built = Encodings()
    built.warm()
    return built


@pytest.fixture
def counter(encodings: Encodings) -> Iterator[TokenCounter]:
    made = TokenCounter(encodings)
    yield made
    made.close()


def exact(encodings: Encodings, text: str) -> int:
    return len(encodings.get("o200k_base").encode_ordinary(text))


def test_a_public_tokenizer_is_counted_exactly(counter: TokenCounter, encodings: Encodings) -> None:
    assert counter.count_now(Prompt((ENGLISH,)), "gpt-4o") == exact(encodings, ENGLISH)


def test_framing_media_and_token_arrays_are_added_as_they_are(counter: TokenCounter) -> None:
    assert counter.count_now(Prompt(("hello world",), overhead=7, media=85, tokens=1_000), "gpt-4o") == 2 + 1_092
    assert counter.count_now(Prompt(("hello world",), overhead=7, media=85, tokens=1_000), "claude-opus-5") == 4 + 1_092


@pytest.mark.parametrize(
    ("text", "factor"),
    [
        (ENGLISH, 1.8),
        (ENGLISH + "– quoted", 1.8),
        ("Die Bäume blühen über der Straße schön. " * 20, 2.1),
        ("Съешь же ещё этих мягких французских булок. " * 20, 2.6),
        ("我能吞下玻璃而不伤身体。" * 20, 2.6),
    ],
)
def test_other_tokenizers_have_a_factor_by_script(
    counter: TokenCounter, encodings: Encodings, text: str, factor: float
) -> None:
    estimated = counter.count_now(Prompt((text,)), "claude-opus-5")
    assert estimated == -int(-exact(encodings, text) * factor // 1)


def test_an_empty_prompt_costs_its_framing(counter: TokenCounter) -> None:
    assert counter.count_now(Prompt((), overhead=3), "gpt-4o") == 3
    assert counter.count_now(Prompt(("",), overhead=3), "gpt-4o") == 3


def test_what_a_special_token_is_spelt_like_is_text(counter: TokenCounter) -> None:
    counted = counter.count_now(Prompt(("<|endoftext|>",)), "gpt-4o")
    assert counted is not None
    assert counted > 1


def test_a_lone_surrogate_counts_for_something(counter: TokenCounter) -> None:
    text = "\ud800" * 100
    assert counter.count_now(Prompt((text,)), "gpt-4o")
    assert counter.bound(Prompt((text,))) == 300


async def test_a_long_text_is_not_counted_on_the_loop(counter: TokenCounter, encodings: Encodings) -> None:
    prompt = Prompt((ENGLISH * 40,))
    assert counter.count_now(prompt, "gpt-4o") is None
    whole = exact(encodings, prompt.texts[0])
    assert whole <= await counter.count(prompt, "gpt-4o") <= whole + 10


async def test_a_text_once_counted_is_remembered_by_its_digest(counter: TokenCounter) -> None:
    prompt = Prompt((ENGLISH * 40, "short"))
    counted = await counter.count(prompt, "gpt-4o")
    assert counter.count_now(prompt, "gpt-4o") == counted
    longer = Prompt((*prompt.texts, "and a new question"))
    assert counter.count_now(longer, "gpt-4o") == counted + 4
    assert counter.count_now(prompt, "gpt-4") is None  # another tokenizer, another count


def test_many_tiny_texts_are_not_for_the_loop_either(counter: TokenCounter) -> None:
    assert counter.count_now(Prompt(("a",) * 100), "gpt-4o") == 100
    assert counter.count_now(Prompt(("a",) * 5_000), "gpt-4o") is None


async def test_a_million_characters_without_a_space_are_counted_beside_the_loop(counter: TokenCounter) -> None:
    prompt = Prompt(("a" * 1_000_000,))
    assert counter.count_now(prompt, "gpt-4o") is None
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0)
            ticks += 1

    ticking = asyncio.ensure_future(tick())
    counted = await counter.count(prompt, "gpt-4o")
    ticking.cancel()
    assert 125_000 <= counted <= 126_000
    assert ticks > 10


async def test_without_a_tokenizer_yet_the_thread_builds_it() -> None:
    counter = TokenCounter(Encodings())
    prompt = Prompt(("hello world",))
    assert counter.count_now(prompt, "gpt-3.5-turbo") is None
    assert await counter.count(prompt, "gpt-3.5-turbo") == 2
    assert counter.count_now(prompt, "gpt-3.5-turbo") == 2
    counter.close()


async def test_too_many_long_prompts_at_once_are_refused(
    counter: TokenCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(count, "WAITING", 2)
    prompts = [Prompt((f"{name} " * 20_000,)) for name in ("alpha", "beta", "gamma")]
    results = await asyncio.gather(*(counter.count(prompt, "gpt-4o") for prompt in prompts), return_exceptions=True)
    assert [type(result) for result in results] == [int, int, Unavailable]
    assert isinstance(await counter.count(prompts[2], "gpt-4o"), int)


async def test_a_cancelled_count_gives_its_place_back(counter: TokenCounter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(count, "WAITING", 1)
    counting = asyncio.ensure_future(counter.count(Prompt((ENGLISH * 1_000,)), "gpt-4o"))
    await asyncio.sleep(0)
    counting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await counting
    assert await counter.count(Prompt((ENGLISH * 41,)), "gpt-4o") > 0


def test_a_model_without_public_tokenizer_learns(counter: TokenCounter) -> None:
    prompt = Prompt((ENGLISH,), overhead=10)
    before = counter.count_now(prompt, "claude-opus-5")
    assert before is not None
    counter.learn("claude-opus-5", before, before * 2)
    after = counter.count_now(prompt, "claude-opus-5")
    assert after is not None
    assert after - 10 == pytest.approx((before - 10) * 1.55, abs=2)
    assert counter.count_now(prompt, "claude-sonnet-5") == before  # each model for itself


def test_a_public_tokenizer_has_nothing_to_learn(counter: TokenCounter) -> None:
    prompt = Prompt((ENGLISH,))
    before = counter.count_now(prompt, "gpt-4o")
    assert before is not None
    counter.learn("gpt-4o", before, before * 4)
    assert counter.count_now(prompt, "gpt-4o") == before


@given(st.text(max_size=200))
def test_the_bound_is_above_every_count(encodings: Encodings, text: str) -> None:
    counter = TokenCounter(encodings)
    prompt = Prompt((text,), overhead=3)
    for model in ("gpt-4o", "gpt-4"):
        counted = counter.count_now(prompt, model)
        assert counted is not None
        assert counted <= counter.bound(prompt)
    counter.close()


def test_the_limits_fit_one_another() -> None:
    assert SHORT < TOKENISE < LOOK_UP
