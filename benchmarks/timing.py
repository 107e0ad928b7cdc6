"""Compare the processor time of two functions, as a ratio with an aim."""

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
    """One comparison: median seconds of both functions, their ratios per round, and the aim."""

    what: str
    ours: float
    theirs: float
    ratios: tuple[float, ...]
    at_most: float | None = None
    at_least: float | None = None

    @property
    def ratio(self) -> float:
        """Median of the ratios per round."""
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
    """Return the processor time of one call, which other processes do not affect."""
    start = time.process_time()
    run()
    return time.process_time() - start


def duel(ours: Run, theirs: Run, rounds: int) -> list[tuple[float, float]]:
    """Time both functions per round, alternating the order, after one warm-up call of each."""
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
    """Return the comparison of our time with theirs."""
    pairs = duel(ours, theirs, rounds)
    mine, other = (statistics.median(side) for side in zip(*pairs, strict=True))
    return Row(what, mine, other, tuple(a / b for a, b in pairs), at_most)


def same(what: str, ours: Tensor, theirs: Tensor) -> None:
    """Exit if two outputs differ by more than `TOLERANCE`, because comparing their times would be meaningless."""
    apart = float((ours - theirs).abs().max())
    if not apart <= TOLERANCE:
        raise SystemExit(f"{what}: outputs differ by {apart:.2g}, more than {TOLERANCE:g}; times would mean nothing")
