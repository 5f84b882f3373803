"""The configuration as values. What a file may say is exactly what these models say.

Units are in the names or the docstrings: durations are seconds, sizes are bytes, limits are tokens.
Models are frozen: a request sees one configuration from start to end. What no part alone can know (whether a named
upstream exists) is checked in `checks.py`.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from greyfox_core.config import fields, forms, jwt_keys
from greyfox_core.config.fields import Api as Api
from greyfox_core.config.fields import Dimension as Dimension


class Part(BaseModel):
    """A part of the file: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _a_key_without_a_value_is_absent(cls, value: Any) -> Any:
        # `quotas:` above nothing but comments reads as null in YAML.
        if isinstance(value, dict):
            return {key: item for key, item in value.items() if item is not None or key not in cls.model_fields}
        return value


class Upstream(Part):
    """A configured server. `hosts` are the names under which HTTPS_PROXY clients reach it.

    `api_key` empty: the caller's own upstream credential passes through, where the caller identified itself to the
    proxy. `auth` is where the key goes; by default `bearer` (openai, ollama), `x-api-key` (anthropic),
    `x-goog-api-key` (gemini). `cap_field` is the field that an output cap is written to for chat completions; by
    default `max_completion_tokens` at api.openai.com and Azure and `max_tokens` elsewhere. `stream_usage: false` for
    servers that refuse `stream_options`. `models` are globs: what this upstream serves when a request names a model
    and no route decides. `allow_plaintext` permits http:// beyond this machine: keys and prompts are then readable on
    the way.
    """

    dialect: Api
    base_url: fields.BaseUrl
    allow_plaintext: bool = False
    api_key: fields.UpstreamKey = SecretStr("")
    hosts: fields.Hosts = ()
    auth: Literal["bearer", "x-api-key", "api-key", "x-goog-api-key", "none"] | None = None
    headers: fields.HeaderFields = Field(default_factory=dict, repr=False)
    models: fields.Globs = ()
    cap_field: Literal["max_tokens", "max_completion_tokens"] | None = None
    stream_usage: bool = True
    connect_timeout: fields.Wait = 10.0
    first_byte_timeout: fields.Wait = 600.0
    idle_timeout: fields.Wait = 120.0
    ca_file: fields.Text | None = None
    allow_stored: bool = False  # requests may refer to what is stored there under the key that all callers share
    allow_paths: fields.AllowedPaths = ()  # further free paths, `GET /files/*`

    @model_validator(mode="after")
    def _plain_http_is_meant(self) -> Self:
        if self.base_url.startswith("http:") and not self.allow_plaintext and not forms.is_loopback_url(self.base_url):
            raise fields.at(
                "base_url",
                "plain http sends the key and every prompt unencrypted: use https, or say allow_plaintext: true",
            )
        return self


class AdminPart(Part):
    """Where the admin plane listens. `hosts` are further names under which it may be addressed (a service's name)."""

    listen: fields.Listen = "127.0.0.1:8090"
    hosts: fields.Hosts = ()


class ProxyPart(Part):
    """Hosts that no upstream names. `allow` is `host`, `host:port` or a network that tunnels may reach beside public
    addresses on 443.
    """

    unknown_hosts: Literal["tunnel", "deny"] = "tunnel"
    shadow: Literal["observe", "deny"] = "observe"
    allow: fields.TunnelGoals = ()


class Jwt(Part):
    """One issuer. Exactly one of `secret`, `public_key` (PEM), `public_key_file`, `jwks_url` verifies its tokens."""

    issuer: fields.Text
    audience: fields.Text
    algorithms: fields.Algorithms
    secret: SecretStr | None = None
    public_key: fields.Text | None = None
    public_key_file: fields.Text | None = None
    jwks_url: fields.SecureUrl | None = None
    user_claim: fields.Text = "sub"
    roles_claim: fields.Text = "roles"
    team_claim: fields.Text = "team"
    leeway: fields.Seconds = 60.0

    @model_validator(mode="after")
    def _algorithms_fit_the_key(self) -> Self:
        sources = ("secret", "public_key", "public_key_file", "jwks_url")
        given = [name for name in sources if getattr(self, name) is not None]
        if len(given) != 1:
            raise fields.at(
                given[-1] if given else "issuer",
                f"an issuer has exactly one of {', '.join(sources)}; this one has {' and '.join(given) or 'none'}",
            )
        if self.secret is not None:
            fitting: tuple[str, ...] = tuple(jwt_keys.SECRET_BYTES)
            length = len(self.secret.get_secret_value().encode())
            needed = max(jwt_keys.SECRET_BYTES.get(name, 0) for name in self.algorithms)
            if length < needed:
                raise fields.at("secret", f"the secret has {length} bytes; these algorithms need at least {needed}")
        elif self.public_key is not None:
            try:
                fitting = jwt_keys.algorithms_of(self.public_key)
            except ValueError as error:
                raise fields.at("public_key", f"public_key is {error}") from None
        else:
            fitting = jwt_keys.PUBLIC_KEY_ALGORITHMS
        if wrong := [name for name in self.algorithms if name not in fitting]:
            raise fields.at("algorithms", f"{given[0]} cannot verify {', '.join(wrong)}, only {', '.join(fitting)}")
        return self


class AuthPart(Part):
    """How callers are known, beside virtual keys."""

    jwt: tuple[Jwt, ...] = ()


class Match(Part):
    """Whom and what a quota or a rate limit selects; globs, a list means any of them; absent: all."""

    user: fields.Globs = ()
    key: fields.Globs = ()
    team: fields.Globs = ()
    role: fields.Globs = ()
    model: fields.Globs = ()


def _one_each(per: tuple[Dimension, ...]) -> None:
    if not forms.unique(per):
        raise fields.at("per", "per names a dimension twice")


class Quota(Part):
    """A limit of tokens per period. A side that is absent is unlimited (and still counted).

    `resets_at` is the local time of day at which periods begin, `HH:MM`.
    """

    name: fields.Name
    per: fields.Dimensions = ("user",)
    match: Match = Match()
    period: Literal["day", "week", "month"]
    timezone: fields.Zone = "UTC"
    week_starts: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] = "monday"
    resets_at: fields.TimeOfDay = "00:00"
    input_tokens: fields.Tokens | None = None
    output_tokens: fields.Tokens | None = None
    enforce: Literal["hard", "soft", "observe"] = "hard"
    count_cached_input: bool = True

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        _one_each(self.per)
        if self.input_tokens is None and self.output_tokens is None:
            raise fields.at("name", "a quota needs input_tokens, output_tokens or both")
        if "week_starts" in self.model_fields_set and self.period != "week":
            raise fields.at("week_starts", "week_starts means something for period: week alone")
        return self


class RateLimit(Part):
    """A leaky bucket. `burst` is requests (or tokens) that may come at once; by default one minute's worth."""

    name: fields.Name
    per: fields.Dimensions = ("key",)
    match: Match = Match()
    requests_per_minute: fields.Count | None = None
    tokens_per_minute: fields.Count | None = None
    burst: fields.Count | None = None

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        _one_each(self.per)
        if self.requests_per_minute is None and self.tokens_per_minute is None:
            raise fields.at("name", "a rate limit needs requests_per_minute, tokens_per_minute or both")
        return self


class AccountingPart(Part):
    """How what cannot be known is counted. `drop_margin` is tokens; `max_output_tokens` is the model's maximum by glob.

    `unbounded_input_tokens` is reserved beside the counted input of requests whose input cannot be known, where
    `allow_unbounded_input` lets them pass an input quota.
    """

    on_drop: Literal["close", "drain"] = "close"
    drop_margin: fields.Tokens = 100
    drain_timeout: fields.Seconds = 60.0
    charge_cache_hits: bool = False
    serve_hits_when_exhausted: bool = False
    input_bound: Literal["tokens", "bytes"] = "tokens"
    allow_unbounded_input: bool = False
    unbounded_input_tokens: fields.Tokens = 0
    max_output_tokens: dict[str, fields.Count] = Field(default_factory=dict)
    default_max_output_tokens: fields.Count = 16_384


class Exclusion(Part):
    """Requests that never touch the cache; all named parts must fit. Globs."""

    path: fields.Text | None = None
    model: fields.Text | None = None
    route: fields.Text | None = None

    @model_validator(mode="after")
    def _excludes_something(self) -> Self:
        if self.path is None and self.model is None and self.route is None:
            raise fields.at("path", "an exclusion names a path, a model or a route; to exclude all, say enabled: false")
        return self


class CachePart(Part):
    """`max_size` bounds the whole cache and `memory_size` what is held in memory: the lesser of both holds there."""

    enabled: bool = True
    ttl: fields.Wait = 3600.0
    max_ttl: fields.Wait = 86_400.0
    scope: Literal["global", "team", "user", "key"] = "team"
    backend: fields.Backend = "local"
    encryption_key: SecretStr = SecretStr("")  # for what is at rest: nothing is, in this version
    max_size: fields.Bytes = 10_000_000_000
    memory_size: fields.Bytes = 268_435_456
    max_entry_size: fields.Bytes = 8_388_608
    exclude: tuple[Exclusion, ...] = ()
    stored_responses: bool = False  # also cache /v1/responses that the provider stores (their ids may be dead on a hit)
    request_controls: bool = True  # obey Cache-Control and x-greyfox-cache-* of callers

    @property
    def memory_bound(self) -> int:
        """Bytes that entries in memory may have in all."""
        return min(self.memory_size, self.max_size)

    @model_validator(mode="after")
    def _ttl_is_within_its_bound(self) -> Self:
        if self.ttl > self.max_ttl:
            raise fields.at("ttl", f"ttl is longer than max_ttl ({self.max_ttl:g} seconds)")
        return self


class When(Part):
    """A rule's condition; all named parts must fit. Globs; a list means any of them.

    `input_tokens` is `"<500"`, `">=8000"`; `content` names pattern sets; `dialect` is an API (`openai`) or one of its
    wire formats (`openai-responses`).
    """

    model: fields.Globs = ()
    user: fields.Globs = ()
    team: fields.Globs = ()
    role: fields.Globs = ()
    key: fields.Globs = ()
    dialect: fields.Globs = ()
    content: fields.Globs = ()
    input_tokens: fields.Comparison | None = None
    stream: bool | None = None


class Use(Part):
    """One target, `upstream/model`; `upstream/*` keeps the model that was asked for.

    `weight` is the target's share among the route's weights; beside others that have one, a target without has 1.
    """

    model: fields.Goal
    weight: fields.Count | None = None


def _use_of(value: object) -> object:
    return {"model": value} if isinstance(value, str) else value


_Uses = Annotated[
    tuple[Annotated[Use, BeforeValidator(_use_of, json_schema_input_type=str | Use)], ...],
    BeforeValidator(forms.as_tuple, json_schema_input_type=str | list[str | Use]),
    Field(min_length=1),
]


class Route(Part):
    """`use` without weights: the first is tried first, later ones are fallbacks. With weights: one is drawn, the rest
    are fallbacks.
    """

    name: fields.Name
    when: When = When()
    use: _Uses

    @property
    def weighted(self) -> bool:
        """Whether the first target is drawn by lot."""
        return any(use.weight is not None for use in self.use)


class Content(Part):
    """Named patterns over the last user message: any of `any`, all of `all`, none of `none`."""

    any: fields.Patterns = ()
    all: fields.Patterns = ()
    none: fields.Patterns = ()
    over: Literal["last_user", "system", "all"] = "last_user"

    @model_validator(mode="after")
    def _has_patterns(self) -> Self:
        if not (self.any or self.all or self.none):
            raise fields.at("over", "a pattern set needs any, all or none")
        return self


class LimitsPart(Part):
    """Bounds of what is taken in, in bytes, counts and seconds."""

    max_body: fields.Bytes = 33_554_432
    max_ratio: fields.Count = 200
    max_depth: Annotated[fields.Count, Field(le=256)] = 64
    max_head: fields.Bytes = 32_768
    max_answer: fields.Bytes = 67_108_864
    head_timeout: fields.Wait = 10.0
    body_timeout: fields.Wait = 10.0
    idle_timeout: fields.Wait = 60.0
    send_timeout: fields.Wait = 60.0
    drain_timeout: fields.Seconds = 30.0


class Config(Part):
    """The whole file."""

    store: fields.Store = "sqlite:///greyfox.db"
    admin: AdminPart = AdminPart()
    upstreams: dict[fields.UpstreamName, Upstream] = Field(min_length=1)
    proxy: ProxyPart = ProxyPart()
    auth: AuthPart = AuthPart()
    quotas: tuple[Quota, ...] = ()
    rate_limits: tuple[RateLimit, ...] = ()
    accounting: AccountingPart = AccountingPart()
    cache: CachePart = CachePart()
    routes: tuple[Route, ...] = ()
    aliases: dict[fields.Text, fields.Text] = Field(default_factory=dict)
    content: dict[fields.Name, Content] = Field(default_factory=dict)
    limits: LimitsPart = LimitsPart()


def json_schema() -> dict[str, Any]:
    """JSON Schema of the file, for editors."""
    return Config.model_json_schema()
