"""How long language models take to answer: a lognormal distribution, named by its mean and 99th percentile. Pure.

Units: seconds.
Source: for ln X ~ N(mu, sigma), the mean is exp(mu + sigma²/2) and the p99 exp(mu + z·sigma), with z the normal p99.
"""

from dataclasses import dataclass
from math import exp, log, sqrt
from random import Random
from statistics import NormalDist

Z99 = NormalDist().inv_cdf(0.99)


@dataclass(frozen=True)
class Lognormal:
    """`mu` and `sigma` are of the logarithm."""

    mu: float
    sigma: float

    @property
    def mean(self) -> float:
        return exp(self.mu + self.sigma**2 / 2)

    @property
    def p99(self) -> float:
        return exp(self.mu + Z99 * self.sigma)

    def draw(self, random: Random) -> float:
        """One delay."""
        return random.lognormvariate(self.mu, self.sigma)


def lognormal(mean: float, p99: float) -> Lognormal:
    """The one with that mean and p99; of the two, that with the smaller sigma.

    Raises ValueError where there is none: the p99 is above the mean, and at most exp(z²/2), some 15 times it.
    """
    if not 0 < mean < p99:
        raise ValueError(f"a p99 of {p99:g} s does not lie above a mean of {mean:g} s")
    inner = Z99**2 - 2 * log(p99 / mean)
    if inner < 0:
        raise ValueError(f"no lognormal distribution with mean {mean:g} s has a p99 of {p99:g} s")
    sigma = Z99 - sqrt(inner)
    return Lognormal(log(mean) - sigma**2 / 2, sigma)
