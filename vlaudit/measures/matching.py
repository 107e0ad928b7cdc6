"""Match scores of caption and image, and comparisons between conditions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from vlaudit.measures.base import Measure, Numbers, Reduction, Requirement, Unit, above, crossed, flat
from vlaudit.traces import Match

Pair = tuple[str, str]
"""Two conditions: the one that should score higher, and the other."""


@dataclass(frozen=True)
class MatchProbability(Measure):
    """Match score of every condition, and comparisons between conditions.

    Columns per condition: `score` (log-odds, or the model's own score); `p`, its sigmoid: the probability of a match;
    `accepted`, true if `p` exceeds one half. `p` and `accepted` have no meaning unless the score is log-odds
    (see `Capabilities.match`).
    Columns per unit: each name of `preferred`, 1 if the first condition of its pair scores higher, or the share of
    such pairs if it has several; a tie counts half, so that a constant score is at chance. `NAME.chance` is that
    chance, 0.5. Each name of `changes`: the absolute difference of `p` between its two conditions, 0 to 1.
    Captions of one image can be compared by any score. `across_images` states that a comparison involves different
    images, which requires log-odds.

    Source: image-text matching scores of the ALBEF challenges study, Figures 1 and 3: "two-class match probability".
    """

    preferred: Mapping[str, Pair | tuple[Pair, ...]] = field(default_factory=dict)
    changes: Mapping[str, Pair] = field(default_factory=dict)
    across_images: bool = False
    needs = frozenset({Match()})

    @property
    def requires(self) -> frozenset[Requirement]:
        """Comparable scores, if different images are compared."""
        return frozenset({"comparable matches"} if self.across_images or self.changes else ())

    @property
    def named(self) -> frozenset[str]:
        """Every condition of a pair."""
        pairs = [*self.changes.values(), *(pair for pairs in self.preferred.values() for pair in _listed(pairs))]
        return frozenset(name for pair in pairs for name in pair)

    def columns(self, conditions: Iterable[str]) -> frozenset[str]:
        """Return `score`, `p` and `accepted` of the conditions, and the names of the comparisons."""
        chances = crossed(self.preferred, ("chance",))
        return crossed(conditions, ("score", "p", "accepted")) | {*self.preferred, *self.changes} | chances

    def reduce(self, batch: Sequence[Reduction]) -> Sequence[Numbers]:
        """Return `score`, `p` and `accepted` of each trace."""
        scores = torch.stack([reduction.trace[Match()].reshape(()) for reduction in batch]).double().cpu()
        return [
            {"score": score, "p": p, "accepted": p > 0.5}
            for score, p in zip(scores.tolist(), torch.sigmoid(scores).tolist(), strict=True)
        ]

    def row(self, unit: Unit, conditions: Mapping[str, Numbers]) -> Numbers:
        """Return the columns of every condition and of every comparison."""
        preferred = {name: _preferred(conditions, pairs) for name, pairs in self.preferred.items()}
        changes = {
            name: abs(conditions[one]["p"] - conditions[other]["p"]) for name, (one, other) in self.changes.items()
        }
        chances = {f"{name}.chance": 0.5 for name in preferred}
        return {**flat(conditions), **preferred, **chances, **changes}


def _preferred(conditions: Mapping[str, Numbers], pairs: Pair | tuple[Pair, ...]) -> float:
    """Return the share of the pairs in which the first condition scores higher; ties count half."""
    higher = [above(conditions[one]["score"], conditions[other]["score"]) for one, other in _listed(pairs)]
    return sum(higher) / len(higher)


def _listed(pairs: Pair | tuple[Pair, ...]) -> list[Pair]:
    """Return the pairs, or the one pair, as a list."""
    return [pairs] if isinstance(pairs[0], str) else list(pairs)
