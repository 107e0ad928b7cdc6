"""One row a unit: what a run measured, ready for statistics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Shaped

from vlaudit.errors import DataError

UNIT, IMAGE = "unit_id", "image_id"


@dataclass(frozen=True)
class Table:
    """Rows of one design: `unit_id` and `image_id`, then what was measured.

    `planned` units were chosen, `len(table)` measured, the rest refused, counted by reason in `refused`.
    """

    frame: pl.DataFrame
    planned: int
    refused: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]], *, refused: Counter[str] | None = None) -> Table:
        """Build a table of rows that all have the same columns, `unit_id` and `image_id` among them."""
        refused = refused or Counter()
        frame = pl.DataFrame([dict(row) for row in rows], infer_schema_length=None)
        if len(frame) and not {UNIT, IMAGE} <= set(frame.columns):
            raise DataError(f"a table needs the columns {UNIT} and {IMAGE}, got {frame.columns}")
        return cls(frame, len(rows) + sum(refused.values()), refused)

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, column: str) -> Shaped[np.ndarray, "rows ..."]:
        """Return a column, (rows,), or (rows, k) where every row holds an array of k."""
        if column not in self.frame.columns:
            raise DataError(f"the table has no column {column!r}; it has {', '.join(self.frame.columns) or 'none'}")
        series = self.frame[column]
        return np.stack(series.to_list()) if series.dtype in (pl.List, pl.Array) else series.to_numpy()

    @property
    def images(self) -> Shaped[np.ndarray, "rows"]:
        """The cluster of each row."""
        return self[IMAGE]

    def where(self, mask: Shaped[np.ndarray, "rows"]) -> Table:
        """Return the rows where the mask is true; what was refused stays counted."""
        return Table(self.frame.filter(pl.Series(mask)), self.planned, self.refused)
