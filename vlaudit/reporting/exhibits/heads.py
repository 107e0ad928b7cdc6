"""Heat maps with one value per layer and head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from vlaudit.errors import DataError
from vlaudit.findings import Design
from vlaudit.measures.base import Unit
from vlaudit.reporting.exhibits.cells import cell, scaled
from vlaudit.reporting.exhibits.clusters import clustered_mean
from vlaudit.reporting.templating import fill
from vlaudit.tables import Table


@dataclass(frozen=True)
class HeadMap:
    """Heat map of the mean of a column of (layers, heads) arrays; the highest value is outlined.

    `shape` is required for flat arrays. `first_layer` is the number of the top row. `bounds` is the range of the scale;
    with None it is from the lowest to the highest value. `unit` names the quantity.
    """

    title: str
    design: Design = field(repr=False)
    column: str
    shape: tuple[int, int] | None = None
    first_layer: int = 0
    bounds: tuple[float, float] | None = None
    unit: str = ""
    note: str = ""
    pictured = frozenset[str]()

    @property
    def columns(self) -> frozenset[str]:
        """The column of the map."""
        return frozenset({self.column})

    def render(self, table: Table, units: Mapping[str, Unit]) -> str:
        """Draw the map."""
        values = self._values(table)
        shares, scale = scaled(values, self.bounds)
        best = divmod(int(np.nanargmax(values)), values.shape[1])
        rows = [
            [cell(_short(v), float(s), marked=(i, j) == best) for j, (v, s) in enumerate(zip(line, part, strict=True))]
            for i, (line, part) in enumerate(zip(values, shares, strict=True))
        ]
        return fill("heads.html", exhibit=self, rows=rows, scale=scale, best=best, highest=float(values[best]))

    def _values(self, table: Table) -> Float[np.ndarray, "layers heads"]:
        means = clustered_mean(table, self.column).value
        shape = self.shape or means.shape
        if len(shape) != 2 or means.size != shape[0] * shape[1]:
            raise DataError(
                f"column {self.column!r} must have the shape (layers, heads) = {self.shape}, got {means.shape}"
            )
        return means.reshape(shape)


def _short(value: float) -> str:
    """Return the value with two decimals and without a leading zero.

    >>> _short(0.456), _short(-0.05), _short(1.0)
    ('.46', '-.05', '1.0')
    """
    text = f"{value:.2f}".replace("0.", ".", 1) if abs(value) < 0.995 else f"{value:.1f}"
    return text.replace("-.00", ".00")
