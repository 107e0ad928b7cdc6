"""Positions of an estimate, its interval and its bounds on one axis."""

from __future__ import annotations

from typing import NamedTuple

from vlaudit.reporting.document import CriterionRecord

_COMMON = ((0.0, 1.0), (-1.0, 1.0))
_MARGIN = 0.12
"""Share of the axis left free at an end without a common limit."""


class Strip(NamedTuple):
    """An axis from `axis[0]` to `axis[1]`; all positions on it in percent.

    `zone` is the range that passes (start, width), `bounds` its ends, `low` to `high` the interval around `value`.
    """

    axis: tuple[float, float]
    zone: tuple[float, float]
    bounds: tuple[float, ...]
    value: float
    low: float
    high: float


def strip(criterion: CriterionRecord) -> Strip | None:
    """Return the axis of a criterion; None without an estimate.

    The line is 0 to 1 or -1 to 1 where everything fits, so that lines can be compared; otherwise it fits its content.
    """
    if criterion.value is None:
        return None
    least, most = _bounds(criterion)
    seen = [x for x in (criterion.value, criterion.low, criterion.high, least, most) if x is not None]
    start, end = axis = _axis(min(seen), max(seen))

    def at(value: float | None, otherwise: float) -> float:
        return otherwise if value is None else min(max(100 * (value - start) / (end - start), 0.0), 100.0)

    left, right = at(least, 0.0), at(most, 100.0)
    bounds = tuple(at(bound, 0.0) for bound in (least, most) if bound is not None)
    return Strip(
        axis, (left, right - left), bounds, at(criterion.value, 0.0), at(criterion.low, 0.0), at(criterion.high, 100.0)
    )


def _bounds(criterion: CriterionRecord) -> tuple[float | None, float | None]:
    return criterion.within if criterion.within is not None else (criterion.at_least, criterion.at_most)


def _axis(low: float, high: float) -> tuple[float, float]:
    for start, end in _COMMON:
        if start <= low and high <= end:
            return start, end
    margin = _MARGIN * (high - low or abs(high) or 1.0)
    return (0.0 if low >= 0 else low - margin), (0.0 if high <= 0 else high + margin)
