"""mitmproxy's messages and plain values: a flow's request as a head, an answer as a response."""

import time

import orjson
from mitmproxy import http

from greyfox_core.auth.credentials import strip
from greyfox_core.errors import Refused
from greyfox_core.http1.answers import reason
from greyfox_core.steps.ingress import new_id
from greyfox_core.values.http import Answer, RequestHead, Way
from greyfox_core.values.tunnel import Tunnel


def response_of(answer: Answer, flow: http.HTTPFlow) -> http.Response:
    """mitmproxy's form of an answer. A body source is left to the layer."""
    fields = [(name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in answer.headers]
    if isinstance(answer.body, bytes):
        body = answer.body
        fields.append((b"content-length", b"%d" % len(body)))
    else:
        body = b""
        if not flow.request.is_http2:
            fields.append((b"transfer-encoding", b"chunked"))
    now = time.time()
    headers = http.Headers()
    headers.fields = tuple(fields)  # past a check of each that they are bytes
    return http.Response(b"HTTP/1.1", answer.status, reason(answer.status).encode(), headers, body, None, now, now)


def plain_refusal(refusal: Refused) -> http.Response:
    """For a request that never got as far as having a dialect."""
    return plain_error(refusal.status, refusal.code, refusal.message, refusal.retry_after)


def plain_error(status: int, code: str, message: str, retry_after: int | None = None) -> http.Response:
    """An error that OpenAI's SDKs and a person understand; the message is ours and holds nothing of the request."""
    headers = {"content-type": "application/json", "x-greyfox-request-id": new_id()}
    if retry_after is not None:
        headers["retry-after"] = str(retry_after)
    body = orjson.dumps({"error": {"message": message, "type": "greyfox_error", "param": None, "code": code}})
    return http.Response.make(status, body, headers)


def show_without_credentials(flow: http.HTTPFlow, head: RequestHead) -> None:
    """What is in the flow is shown by mitmweb and saved by `-w`: no key may be in it, whatever comes of the request."""
    headers, query = strip(head)
    flow.request.headers = http.Headers([(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers])
    flow.request.data.path = (f"{head.path}?{query}" if query else head.path).encode("latin-1")


def request_head(flow: http.HTTPFlow, tunnel: Tunnel | None) -> RequestHead:
    """The flow's request as plain values; credentials are still in it."""
    request = flow.request
    path, _, query = request.data.path.decode("latin-1").partition("?")
    headers = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in request.headers.fields)
    if tunnel is not None:
        return RequestHead(request.method, path, query, headers, Way.TUNNEL, tunnel.host, tunnel.port)
    absolute = getattr(request, "greyfox_form", "relative") == "absolute" and not request.is_http2
    if absolute:
        return RequestHead(request.method, path, query, headers, Way.PROXY, request.host, request.port)
    return RequestHead(request.method, path, query, headers, Way.BASE_URL)
