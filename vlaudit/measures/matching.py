"""How well caption and image match, and which of two captions matches better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from vlaudit.measures.base import Numbers, Reduction, Unit, flat
from vlaudit.traces import Match

Pair = tuple[str, str]
"""Two conditions: the one that should score higher, and the other."""


@dataclass(frozen=True)
class MatchProbability:
    """Match score of every condition, and comparisons between conditions.

    Columns of a condition: `score` (log-odds, or whatever score the model has); `p`, its sigmoid: the probability of a
    match, and `accepted`, whether it is above one half. Both are without meaning where the score is no log-odds
    (`Capabilities.match` says which).
    Columns of a unit: every name of `above`, whether the first condition of its pair scores strictly higher, or the
    share of its pairs where it has several; a tie is no preference and counts as wrong. Between captions of one image
    this holds for any score. Every name of `changes`: how far apart the `p` of its two conditions lie, 0 to 1.

    Source: image-text matching scores of the ALBEF challenges study, Fig. 1 and 3: "two-class match probability".
    """

    above: Mapping[str, tuple[Pair, ...]] = field(default_factory=dict)
    changes: Mapping[str, Pair] = field(default_factory=dict)

    def reduce(self, batch: Sequence[Reduction]) -> Sequence[Numbers]:
        """Return `score`, `p` and `accepted` of each trace."""
        scores = torch.stack([reduction.trace[Match()].reshape(()) for reduction in batch]).double().cpu()
        return [
            {"score": score, "p": p, "accepted": p > 0.5}
            for score, p in zip(scores.tolist(), torch.sigmoid(scores).tolist(), strict=True)
        ]

    def row(self, unit: Unit, conditions: Mapping[str, Numbers]) -> Numbers:
        """Return the columns of every condition and of every comparison."""
        compared = {name: [_above(conditions, pair) for pair in pairs] for name, pairs in self.above.items()}
        shares = {name: held[0] if len(held) == 1 else sum(held) / len(held) for name, held in compared.items()}
        moved = {
            name: abs(conditions[one]["p"] - conditions[other]["p"]) for name, (one, other) in self.changes.items()
        }
        return {**flat(conditions), **shares, **moved}


def _above(conditions: Mapping[str, Numbers], pair: Pair) -> bool:
    return bool(conditions[pair[0]]["score"] > conditions[pair[1]]["score"])
