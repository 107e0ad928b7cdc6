"""Two factors crossed: what the image adds, what a hint adds, and whether one makes the other needless."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vlaudit.measures.base import Measure, Numbers, Reduction, Unit

CELLS = ("shown", "covered", "shown_hint", "covered_hint")
"""The four conditions: object visible or covered, without and with a hint."""


@dataclass(frozen=True)
class TwoByTwo:
    """The effects of image and hint on the `p` of a measure, in a 2x2 design.

    `prefix` stands before the conditions' names (`CELLS`) and before the columns. Columns beside those of `measure`:
    `vision_effect`, shown minus covered, without a hint; `hint_effect`, hint minus none, with the object covered;
    `interaction`, how much smaller (if negative) the effect of the image is with a hint than without.

    Source: ALBEF challenges study, Fig. 1: the four cells, of one example each. Differs: effects over many samples.
    """

    measure: Measure
    prefix: str = ""

    def reduce(self, batch: Sequence[Reduction]) -> Sequence[Numbers]:
        """Return what the measure gives."""
        return self.measure.reduce(batch)

    def row(self, unit: Unit, conditions: Mapping[str, Numbers]) -> Numbers:
        """Return the columns of the measure, and the effects."""
        shown, covered, shown_hint, covered_hint = (conditions[self.prefix + cell]["p"] for cell in CELLS)
        effects = {
            "vision_effect": shown - covered,
            "hint_effect": covered_hint - covered,
            "interaction": (shown_hint - covered_hint) - (shown - covered),
        }
        named = {self.prefix + name: effect for name, effect in effects.items()}
        return {**self.measure.row(unit, conditions), **named}
