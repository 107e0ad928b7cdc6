"""A finding, how it is measured, what is demanded, and what is decided: the vocabulary of an audit.

*Pass = the checkpoint has the stated desirable property.* A number without an interval never reaches a verdict.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from vlaudit.errors import UsageError
from vlaudit.measures.base import Measure, Unit
from vlaudit.models.base import Capabilities
from vlaudit.perturbations.base import Perturbation
from vlaudit.samples import Sample
from vlaudit.statistics.base import Estimate, NoEstimate
from vlaudit.tables import Table
from vlaudit.traces import Reading

Outcome = Literal["pass", "fail", "inconclusive", "not applicable", "error"]
POWER = 0.8  # chance that the number of images we name is enough
NOBODY_HAS = 10**9  # images; a value so near its bound lies on it, for all that can be found out


@runtime_checkable
class Exhibit(Protocol):
    """A picture or a table that the report shows under a finding; settings are fields, the table comes by the call."""

    title: str

    def render(self, table: Table, units: Mapping[str, Unit]) -> str:
        """Return a fragment of HTML, with text from data escaped and images inside it; `units` by their ids."""
        ...


@dataclass(frozen=True)
class Finding:
    """A published finding, as a claim about a checkpoint.

    `claim` is the desirable property in one sentence; `source` paper and section; `failing` what a failure means for
    someone who ships; `published` names the figures that the report shows beside ours, text to text; `exhibits` is what
    it draws.
    """

    id: str
    claim: str
    source: str
    failing: str
    published: Mapping[str, str] = field(default_factory=dict)
    exhibits: tuple[Exhibit, ...] = ()


class Ask(NamedTuple):
    """One input of a unit: a sample, the perturbations that make it a condition, and what to read."""

    sample: Sample
    changes: tuple[Perturbation, ...]
    readings: frozenset[Reading]


def fits_all(capabilities: Capabilities) -> str | None:  # noqa: ARG001 (what `unfit` is given)
    """Say of every model that it can be measured."""
    return None


@dataclass(frozen=True)
class Design:
    """How a finding is measured.

    `units(samples, seed)` chooses what rows are about; `asks(unit)` gives the conditions of a unit by name; equal
    inputs of all selected designs merge into one pass. `measure` reduces the traces. `unfit` says why a model of these
    capabilities cannot be measured so, or None: then nothing is planned, and no unit counts as refused.
    """

    id: str
    units: Callable[[Iterable[Sample], int], Iterator[Unit]]
    asks: Callable[[Unit], Mapping[str, Ask]]
    measure: Measure
    unfit: Callable[[Capabilities], str | None] = fits_all


@dataclass(frozen=True)
class Criterion:
    """What is demanded of an estimate: exactly one of `at_least`, `at_most`, `within`; `why` the bound is where it is.

    `alpha` is the criterion's share of the suite's error: its interval covers with probability 1 - alpha.
    """

    id: str
    why: str
    alpha: float
    at_least: float | None = None
    at_most: float | None = None
    within: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        given = [name for name in ("at_least", "at_most", "within") if getattr(self, name) is not None]
        if len(given) != 1:
            raise UsageError(
                f"criterion {self.id}: exactly one of at_least, at_most, within must be given, got {given or 'none'}"
            )
        low, high = self.bounds
        if not low < high:
            raise UsageError(f"criterion {self.id}: within = [a, b] needs a < b, got {[low, high]}")
        if not 0 < self.alpha < 1:
            raise UsageError(f"criterion {self.id}: alpha must lie between 0 and 1, got {self.alpha}")

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest value that pass, infinite where there is no bound."""
        if self.within is not None:
            return self.within
        if self.at_least is not None:
            return self.at_least, math.inf
        return -math.inf, self.at_most if self.at_most is not None else math.inf

    def __str__(self) -> str:
        if self.within is not None:
            return f"within [{self.within[0]:g}, {self.within[1]:g}]"
        return f"at least {self.at_least:g}" if self.at_least is not None else f"at most {self.at_most:g}"


@dataclass(frozen=True)
class Verdict:
    """What was decided about one criterion, and why; `needed` is how many images would probably decide it."""

    criterion: Criterion
    outcome: Outcome
    reason: str
    estimate: Estimate | None = None
    needed: int | None = None


def decide(estimate: Estimate | NoEstimate, criterion: Criterion) -> Verdict:
    """Judge an estimate: pass if its interval lies inside the bounds, fail if outside, inconclusive otherwise.

    Data that allow no interval (none at all, one cluster, NaN) are an error, named; they are never a pass. An interval
    at a larger alpha than the criterion's is narrower than its error rate allows, and is refused.
    """
    if isinstance(estimate, NoEstimate):
        return Verdict(criterion, "error", estimate.reason)
    if estimate.alpha > criterion.alpha:
        raise UsageError(
            f"criterion {criterion.id} needs an interval at alpha = {criterion.alpha:g}, got {estimate.alpha:g}"
        )
    low, high = criterion.bounds
    shown = f"{estimate} against {criterion}"
    if low <= estimate.low and estimate.high <= high:
        return Verdict(criterion, "pass", shown, estimate)
    if estimate.high < low or estimate.low > high:
        return Verdict(criterion, "fail", shown, estimate)
    needed = _needed(estimate, criterion)
    enough = (
        f"about {needed:,} images would decide it" if needed else "the value lies on the bound, no number decides it"
    )
    return Verdict(criterion, "inconclusive", f"{shown}; {enough}", estimate, needed)


def not_applicable(criterion: Criterion, reason: str) -> Verdict:
    """Return the verdict on a criterion that this model or these stimuli cannot speak to."""
    return Verdict(criterion, "not applicable", reason)


def _needed(estimate: Estimate, criterion: Criterion) -> int | None:
    """Return how many clusters would decide in four cases of five, if the value found is the true one; None on a bound.

    An interval's reach falls with the square root of the number, and the next value scatters around this one: so the
    reach must fall to the distance from the bound, less what a fifth of the next values stray. Two digits are kept.
    """
    z = NormalDist().inv_cdf
    stray = 1 + z(POWER) / z(1 - estimate.alpha / 2)
    shrink = max(
        (reach * stray / gap if gap else math.inf for reach, gap in _crossings(estimate, criterion)), default=1
    )
    if estimate.clusters * min(shrink, NOBODY_HAS) ** 2 > NOBODY_HAS:
        return None
    needed = max(estimate.clusters * shrink**2, estimate.clusters + 1)
    digit: int = 10 ** max(math.floor(math.log10(needed)) - 1, 0)
    return int(math.ceil(needed / digit) * digit)


def _crossings(estimate: Estimate, criterion: Criterion) -> Iterator[tuple[float, float]]:
    """Yield, for each bound that the interval must come clear of, its reach towards it and the value's distance.

    A value between the bounds must come clear of both, one outside only of the bound beside it.
    """
    low, high = criterion.bounds
    below, above = estimate.value - estimate.low, estimate.high - estimate.value
    if estimate.value < low:
        yield above, low - estimate.value
    elif estimate.value > high:
        yield below, estimate.value - high
    else:
        yield below, estimate.value - low
        yield above, high - estimate.value
