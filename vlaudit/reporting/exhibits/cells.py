"""Cells tinted by their values: heat maps that remain tables for screen readers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

_STRONGEST = 88
"""Percent of the accent colour in the strongest cell; more would make its text hard to read."""


_INKS = {"mid": 0.6, "strong": 0.8}
"""Share above which the other text colour has more contrast: on a dark page, and on a light page."""


class Cell(NamedTuple):
    """Cell of a table: text, tint in percent, and classes for the text colour ("", "mid", or "mid strong")."""

    text: str
    tint: int
    ink: str
    marked: bool = False


def cell(text: str, share: float, *, marked: bool = False) -> Cell:
    """Return a cell tinted by `share`, which is clipped to 0-1; NaN counts as 0."""
    share = 0.0 if np.isnan(share) else min(max(share, 0.0), 1.0)
    ink = " ".join(name for name, least in _INKS.items() if share > least)
    return Cell(text, round(_STRONGEST * share), ink, marked)


def scaled(
    values: Float[np.ndarray, "rows columns"], bounds: tuple[float, float] | None
) -> tuple[Float[np.ndarray, "rows columns"], tuple[float, float]]:
    """Return the values scaled to 0-1 by `bounds` (default: lowest and highest value), and these bounds."""
    low, high = bounds or (float(np.nanmin(values)), float(np.nanmax(values)))
    return (values - low) / ((high - low) or 1.0), (low, high)
