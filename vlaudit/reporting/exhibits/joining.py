"""Pictures that show the same exhibit of several models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vlaudit.reporting.exhibits.bars import joined_bars
from vlaudit.reporting.exhibits.base import SERIES
from vlaudit.reporting.exhibits.curves import joined_curves

_DRAWN_BY: Mapping[str, Callable[[Mapping[str, Mapping[str, Any]], Sequence[str]], str]] = {
    "bars": joined_bars,
    "curves": joined_curves,
}


def joined(plain: Mapping[str, Mapping[str, Any]], models: Sequence[str]) -> str | None:
    """Draw the same exhibit of several models in one picture; None if there are more than `SERIES` models.

    `plain` maps models to results of the exhibit's `plain`; `models` are all models of the page, so that each has the
    same colour in every exhibit.
    """
    if len(models) > SERIES:
        return None
    return _DRAWN_BY[next(iter(plain.values()))["kind"]](plain, models)
