"""Callers who come with a token of their own identity provider: verified by secret, by public key and by a key set."""

import base64
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
import pytest_asyncio
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.contract.conftest import Opens
from tests.contract.house import House, question
from tests.kit.clients import through
from tests.kit.problems import problem
from tests.kit.sdks import APIS, WAYS, Way

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = "a secret that is shared with the identity provider"
BY_SECRET, BY_KEY, BY_SET = (f"https://{name}.example.test/" for name in ("secret", "key", "set"))
KIDS = ("first", "second")


class Issuer:
    """Signs tokens, and serves a key set on loopback."""

    def __init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.of_set = {kid: rsa.generate_private_key(65_537, 2048) for kid in KIDS}
        self.fetched = 0
        self.url = ""
        self._runner: web.AppRunner | None = None

    @property
    def public_pem(self) -> str:
        return self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def token(self, issuer: str, *, kid: str = "first", **changes: Any) -> str:
        now = time.time()
        claims = {"iss": issuer, "aud": "greyfox", "sub": "jane", "iat": now, "exp": now + 600, "groups": ["developer"]}
        given = {name: value for name, value in (claims | {"team": "core"} | changes).items() if value is not None}
        if issuer == BY_SECRET:
            return jwt.encode(given, SECRET, algorithm="HS256")
        if issuer == BY_KEY:
            return jwt.encode(given, self.private, algorithm="ES256")
        return jwt.encode(given, self.of_set[kid], algorithm="RS256", headers={"kid": kid})

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/jwks.json", self._serve)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/jwks.json"

    async def stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _serve(self, _: web.Request) -> web.Response:
        self.fetched += 1
        as_dict = jwt.algorithms.RSAAlgorithm.to_jwk
        keys = [json.loads(as_dict(key.public_key())) | {"kid": kid} for kid, key in self.of_set.items()]
        return web.json_response({"keys": keys})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def issuer(door: str) -> AsyncIterator[Issuer]:
    issuer = Issuer()
    await issuer.start()
    yield issuer
    await issuer.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(opens: Opens, issuer: Issuer) -> AsyncIterator[House]:
    common = {"audience": "greyfox", "roles_claim": "groups"}
    issuers = [
        common | {"issuer": BY_SECRET, "algorithms": ["HS256"], "secret": SECRET},
        common | {"issuer": BY_KEY, "algorithms": ["ES256"], "public_key": issuer.public_pem},
        common | {"issuer": BY_SET, "algorithms": ["RS256"], "jwks_url": issuer.url},
    ]
    guests = {"name": "guests", "per": "user", "match": {"role": "guest"}, "period": "day", "output_tokens": 0}
    async with opens(cache={"enabled": False}, auth={"jwt": issuers}, quotas=[guests]) as house:
        yield house


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("by", [BY_SECRET, BY_KEY, BY_SET], ids=["secret", "public-key", "key-set"])
@pytest.mark.parametrize("api", APIS)
async def test_a_token_is_as_good_as_a_key(api: str, by: str, way: Way, house: House, issuer: Issuer) -> None:
    token = issuer.token(by)
    async with through(house.gateway, api, token, way) as sdk:
        reply = await sdk.ask("When does the tide turn?")

    assert reply.output_tokens == 12
    row = await house.row(sdk.heads[0])
    assert (row["user"], row["team"], json.loads(row["roles"])) == ("jane", "core", ["developer"])
    assert row["key_id"] == f"jwt:{by}"
    (entry,) = house.provider.requests
    assert token not in repr((entry.headers, entry.path, entry.query, entry.body_bytes))


async def test_each_key_of_a_set_counts_and_the_set_is_not_fetched_for_each_request(
    house: House, issuer: Issuer
) -> None:
    for kid in KIDS:
        async with through(house.gateway, "openai-chat", issuer.token(BY_SET, kid=kid)) as sdk:
            assert (await sdk.ask("When?")).output_tokens == 12

    assert issuer.fetched == 1


async def test_roles_of_a_token_choose_quotas(house: House, issuer: Issuer) -> None:
    async with through(house.gateway, "openai-chat", issuer.token(BY_KEY, groups=["guest"], sub="joe")) as sdk:
        with pytest.raises(Exception) as caught:
            await sdk.ask("When?")

    seen = problem(caught.value)
    assert seen.code == "greyfox_quota_exhausted" and "user joe" in seen.message


def tampered(token: str) -> str:
    head, claims, signature = token.split(".")
    changed = json.loads(base64.urlsafe_b64decode(claims + "==")) | {"sub": "root"}
    return ".".join((head, base64.urlsafe_b64encode(json.dumps(changed).encode()).decode().rstrip("="), signature))


def unsigned(token: str) -> str:
    head = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    return f"{head}.{token.split('.')[1]}."


BAD: dict[str, dict[str, Any]] = {
    "expired": {"exp": 1_700_000_000},
    "without an end": {"exp": None},
    "for somebody else": {"aud": "another"},
    "without an audience": {"aud": None},
    "not valid yet": {"nbf": 4_000_000_000},
    "of nobody": {"sub": None},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("by", [BY_SECRET, BY_KEY, BY_SET], ids=["secret", "public-key", "key-set"])
@pytest.mark.parametrize("name", [*BAD, "tampered", "unsigned", "of a stranger", "signed by another's key"])
async def test_a_bad_token_is_refused_and_no_reason_told(
    name: str, by: str, way: Way, house: House, issuer: Issuer
) -> None:
    match name:
        case "tampered":
            token = tampered(issuer.token(by))
        case "unsigned":
            token = unsigned(issuer.token(by))
        case "of a stranger":
            token = jwt.encode(
                {"iss": "https://stranger.test/", "aud": "greyfox", "sub": "jane"}, SECRET, algorithm="HS256"
            )
        case "signed by another's key":
            # The classic: the public key taken for a shared secret, and one issuer's key for another's token.
            claims = jwt.decode(issuer.token(by), options={"verify_signature": False})
            token = jwt.encode(claims, SECRET if by != BY_SECRET else SECRET[::-1], algorithm="HS256")
        case _:
            token = issuer.token(by, **BAD[name])
    path, body = question("openai-chat", "When?")
    house.keys["stranger"] = token
    if way == "base-url":
        async with house.raw("openai-chat", user="stranger") as client:
            answer = await client.post(path, json=body)
            nothing_given = await client.post(path, json=body, headers={"authorization": ""})
        assert answer.status_code == nothing_given.status_code == 401
        assert answer.json() == nothing_given.json()
        assert answer.json()["error"]["code"] == "greyfox_unauthenticated"
    else:
        async with house.raw("openai-chat", way, user="stranger") as client:
            with pytest.raises(Exception, match="407"):
                await client.post(path, json=body)
    assert not house.provider.requests
