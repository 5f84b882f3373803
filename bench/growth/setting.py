"""What every kind of growth is measured with."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from bench import gateways
from bench.growth.row import Row
from bench.measure import Kind, complaints, measure
from bench.processes import DidNotStart, Running
from bench.report import Measured
from bench.world import World


@dataclass(frozen=True)
class Setting:
    """`full`: also the sizes that take long. `seconds` is of each run in each round."""

    folder: Path
    server: Running
    door: str
    rounds: int
    seconds: float
    full: bool

    def greyfox(self, world: World) -> AbstractContextManager[gateways.GreyFox]:
        """A gateway of its own."""
        return gateways.greyfox(self.folder, self.server.port, world, self.door)

    def measured(self, kinds: Sequence[Kind], at_least: float = 0) -> list[Measured]:
        """All kinds, in turn, each for `at_least` so many seconds in each round.

        Raises DidNotStart where an answer failed: such figures tell nothing.
        """
        runs = measure(kinds, self.server, self.rounds, max(self.seconds, at_least))
        if wrong := complaints(kinds, runs):
            raise DidNotStart("\n".join(wrong))
        return runs


@dataclass(frozen=True)
class Axis:
    """One kind of growth. `across` is the unit of its sizes, `drawn` what is plotted against them (see row.series)."""

    title: str
    across: str
    measure: Callable[[Setting], list[Row]]
    drawn: str = "kept"
