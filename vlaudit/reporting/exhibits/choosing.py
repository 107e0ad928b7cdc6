"""Selection of the units to show: one end of a column, each image once."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Shaped

from vlaudit.reporting.exhibits.clusters import numbers
from vlaudit.tables import UNIT, Table

Order = Literal["lowest", "highest", "largest"]
"""End of a column: its lowest values, its highest values, or the values farthest from 0."""


def chosen(table: Table, column: str, order: Order, count: int) -> list[int]:
    """Return the indices of the rows to show, most extreme first; ties by unit id, each image once, never NaN."""
    values = numbers(table, column)
    keys = {"lowest": values, "highest": -values, "largest": -abs(values)}[order]
    rows: list[int] = []
    images: set[object] = set()
    for row in np.lexsort((_text(table[UNIT]), keys)):
        if np.isfinite(keys[row]) and table.images[row] not in images:
            images.add(table.images[row])
            rows.append(int(row))
    return rows[:count]


def _text(values: Shaped[np.ndarray, "rows"]) -> Shaped[np.ndarray, "rows"]:
    return values.astype(str)
