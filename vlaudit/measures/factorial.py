"""Two crossed factors: the effect of the image, the effect of a hint, and their interaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vlaudit.measures.base import Measure, Numbers, Reduction, Requirement, Unit
from vlaudit.samples import Sample
from vlaudit.traces import Reading

Cells = tuple[str, str, str, str]
"""Four conditions: object visible, covered, visible with a hint, covered with a hint."""


@dataclass(frozen=True)
class TwoByTwo(Measure):
    """Effects of image and hint on the `p` of another measure, in a 2x2 design.

    `cells` names the four conditions. Columns in addition to those of `measure`, each named with `prefix`:
    `vision_effect`, visible minus covered, without a hint; `hint_effect`, hint minus none, with the object covered;
    `interaction`, the effect of the image with a hint minus that without.

    Source: ALBEF challenges study, Figure 1: the four cells, of one example each. Differs: effects over many samples.
    """

    measure: Measure
    cells: Cells
    prefix: str = ""

    @property
    def needs(self) -> frozenset[Reading]:
        """Readings of the inner measure."""
        return self.measure.needs

    @property
    def requires(self) -> frozenset[Requirement]:
        """Requirements of the inner measure."""
        return self.measure.requires

    @property
    def named(self) -> frozenset[str]:
        """The four cells, and the conditions that the inner measure names."""
        return self.measure.named | frozenset(self.cells)

    def readings(self, sample: Sample) -> frozenset[Reading]:
        """Return the readings of the inner measure."""
        return self.measure.readings(sample)

    def columns(self, conditions: Iterable[str]) -> frozenset[str]:
        """Return the columns of the inner measure, and the effects."""
        effects = {f"{self.prefix}{name}" for name in ("vision_effect", "hint_effect", "interaction")}
        return self.measure.columns(conditions) | effects

    def refusal(self, unit: Unit) -> str | None:
        """Return why the inner measure refuses the unit, or None."""
        return self.measure.refusal(unit)

    def reduce(self, batch: Sequence[Reduction]) -> Sequence[Numbers]:
        """Return the numbers of the inner measure."""
        return self.measure.reduce(batch)

    def row(self, unit: Unit, conditions: Mapping[str, Numbers]) -> Numbers:
        """Return the columns of the inner measure, and the effects."""
        shown, covered, shown_hint, covered_hint = (conditions[cell]["p"] for cell in self.cells)
        effects = {
            "vision_effect": shown - covered,
            "hint_effect": covered_hint - covered,
            "interaction": (shown_hint - covered_hint) - (shown - covered),
        }
        named = {self.prefix + name: effect for name, effect in effects.items()}
        return {**self.measure.row(unit, conditions), **named}
