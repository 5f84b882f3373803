"""Objects that the provider keeps under its key: whoever holds the key can read them, chain on them, delete them."""

from dataclasses import dataclass, replace

from tests.kit.provider.answer import Answer
from tests.kit.provider.calls import Call
from tests.kit.provider.refusals import Refused
from tests.kit.provider.wire import responses
from tests.kit.provider.wire.framing import dumps


@dataclass(frozen=True, slots=True)
class _Kept:
    body: bytes
    tokens: int  # what a request that chains on it reads again


class Stored:
    """Responses by id. `/v1/responses` stores unless the request says `store: false`."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}

    def remember(self, answer: Answer) -> None:
        if answer.call.body.get("store", True) is not False:
            kept = _Kept(responses.plain(answer), answer.input_tokens + answer.output_tokens)
            self._kept[answer.name("resp_")] = kept

    def fetch(self, wanted: str, *, delete: bool = False) -> bytes:
        """The stored body, or the note that it is deleted. Raises Refused (404) for an unknown id."""
        kept = self._kept.get(wanted)
        if kept is None:
            raise Refused("openai", 404, f"Response with id '{wanted}' not found.")
        if delete:
            del self._kept[wanted]
            return dumps({"id": wanted, "object": "response", "deleted": True})
        return kept.body

    def with_history(self, call: Call) -> Call:
        """The same call, with the input that `previous_response_id` adds unseen. Raises Refused for an unknown id."""
        previous = call.body.get("previous_response_id")
        if call.dialect != "openai" or call.endpoint != "responses" or not previous:
            return call
        kept = self._kept.get(str(previous))
        if kept is None:
            text = f"Previous response with id '{previous}' not found."
            raise Refused("openai", 400, text, code="previous_response_not_found", param="previous_response_id")
        return replace(call, input_tokens=call.input_tokens + kept.tokens)

    def clear(self) -> None:
        self._kept.clear()
