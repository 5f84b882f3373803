"""An operator at a desk of their own: a folder with a configuration, a clock that is turned, commands that are run."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from greyfox_core.cli.desk import Desk
from greyfox_core.cli.main import main
from greyfox_core.clock import ManualClock
from greyfox_core.quota.admission import Admission
from greyfox_core.quota.attempt import Attempt, Settlement
from greyfox_core.store.open import open_store
from greyfox_core.values.principal import Principal
from greyfox_core.values.usage import Usage

NOW = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
CONFIG = """
upstreams:
  openai: {dialect: openai, base_url: https://api.openai.com/v1, api_key: "${OPENAI_API_KEY:-}"}
quotas:
  - {name: day, per: user, period: day, timezone: Europe/Berlin, input_tokens: 10000, output_tokens: 2000}
  - {name: model, per: [team, model], period: month, output_tokens: 5000}
"""


@dataclass
class Ended:
    """A command's exit status and what it wrote."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """What it says under --json."""
        return str(json.loads(self.err)["error"])


@dataclass
class Operator:
    folder: Path
    output: pytest.CaptureFixture[str]
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.config = self.folder / "config.yaml"
        self.database = self.folder / "greyfox.db"
        self.environ["GREYFOX_CONFIG"] = str(self.config)
        self.config.write_text(CONFIG, encoding="utf-8")

    def __call__(self, *words: str) -> Ended:
        """Run a command, whatever its end."""
        self.output.readouterr()
        code = main(words, Desk(self.clock, self.environ))
        said = self.output.readouterr()
        assert "Traceback" not in said.err
        return Ended(code, said.out, said.err)

    def ok(self, *words: str) -> Ended:
        """Run a command that is to succeed."""
        ended = self(*words)
        assert ended.code == 0, ended.err
        return ended

    def asks(
        self, user: str, usages: Sequence[Usage], *, team: str | None = None, model: str = "gpt-4o", **tags: str
    ) -> None:
        """Let a gateway admit and settle requests of that user, and leave one more open for 7 and 3 tokens."""

        async def gateway() -> None:
            from greyfox_core.config.load import load

            config = load(self.config, self.environ).config
            store = open_store(self.database, self.clock)
            try:
                who = Principal(user, f"key_{user}", team)
                admission = Admission(config, store.journal, store.counters, self.clock, store.overrides())
                await admission.prepare(who, model)
                for number, usage in enumerate([*usages, None]):
                    attempt = Attempt(
                        *(f"gfr_{user}_{model}_{number}", 1, who, "openai-chat", "generate", "openai", model, model),
                        *("default", "base-url", False, tags),
                    )
                    size = (7, 3) if usage is None else (usage.input_total, usage.output_total)
                    reservation = await admission.reserve(
                        attempt, input_tokens=size[0], asked_cap=size[1], model_max=9999
                    )
                    if usage is not None:
                        await admission.settle(reservation, Settlement(usage, False, "complete", 200))
            finally:
                store.close()

        asyncio.run(gateway())
        self.clock.advance(1)
