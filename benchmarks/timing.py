"""Time two things in turn, and say what their ratio should be."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

TOLERANCE = 1e-4
Run = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """One comparison: seconds of both sides and the ratio that has an aim, each the median over the rounds."""

    what: str
    ours: float
    theirs: float
    ratios: tuple[float, ...]
    at_most: float | None = None
    at_least: float | None = None

    @property
    def ratio(self) -> float:
        """Median of the ratios of single rounds."""
        return statistics.median(self.ratios)

    @property
    def aim(self) -> str:
        """The aim, and whether the ratio meets it."""
        if self.at_most is not None:
            return f"<= {self.at_most:g} {'met' if self.ratio <= self.at_most else 'MISSED'}"
        if self.at_least is not None:
            return f">= {self.at_least:g} {'met' if self.ratio >= self.at_least else 'MISSED'}"
        return "none"

    def __str__(self) -> str:
        spread = f"{min(self.ratios):.2f}-{max(self.ratios):.2f}"
        sides = f"{1000 * self.ours:9.1f}  {1000 * self.theirs:9.1f}"
        return f"{self.what:<74}{sides}  {self.ratio:6.2f}  {spread:<12}  {self.aim}"


HEADER = f"{'ours / theirs':<74}{'ours ms':>9}  {'theirs ms':>9}  {'ratio':>6}  {'lowest-highest':<12}  aim"


def seconds(run: Run) -> float:
    """Time one call by the processor time of this process, which others on the machine do not add to."""
    start = time.process_time()
    run()
    return time.process_time() - start


def duel(ours: Run, theirs: Run, rounds: int) -> list[tuple[float, float]]:
    """Time both in turn, each first in every other round, after a call of each that is not counted."""
    ours(), theirs()
    pairs = []
    for number in range(rounds):
        if number % 2:
            second, first = seconds(theirs), seconds(ours)
        else:
            first, second = seconds(ours), seconds(theirs)
        pairs.append((first, second))
    return pairs


def compare(what: str, ours: Run, theirs: Run, rounds: int, at_most: float | None = None) -> Row:
    """Return our time over theirs."""
    pairs = duel(ours, theirs, rounds)
    mine, other = (statistics.median(side) for side in zip(*pairs, strict=True))
    return Row(what, mine, other, tuple(a / b for a, b in pairs), at_most)


def same(what: str, ours: Tensor, theirs: Tensor) -> None:
    """Refuse to time two things that do not compute the same."""
    apart = float((ours - theirs).abs().max())
    if not apart <= TOLERANCE:
        raise SystemExit(f"{what}: outputs differ by {apart:.2g}, more than {TOLERANCE:g}; times would mean nothing")
