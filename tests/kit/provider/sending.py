"""Putting a reply on the socket, as slowly, partly or wrongly as the behaviour says, and billing it as it leaves."""

import asyncio
import socket
import struct

from aiohttp import web

from tests.kit.provider.behaviour import Behaviour
from tests.kit.provider.bill import Bill, Entry
from tests.kit.provider.compose import Reply

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER with no time: close sends RST

# What a provider's answer carries besides, and what a gateway must not hand on.
_HEADERS = {
    "openai": {"x-request-id": "req_standin", "openai-organization": "org-standin", "openai-version": "2020-10-01"},
    "anthropic": {"request-id": "req_standin", "anthropic-organization-id": "org-standin"},
    "gemini": {"server-timing": "gfet4t7; dur=12"},
    "ollama": {},
}
_COOKIE = {"set-cookie": "standin_session=1; Path=/; HttpOnly"}


async def send(
    request: web.BaseRequest, book: Bill, entry: Entry, behaviour: Behaviour, reply: Reply
) -> web.StreamResponse:
    """Send the reply and complete the entry, unless the behaviour cuts the connection.

    Raises CancelledError or ConnectionError when the client leaves before the end.
    """
    told = reply.answer if reply.answer is not None else behaviour
    book.charge(entry, input=reply.input_tokens, output=reply.output_at_once)
    book.charge(entry, cached=told.cached_tokens, written=told.cache_write_tokens)
    headers = {"content-type": reply.content_type, **_HEADERS.get(entry.dialect, {}), **_COOKIE}
    headers |= reply.headers | {name.lower(): value for name, value in behaviour.headers.items()}
    if reply.whole and not (behaviour.gate or behaviour.cut or behaviour.piece):
        response = await _send_at_once(request, entry, reply, headers)
    else:
        if behaviour.gate is not None:
            await behaviour.gate.enter()
        if behaviour.cut and behaviour.cut_after_events is behaviour.cut_after_bytes is None:
            return await _cut(request, entry, behaviour, web.StreamResponse())
        response = web.StreamResponse(status=reply.status, headers=headers)
        if reply.whole:
            response.content_length = sum(len(event.data) for event in reply.events)
        await response.prepare(request)
        entry.status = reply.status
        await _send_events(request, book, entry, behaviour, reply, response)
        if behaviour.cut:
            return await _cut(request, entry, behaviour, response)
        await response.write_eof()
    if behaviour.error_after is None:
        charge_rest(book, entry, reply)
    book.complete(entry)
    return response


async def _send_at_once(
    request: web.BaseRequest, entry: Entry, reply: Reply, headers: dict[str, str]
) -> web.StreamResponse:
    body = b"".join(event.data for event in reply.events)
    response = web.Response(status=reply.status, headers=headers, body=body)
    await response.prepare(request)
    await response.write_eof()
    entry.status = reply.status
    entry.sent += body
    entry.events_sent = 1
    return response


async def _send_events(
    request: web.BaseRequest,
    book: Bill,
    entry: Entry,
    behaviour: Behaviour,
    reply: Reply,
    response: web.StreamResponse,
) -> None:
    """All events, or as many as come before the cut."""
    left = behaviour.cut_after_bytes
    for place, event in enumerate(reply.events):
        if behaviour.gate is not None:
            await behaviour.gate.enter()
        if behaviour.pace and place:
            await asyncio.sleep(behaviour.pace)
        if behaviour.cut and behaviour.cut_after_events == place:
            return
        data = event.data if left is None else event.data[:left]
        await response.write(data)
        entry.sent += data
        entry.events_sent += 1
        if not reply.output_at_once:
            book.charge(entry, output=event.tokens)
        book.watch.changed()
        if left is not None:
            left -= len(data)
            if left == 0:
                return


def charge_rest(book: Bill, entry: Entry, reply: Reply) -> None:
    """Bring the entry's output to the whole answer's."""
    if reply.answer is not None:
        answer = reply.answer
        rest = answer.output_tokens - entry.output_tokens
        book.charge(entry, output=rest, reasoning=answer.reasoning_tokens - entry.reasoning_tokens)


async def _cut(
    request: web.BaseRequest, entry: Entry, behaviour: Behaviour, response: web.StreamResponse
) -> web.StreamResponse:
    """End the connection before the answer has ended."""
    entry.cut = True
    transport = request.transport
    if transport is None:
        return response
    if behaviour.cut == "half-close":  # needs a plain connection: TLS has no half-close
        transport.write_eof()
        await asyncio.get_running_loop().create_future()  # until the client closes its side
    if behaviour.cut == "reset":
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()
    else:
        transport.close()
    return response
