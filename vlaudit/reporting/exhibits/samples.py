"""Single samples with pictures and numbers: the extremes of a column, and pairs of conditions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np

from vlaudit.errors import DataError
from vlaudit.findings import Design
from vlaudit.measures.base import Unit
from vlaudit.reporting.exhibits.choosing import Order, chosen
from vlaudit.reporting.exhibits.clusters import numbers
from vlaudit.reporting.exhibits.thumbnails import Thumbnail, condition_pictures, marked, thumbnails
from vlaudit.reporting.templating import fill
from vlaudit.reporting.wording import number
from vlaudit.tables import UNIT, Table


class _Shown(NamedTuple):
    """One sample to show: caption in pieces, pictures with answer probabilities, and facts for all pictures."""

    id: str
    caption: list[tuple[str, bool]]
    pictures: list[tuple[Thumbnail, list[tuple[str, float]]]]
    facts: list[tuple[str, str]]


@dataclass(frozen=True)
class ExtremeSamples:
    """Samples at one end of a column: pictures, caption with the tested word marked, numbers.

    `order` selects the end of `column`. `numbers` maps labels to the columns shown with each sample (default:
    `column`). `pictures` maps labels to the conditions to show; by default the unit's own image is shown. Each image is
    shown once.
    """

    title: str
    design: Design = field(repr=False)
    column: str
    numbers: Mapping[str, str] = field(default_factory=dict)
    order: Order = "lowest"
    count: int = 5
    pictures: Mapping[str, str] = field(default_factory=dict)
    note: str = ""

    @property
    def columns(self) -> frozenset[str]:
        """Columns of the order and of the shown numbers."""
        return frozenset({self.column, *self.numbers.values()})

    @property
    def pictured(self) -> frozenset[str]:
        """Conditions with pictures to show."""
        return frozenset(self.pictures.values())

    def render(self, table: Table, units: Mapping[str, Unit]) -> str:
        """Draw the samples."""
        columns = self.numbers or {self.column.replace("_", " "): self.column}
        shown = [self._shown(table, row, _unit(table, row, units), columns) for row in self._rows(table)]
        return fill("samples.html", exhibit=self, samples=shown, kind="samples")

    def _pictures(self, unit: Unit) -> list[Thumbnail]:
        shown = partial(condition_pictures, self.design, self.pictures) if self.pictures else None
        return thumbnails(unit, shown)

    def _rows(self, table: Table) -> list[int]:
        return chosen(table, self.column, self.order, self.count)

    def _shown(self, table: Table, row: int, unit: Unit, columns: Mapping[str, str]) -> _Shown:
        facts = [(label, _value(table, column, row)) for label, column in columns.items()]
        return _Shown(unit.id, marked(unit.sample, unit), [(picture, []) for picture in self._pictures(unit)], facts)


@dataclass(frozen=True)
class Pairs:
    """Two conditions side by side, each with its picture and the probability of each answer as a bar.

    `first` and `second` map answers to the columns of their probabilities in the first and the second picture.
    `pictures` maps the label of each picture to its condition. `order` selects the end of `column` to show; without a
    column the first rows of the table are shown.
    """

    title: str
    design: Design = field(repr=False)
    first: Mapping[str, str]
    second: Mapping[str, str]
    pictures: Mapping[str, str]
    column: str | None = None
    order: Order = "lowest"
    count: int = 4
    note: str = ""

    @property
    def columns(self) -> frozenset[str]:
        """Columns of the order and of the probabilities."""
        return frozenset({*self.first.values(), *self.second.values(), *([self.column] if self.column else [])})

    @property
    def pictured(self) -> frozenset[str]:
        """Conditions with pictures to show."""
        return frozenset(self.pictures.values())

    def render(self, table: Table, units: Mapping[str, Unit]) -> str:
        """Draw the pairs."""
        column = self.column or next(iter(self.first.values()))
        rows = chosen(table, column, self.order, self.count) if self.column else range(min(self.count, len(table)))
        shown = [self._shown(table, row, _unit(table, row, units)) for row in rows]
        return fill("samples.html", exhibit=self, samples=shown, kind="samples pairs")

    def _shown(self, table: Table, row: int, unit: Unit) -> _Shown:
        columns = dict(zip(self.pictures, (self.first, self.second), strict=True))
        pictures = thumbnails(unit, partial(condition_pictures, self.design, self.pictures))
        answers = [
            (picture, [(a, float(numbers(table, c)[row])) for a, c in columns.get(picture.label, {}).items()])
            for picture in pictures
        ]
        return _Shown(unit.id, marked(unit.sample, unit), answers, [])


def _unit(table: Table, row: int, units: Mapping[str, Unit]) -> Unit:
    name = str(table[UNIT][row])
    if name not in units:
        raise DataError(f"units must contain every unit of the table, {name!r} is missing")
    return units[name]


def _value(table: Table, column: str, row: int) -> str:
    value = table[column][row]
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    return number(float(value)) if isinstance(value, (int, float, np.number)) else str(value)
