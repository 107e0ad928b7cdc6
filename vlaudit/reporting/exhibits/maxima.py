"""Largest means over attention heads, by group of units, next to published values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from vlaudit.findings import Design
from vlaudit.measures.base import Unit
from vlaudit.reporting.exhibits.clusters import clustered_mean
from vlaudit.reporting.templating import fill
from vlaudit.tables import Table


@dataclass(frozen=True)
class HeadMaxima:
    """Largest mean over heads of columns of (layers, heads) arrays, for each group of units.

    `maxima` maps labels to columns; `by` is the column with the group. `published` maps groups to published values, as
    text. `unit` names the quantity.
    """

    title: str
    design: Design = field(repr=False)
    maxima: Mapping[str, str]
    by: str
    published: Mapping[str, str] = field(default_factory=dict)
    unit: str = ""
    note: str = ""
    pictured = frozenset[str]()

    @property
    def columns(self) -> frozenset[str]:
        """The columns of the maxima, and that of the groups."""
        return frozenset({*self.maxima.values(), self.by})

    def render(self, table: Table, units: Mapping[str, Unit]) -> str:
        """Draw the table."""
        groups = table[self.by].astype(str)
        totals = Counter(groups.tolist())
        rows = {name: self._row(table.where(groups == name)) for name in sorted(totals)}
        return fill("maxima.html", exhibit=self, rows=rows, totals=totals)

    def _row(self, table: Table) -> list[float]:
        return [float(np.max(clustered_mean(table, column).value)) for column in self.maxima.values()]
