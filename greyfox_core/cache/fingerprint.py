"""The cache's key: a digest of all that may change an answer. Pure.

Key order and white space of the body do not matter, since the digest is made of its canonical JSON. Numbers count as
they are written: `1` and `1.0` differ, which costs a miss where a provider takes both for the same, and never serves a
wrong answer. Parts are framed by their lengths, so that no two requests run into one another.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import orjson

SIZE = 32  # bytes
_VERSION = b"greyfox-cache-1"  # another form of the digest is another key space


def fingerprint(
    *,
    scope: str,
    upstream: str,
    model: str,
    operation: str,
    variant: str,
    versions: tuple[str, ...],
    fields: Mapping[str, Any],
) -> bytes:
    """32 bytes. `scope` says who may share the entry, `variant` how the answer is delivered (plain, stream …).

    `versions` are headers and query parameters that choose the API's behaviour; `fields` is the body without what
    cannot change the answer.
    """
    digest = hashlib.blake2b(digest_size=SIZE, person=_VERSION)
    for part in (scope, upstream, model, operation, variant, *versions):
        framed = part.encode("utf-8", "surrogatepass")
        digest.update(len(framed).to_bytes(8) + framed)
    body = _canonical(fields)
    digest.update(len(body).to_bytes(8))
    digest.update(body)
    return digest.digest()


def _canonical(fields: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # whole numbers beyond 64 bits and lone surrogates: the slow writer takes them
        return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
