"""Tables of measured values, one row per unit, for statistics and exhibits."""

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
    """Table of one design: the columns `unit_id` and `image_id`, the facts of the units and the measured values.

    `planned` is the number of selected units, `len(table)` that of measured units. `refused` counts the others by
    reason. `unanswered` has one row per unit that the model refused, with `unit_id`, `image_id` and the facts of the
    unit: these units count in verdicts with their worst value, because a model must not pass by refusing.
    """

    frame: pl.DataFrame
    planned: int
    refused: Mapping[str, int] = field(default_factory=dict)
    unanswered: pl.DataFrame = field(default_factory=pl.DataFrame)

    @classmethod
    def of(
        cls,
        rows: Sequence[Mapping[str, Any]],
        *,
        refused: Counter[str] | None = None,
        unanswered: Sequence[Mapping[str, Any]] = (),
    ) -> Table:
        """Return a table of rows with equal columns; raise `DataError` without `unit_id` and `image_id`.

        `refused` counts the units of `unanswered` as well.
        """
        refused = refused or Counter()
        return cls(_frame(rows), len(rows) + sum(refused.values()), refused, _frame(unanswered))

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, column: str) -> Shaped[np.ndarray, "rows ..."]:
        """Return a column, (rows,), or (rows, k) for a column of arrays; raise `DataError` if it does not exist."""
        if column not in self.frame.columns:
            raise DataError(f"the table has no column {column!r}; it has {', '.join(self.frame.columns) or 'none'}")
        series = self.frame[column]
        return np.stack(series.to_list()) if series.dtype in (pl.List, pl.Array) else series.to_numpy()

    @property
    def images(self) -> Shaped[np.ndarray, "rows"]:
        """Cluster of each row: the image id, (rows,)."""
        return self[IMAGE]

    def where(self, mask: Shaped[np.ndarray, "rows"]) -> Table:
        """Return the table of the rows with a true mask; the counts and the unanswered units stay."""
        return Table(self.frame.filter(pl.Series(mask)), self.planned, self.refused, self.unanswered)


def _frame(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    frame = pl.DataFrame([dict(row) for row in rows], infer_schema_length=None)
    if len(frame) and not {UNIT, IMAGE} <= set(frame.columns):
        raise DataError(f"a table must have the columns {UNIT} and {IMAGE}, got {frame.columns}")
    return frame
