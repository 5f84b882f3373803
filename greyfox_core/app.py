"""The house as a whole: everything that one gateway process is made of, built once and wired together.

`App.open` reads and checks (no loop needed, so that a wrong configuration or a broken database ends the start in one
line); `start` begins to serve; `drain` and `close` end it. Front doors hand each request to the steps, in the order
of a request: `ingress`, `identify`, `resolve`, `admit`, `recall`, `forward`, `finish`. The flow door has an addon for
each, the fast door hands it to `serve`, which does the same in one go.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import aiohttp

from greyfox_core.auth.credentials import unauthenticated
from greyfox_core.auth.jwks import fetcher
from greyfox_core.auth.keys import load_pepper, pepper_file
from greyfox_core.auth.service import Authenticator
from greyfox_core.cache.memory import MemoryCache
from greyfox_core.cache.service import Cache
from greyfox_core.clock import Clock, SystemClock
from greyfox_core.config.load import Loaded
from greyfox_core.config.schema import Config, LimitsPart
from greyfox_core.config.watch import ConfigSource
from greyfox_core.dialects.registry import Dialects
from greyfox_core.errors import ConfigError, Refused, Unavailable
from greyfox_core.first_key import FirstKey, issue_first_key
from greyfox_core.forwarding.addresses import by_system
from greyfox_core.forwarding.client import UpstreamClient
from greyfox_core.metrics import Metrics
from greyfox_core.quota.admission import Admission
from greyfox_core.rules import Rules
from greyfox_core.steps.admit import Admit
from greyfox_core.steps.calling import Calling
from greyfox_core.steps.connect import Connector
from greyfox_core.steps.finish import Finish
from greyfox_core.steps.forward import Forward
from greyfox_core.steps.identify import Identify
from greyfox_core.steps.ingress import Ingress
from greyfox_core.steps.known import KnownHeads
from greyfox_core.steps.open_attempt import Background, Books
from greyfox_core.steps.pages import Pages
from greyfox_core.steps.recall import Recall
from greyfox_core.steps.resolve import Resolve
from greyfox_core.steps.serve import Serve
from greyfox_core.store.open import Store, open_store
from greyfox_core.tokens.count import TokenCounter
from greyfox_core.tokens.encodings import Encodings
from greyfox_core.values.exchange import Exchange
from greyfox_core.values.http import Headers
from greyfox_core.values.tunnel import Tunnel
from greyfox_core.version import __version__

log = logging.getLogger("greyfox")

LOOK_FOR_CHANGES = 0.4  # seconds; what another process changes must hold here within 1 s
STOPPED = "GreyFox is stopping and could not wait for the upstream's answer any longer. Try again in a moment."
LOOK_AT_CONFIG = 1.0  # seconds
LEAVE = 3.0  # seconds that what must end now has, to settle


class App:
    """One gateway. Not started: nothing is open but the store."""

    def __init__(self, source: ConfigSource, store: Store, pepper: bytes, certs: Path, clock: Clock) -> None:
        loaded = source.current
        config = loaded.config
        self.source = source
        self.store = store
        self.rules = Rules.of(loaded, random.random)
        self.metrics = Metrics(__version__)
        self.first_key: FirstKey | None = None
        self.on_limits: Callable[[LimitsPart], None] = lambda limits: None  # told the bounds of what is taken in
        self.on_revoked: Callable[[frozenset[str]], None] = lambda dead: None  # told the ids of keys
        self._clock = clock
        self._pepper = pepper
        self._encodings = Encodings()
        self._counter = TokenCounter(self._encodings)
        self._client = UpstreamClient()
        self._background = Background()
        self._housekeeping: list[asyncio.Task[None]] = []
        self._session: aiohttp.ClientSession | None = None
        self._exchanges: set[Exchange] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._reasons = ["starting"]  # why we are not ready
        self._admission = Admission(config, store.journal, store.counters, clock, store.overrides())
        self._authenticator = Authenticator(store.keys, pepper, clock, self._fetch, log.warning)
        self._authenticator.reconfigure(config.auth, self.rules.folder)
        bounds = config.cache
        entries = MemoryCache(clock, max_bytes=bounds.memory_bound, max_entry=bounds.max_entry_size)
        self._cache = Cache(entries, clock)
        self._cache.reconfigure(bounds)
        self.metrics.watch_cache(self._cache.stats)
        store.journal.watch_commits(self.metrics.journal_commit)

        dialects = Dialects()
        self.ingress = Ingress(clock)
        self.identify = Identify(self._authenticator)
        self.known = KnownHeads(self.identify)
        self.resolve = Resolve(dialects, self._counter)
        self.admit = Admit(self._admission)
        self.recall = Recall(self._cache, dialects, self._admission, clock)
        books = Books(self._admission, self._counter, self.metrics, clock, self._background)
        self.forward = Forward(Calling(self._client, clock), dialects, books, self.recall)
        self.finish = Finish(self._admission, dialects, self.metrics, clock)
        self.pages = Pages(self._admission, store.reports, certs, clock)
        self.serve = Serve(
            self.identify,
            self.resolve,
            self.admit,
            self.recall,
            self.forward,
            self.finish,
            self.pages,
            self.metrics,
            self.refuse,
        )
        self.connector = Connector(self._authenticator, self.metrics, by_system)

    @classmethod
    def open(cls, config_file: Path, environ: Mapping[str, str], certs: Path, clock: Clock | None = None) -> "App":
        """Read the configuration and open the store. Raises ConfigError with the text to show, StoreUnavailable.

        `certs` is the folder of the CA, for callers to fetch its certificate.
        """
        clock = clock or SystemClock()
        source = ConfigSource(config_file, environ)
        database = source.current.store_path
        store = open_store(database, clock)
        try:
            recovered = store.recover()
            if recovered.orphans:
                log.warning(
                    "the last run left %d attempts open; they are booked as estimates: %d input, %d output tokens",
                    recovered.orphans,
                    recovered.input_tokens,
                    recovered.output_tokens,
                )
            for mismatch in recovered.repaired:
                log.warning("a counter did not agree with the ledger and was counted anew: %s", mismatch)
            unused = store.keys.empty()
            pepper = load_pepper(pepper_file(database), create=unused)
            app = cls(source, store, pepper, certs, clock)
            if unused:
                app.first_key = issue_first_key(store.keys, pepper, clock)
        except BaseException:
            store.close()
            raise
        return app

    async def start(self) -> None:
        """Begin to serve. Raises StoreUnavailable, BrokenData."""
        self._session = aiohttp.ClientSession()
        self._client.start()
        await asyncio.to_thread(self._encodings.check)
        await self._prepare_counting(self.rules.config)
        self._admission.apply(await self.store.changes())
        self._housekeeping = [
            asyncio.create_task(self._watch_store()),
            asyncio.create_task(self._watch_config()),
        ]

    def ready(self) -> None:
        """From now on requests are welcome."""
        self._reasons = []

    def why_not_ready(self) -> list[str]:
        """The reasons why this node should get no requests; none: it is ready."""
        return [*self._reasons, *(["store"] if self.store.journal.failing else [])]

    # --- requests

    def opened(self, exchange: Exchange) -> None:
        """A request is under way."""
        self._exchanges.add(exchange)
        self._idle.clear()
        self.metrics.in_flight(+1)

    def refuse(self, exchange: Exchange, refusal: Refused) -> None:
        """Answer with `refusal` in the caller's dialect; an answer that was under way is settled."""
        if exchange.answer is not None and not isinstance(exchange.answer.body, bytes):
            self._background.run(exchange.answer.body.aclose())
        self.finish.refuse(exchange, refusal)

    def abandon(self, exchange: Exchange) -> None:
        """Nobody takes the rest of its answer: what that cost so far is settled in the background."""
        self._background.run(exchange.close_source())

    def closed(self, exchange: Exchange) -> None:
        """Its answer has gone out, or its client has."""
        if exchange in self._exchanges:
            self._exchanges.discard(exchange)
            if not self._exchanges:
                self._idle.set()
            self.metrics.in_flight(-1)
            self.finish.close(exchange)

    async def connect(self, host: str, port: int, headers: Headers) -> Tunnel:
        """May this caller have a tunnel there? Raises Unauthenticated, Forbidden."""
        return await self.connector(host, port, headers, self.rules)

    # --- housekeeping

    async def _watch_store(self) -> None:
        while True:
            await asyncio.sleep(LOOK_FOR_CHANGES)
            try:
                self._admission.apply(await self.store.changes())
            except Refused:
                continue  # the journal says that it fails, and tries by itself
            self._end_revoked()

    def _end_revoked(self) -> None:
        """What runs for a key that holds no longer ends now, and is settled at what came."""
        dead = self.store.keys.dead(self._clock.now())
        if dead:
            for exchange in list(self._exchanges):
                if exchange.principal is not None and exchange.principal.key_id in dead:
                    exchange.leave(unauthenticated())
            self.on_revoked(dead)

    async def _watch_config(self) -> None:
        while True:
            await asyncio.sleep(LOOK_AT_CONFIG)
            try:
                loaded = await self.source.changed()
                if loaded is not None:
                    await self._prepare_counting(loaded.config)
                    self._reconfigure(loaded)
                    self.metrics.config_reload("applied")
                    log.info("configuration reloaded: %s", loaded.path)
            except ConfigError as error:
                self.metrics.config_reload("refused")
                log.error("%s", error)

    async def _prepare_counting(self, config: Config) -> None:
        """A rule decides by tokens: what is not counted by then would be guessed. Raises BrokenData."""
        if any(route.when.input_tokens is not None for route in config.routes):
            await asyncio.to_thread(self._encodings.warm)

    def _reconfigure(self, loaded: Loaded) -> None:
        rules = Rules.of(loaded, random.random)
        self._authenticator.reconfigure(loaded.config.auth, rules.folder)
        self._admission.reconfigure(loaded.config)
        self._cache.reconfigure(loaded.config.cache)
        self.rules = rules
        self.on_limits(loaded.config.limits)

    async def _fetch(self, url: str) -> bytes:
        if self._session is None:
            raise ConnectionError
        return await fetcher(self._session)(url)

    # --- the end

    async def drain(self) -> None:
        """Wait until what is under way has ended, at most `limits.drain_timeout` seconds.

        Then end and settle the rest.
        """
        self._reasons = ["draining"]
        deadline = self.rules.config.limits.drain_timeout
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline):
                await self._idle.wait()
        for exchange in list(self._exchanges):
            exchange.leave(Unavailable(STOPPED, retry_after=1))
        with suppress(TimeoutError):  # each settles by itself, in the task that serves it
            async with asyncio.timeout(LEAVE):
                await self._idle.wait()
        for exchange in list(self._exchanges):
            with suppress(RuntimeError):  # its task still holds the source
                await exchange.close_source()
            self.closed(exchange)

    async def close(self) -> None:
        """Write what is still to be written, and let go of everything."""
        for task in self._housekeeping:
            task.cancel()
        await asyncio.gather(*self._housekeeping, return_exceptions=True)
        await self._background.finished(LEAVE)
        await self._authenticator.close()
        await self._client.close()
        if self._session is not None:
            await self._session.close()
        self._counter.close()
        await asyncio.to_thread(self.store.close)
