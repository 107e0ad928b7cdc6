"""Confusion matrices: true answers against given answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int

from vlaudit.errors import DataError
from vlaudit.findings import Design
from vlaudit.measures.base import Unit
from vlaudit.reporting.exhibits.cells import Cell, cell
from vlaudit.reporting.templating import fill
from vlaudit.samples import COLORS
from vlaudit.tables import Table

SWATCHES: Mapping[str, str] = {
    "black": "#1a1a1a",
    "white": "#ffffff",
    "red": "#d62f2f",
    "green": "#2e9e4f",
    "yellow": "#f2c81e",
    "blue": "#2f6fd6",
    "brown": "#855533",
    "purple": "#8a45b8",
    "pink": "#f29abf",
    "orange": "#f08327",
    "gray": "#8c8c8c",
}
"""Hexadecimal colour of the swatch of each colour word."""


@dataclass(frozen=True)
class Confusion:
    """Confusion matrix of true answers (rows) against given answers (columns), as shares of each row's units.

    `truth` and `predicted` are columns of words, `labels` their order; other answers are counted as "other".
    """

    title: str
    design: Design = field(repr=False)
    truth: str
    predicted: str
    labels: Sequence[str] = COLORS
    note: str = ""
    pictured = frozenset[str]()

    @property
    def columns(self) -> frozenset[str]:
        """Columns of true and given answers."""
        return frozenset({self.truth, self.predicted})

    def render(self, table: Table, units: Mapping[str, Unit]) -> str:
        """Draw the matrix."""
        counts, columns = self._counts(table)
        occurs = counts.sum(axis=1) > 0
        labels = [label for label, found in zip(self.labels, occurs, strict=True) if found]
        rows = {label: self._row(counts[list(self.labels).index(label)], label, columns) for label in labels}
        totals = {label: int(counts[list(self.labels).index(label)].sum()) for label in labels}
        return fill("confusion.html", exhibit=self, columns=columns, rows=rows, totals=totals, swatches=SWATCHES)

    def _counts(self, table: Table) -> tuple[Int[np.ndarray, "truths answers"], list[str]]:
        """Return the counts of units by truth and answer; raise `DataError` if no truth is among the labels."""
        place = {label: i for i, label in enumerate(self.labels)}
        counts = np.zeros((len(place), len(place) + 1), dtype=np.int64)
        for true, given in zip(table[self.truth], table[self.predicted], strict=True):
            if true in place:
                counts[place[true], place.get(given, len(place))] += 1
        if not counts.any():
            raise DataError(f"column {self.truth!r} must contain one of {', '.join(self.labels)}, got none")
        other = ["other"] if counts[:, -1].any() else []
        return (counts if other else counts[:, :-1]), [*self.labels, *other]

    def _row(self, counts: Int[np.ndarray, "answers"], label: str, columns: Sequence[str]) -> list[Cell]:
        total = counts.sum()
        return [
            cell(f"{100 * count / total:.0f}" if count else "", float(count / total), marked=column == label)
            for count, column in zip(counts, columns, strict=True)
        ]
