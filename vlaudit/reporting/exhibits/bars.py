"""Bar charts of means with whiskers, optionally in groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from vlaudit.errors import UsageError
from vlaudit.findings import Design
from vlaudit.measures.base import Unit
from vlaudit.reporting.exhibits.clusters import NOTE, Mean, clustered_mean
from vlaudit.reporting.templating import fill
from vlaudit.tables import Table


class _Bar(NamedTuple):
    """One bar; positions along the axis in percent."""

    label: str
    mean: Mean
    start: float
    width: float
    low: float
    high: float
    series: int


@dataclass(frozen=True)
class Bars:
    """Means of columns as bars with whiskers.

    `bars` maps labels to columns of `design`. `groups` maps headings to labels; bars in equal positions share a colour.
    `bounds` is the range of the axis; with None it is from 0 (or the lowest value) to the highest value. `unit` names
    the quantity.
    """

    title: str
    design: Design = field(repr=False)
    bars: Mapping[str, str]
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    bounds: tuple[float, float] | None = (0.0, 1.0)
    unit: str = "probability"
    note: str = ""
    pictured = frozenset[str]()

    def __post_init__(self) -> None:
        unknown = {label for labels in self.groups.values() for label in labels} - set(self.bars)
        if unknown:
            raise UsageError(f"Bars {self.title!r}: groups must name labels of bars, got {sorted(unknown)}")

    @property
    def columns(self) -> frozenset[str]:
        """Columns of the bars."""
        return frozenset(self.bars.values())

    def render(self, table: Table, units: Mapping[str, Unit]) -> str:
        """Draw the bars."""
        means = {label: clustered_mean(table, column) for label, column in self.bars.items()}
        low, high = self.bounds or _range(list(means.values()))
        groups = {
            heading: [self._bar(label, means[label], low, high, place) for place, label in enumerate(labels)]
            for heading, labels in (self.groups or {"": list(self.bars)}).items()
        }
        return fill("bars.html", exhibit=self, groups=groups, axis=(low, high), whiskers=NOTE)

    def _bar(self, label: str, mean: Mean, low: float, high: float, place: int) -> _Bar:
        series = place if self.groups else 0  # without groups, colours have no meaning
        return _bar(label, mean, (low, high), series)

    def plain(self, table: Table) -> dict[str, Any]:
        """Return the input of `joined_bars` as plain values."""
        means = {label: clustered_mean(table, column) for label, column in self.bars.items()}
        groups = {heading: list(labels) for heading, labels in (self.groups or {"": list(self.bars)}).items()}
        return {
            **{name: getattr(self, name) for name in ("title", "unit", "note")},
            "kind": "bars",
            "axis": list(self.bounds or _range(list(means.values()))),
            "groups": groups,
            "means": {
                label: [*(float(part) for part in mean[:3]), mean.units, mean.images] for label, mean in means.items()
            },
        }


def joined_bars(plain: Mapping[str, Mapping[str, Any]], models: Sequence[str]) -> str:
    """Draw the same `Bars` of several models: one group per label, one bar per model.

    `plain` maps models to results of `Bars.plain`; `models` are all models of the page.
    """
    first = next(iter(plain.values()))
    low, high = zip(*(one["axis"] for one in plain.values()), strict=True)
    axis = (min(low), max(high))
    groups = {
        heading: {
            label: [_bar(model, _mean(one["means"][label]), axis, models.index(model)) for model, one in plain.items()]
            for label in labels
        }
        for heading, labels in first["groups"].items()
    }
    return fill("joined_bars.html", exhibit=first, groups=groups, axis=axis, whiskers=NOTE)


def _mean(parts: Sequence[float]) -> Mean:
    value, low, high, units, images = parts
    return Mean(np.asarray(value), np.asarray(low), np.asarray(high), int(units), int(images))


def _bar(label: str, mean: Mean, axis: tuple[float, float], series: int) -> _Bar:
    low, high = axis

    def at(value: float) -> float:
        return min(max(100 * (value - low) / (high - low), 0.0), 100.0)

    start, end = sorted((at(0.0), at(float(mean.value))))
    return _Bar(label, mean, start, end - start, at(float(mean.low)), at(float(mean.high)), series)


def _range(means: Sequence[Mean]) -> tuple[float, float]:
    low = min(0.0, *(float(mean.low) for mean in means))
    high = max(0.0, *(float(mean.high) for mean in means))
    return (low, high) if high > low else (0.0, 1.0)
