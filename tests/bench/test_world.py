import json
from pathlib import Path

import pytest

from bench.world import UPSTREAM_KEY, World, configuration
from greyfox_core.config.load import load


@pytest.mark.parametrize(
    "world",
    [
        World(keys=1, quotas=1, rules=1, cache=0),
        World(),
        World(quotas=10_000),
        World(rules=10_000),
        World(cache=2**30),
    ],
    ids=["least", "default", "quotas", "rules", "cache"],
)
def test_the_configuration_of_a_world_is_one_that_greyfox_takes(world: World, tmp_path: Path) -> None:
    text = configuration(world, tmp_path, 1234, 1235)
    file = tmp_path / "config.yaml"
    file.write_text(text)
    loaded = load(file, {UPSTREAM_KEY: "x"})
    assert not loaded.warnings
    made = json.loads(text)
    assert len(made["quotas"]) == world.quotas + 1, "and the one that is used up"
    assert len(made["routes"]) == world.rules
