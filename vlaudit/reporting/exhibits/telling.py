"""Single samples with their pictures and numbers: the most telling ones, and pairs of pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from vlaudit.errors import DataError
from vlaudit.measures.base import Unit
from vlaudit.reporting.exhibits.choosing import Order, chosen
from vlaudit.reporting.exhibits.clusters import numbers
from vlaudit.reporting.exhibits.thumbnails import Pictures, Thumbnail, marked, thumbnails
from vlaudit.reporting.templating import fill
from vlaudit.reporting.wording import number
from vlaudit.samples import Image
from vlaudit.tables import UNIT, Table


class _Shown(NamedTuple):
    """One sample as it is shown: its caption in pieces, its pictures, and what stands below all or one of them."""

    id: str
    caption: list[tuple[str, bool]]
    pictures: list[tuple[Thumbnail, list[tuple[str, float]]]]
    facts: list[tuple[str, str]]


@dataclass(frozen=True)
class Telling:
    """The most telling samples: pictures, caption with the asked word marked, numbers.

    `column` orders them, by its `order` end. `numbers` maps a label to a column shown with each sample (the ordering
    column where empty). `pictures` gives the pictures of a unit by label, as `ConditionPictures` does; its own image
    where None. An image is shown once.
    """

    title: str
    column: str
    numbers: Mapping[str, str] = field(default_factory=dict)
    order: Order = "lowest"
    count: int = 5
    pictures: Pictures | None = None
    note: str = ""

    def render(self, table: Table, units: Mapping[str, Unit]) -> str:
        """Draw the samples."""
        columns = self.numbers or {self.column.replace("_", " "): self.column}
        shown = [self._shown(table, row, _unit(table, row, units), columns) for row in self._rows(table)]
        return fill("telling.html", exhibit=self, samples=shown, kind="samples")

    def _rows(self, table: Table) -> list[int]:
        return chosen(table, self.column, self.order, self.count)

    def _shown(self, table: Table, row: int, unit: Unit, columns: Mapping[str, str]) -> _Shown:
        facts = [(label, _value(table, column, row)) for label, column in columns.items()]
        return _Shown(
            unit.id, marked(unit.sample, unit), [(picture, []) for picture in thumbnails(unit, self.pictures)], facts
        )


@dataclass(frozen=True)
class Pairs:
    """The original and the mirrored image side by side, each with both probabilities as bars.

    `first` and `second` map an answer to the column that holds its probability under the first and second picture.
    Without `pictures` the second picture is the first one flipped left to right; with them, the names that it gives
    must be `labels`. `column` orders the samples, by its `order` end; the first of the table where None.
    """

    title: str
    first: Mapping[str, str]
    second: Mapping[str, str]
    labels: tuple[str, str] = ("original", "mirrored")
    column: str | None = None
    order: Order = "lowest"
    count: int = 4
    pictures: Pictures | None = None
    note: str = ""

    def render(self, table: Table, units: Mapping[str, Unit]) -> str:
        """Draw the pairs."""
        column = self.column or next(iter(self.first.values()))
        rows = chosen(table, column, self.order, self.count) if self.column else range(min(self.count, len(table)))
        shown = [self._shown(table, row, _unit(table, row, units)) for row in rows]
        return fill("telling.html", exhibit=self, samples=shown, kind="samples pairs")

    def _shown(self, table: Table, row: int, unit: Unit) -> _Shown:
        columns = dict(zip(self.labels, (self.first, self.second), strict=True))
        pictures = thumbnails(unit, self.pictures or partial(_flipped, self.labels))
        answers = [
            (picture, [(a, float(numbers(table, c)[row])) for a, c in columns.get(picture.label, {}).items()])
            for picture in pictures
        ]
        return _Shown(unit.id, marked(unit.sample, unit), answers, [])


def _flipped(labels: tuple[str, str], unit: Unit) -> dict[str, Image]:
    image = unit.sample.image
    if image is None:
        return {}
    return {labels[0]: image, labels[1]: image.edited("flipped for the report", _left_right)}


def _left_right(pixels: Any) -> Any:
    return np.fliplr(pixels)


def _unit(table: Table, row: int, units: Mapping[str, Unit]) -> Unit:
    name = str(table[UNIT][row])
    if name not in units:
        raise DataError(f"unit {name!r} of the table is not among the units that were given")
    return units[name]


def _value(table: Table, column: str, row: int) -> str:
    value = table[column][row]
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    return number(float(value)) if isinstance(value, (int, float, np.number)) else str(value)
