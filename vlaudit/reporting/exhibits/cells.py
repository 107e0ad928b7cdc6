"""Tables whose cells are tinted by their values: they read as a picture and are a table to a screen reader."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

_STRONGEST = 88
"""Percent of the accent colour in the strongest cell; the rest keeps its text readable."""


_INKS = {"mid": 0.6, "strong": 0.8}
"""From which share on the other ink reads better: the first on a dark page, the second on a light one."""


class Cell(NamedTuple):
    """A cell's text, its tint in percent, and what its text must be read against: "", "mid", or "mid strong"."""

    text: str
    tint: int
    ink: str
    marked: bool = False


def cell(text: str, share: float, *, marked: bool = False) -> Cell:
    """Return a cell tinted by `share`, 0 to 1; what lies outside counts as the nearer end, NaN as 0."""
    share = 0.0 if np.isnan(share) else min(max(share, 0.0), 1.0)
    ink = " ".join(name for name, least in _INKS.items() if share > least)
    return Cell(text, round(_STRONGEST * share), ink, marked)


def scaled(
    values: Float[np.ndarray, "rows columns"], bounds: tuple[float, float] | None
) -> tuple[Float[np.ndarray, "rows columns"], tuple[float, float]]:
    """Return values as shares of the range that they span, or of `bounds`, and that range."""
    low, high = bounds or (float(np.nanmin(values)), float(np.nanmax(values)))
    return (values - low) / ((high - low) or 1.0), (low, high)
