"""What all exhibits share: their frame, and that one which cannot be drawn says so and stops nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol, runtime_checkable

from markupsafe import Markup

from vlaudit.errors import DataError, VlauditError
from vlaudit.findings import Exhibit
from vlaudit.measures.base import Unit
from vlaudit.reporting.templating import fill
from vlaudit.tables import Table

SERIES = 8
"""How many series have a colour and a dash of their own."""

SAMPLES_OF_SEVERAL = 2
"""How many samples an exhibit shows of each of several models: pictures are nearly all of a page's size."""


@runtime_checkable
class OfSamples(Protocol):
    """An exhibit that shows single samples, at most `count` of them: a dataclass."""

    count: int


@runtime_checkable
class Joinable(Protocol):
    """An exhibit that can be drawn into one picture with those of other models, by `joined`."""

    def plain(self, table: Table) -> dict[str, Any]:
        """Return all that the picture needs, as values that may leave a process; "kind" says how it is drawn."""
        ...


class Drawn(NamedTuple):
    """An exhibit as one model's table fills it; plain values, so that it can leave a process.

    `lacks` says why there is nothing to see. `samples` is true where it shows single samples, `plain` holds what a
    picture of several models needs, where the exhibit can be part of one.
    """

    title: str
    html: str
    lacks: str = ""
    samples: bool = False
    plain: dict[str, Any] | None = None


def draw(
    exhibits: Iterable[Exhibit], measured: Sequence[tuple[Table, Mapping[str, Unit]]], *, several: bool = False
) -> list[Drawn]:
    """Draw the exhibits of a finding, each from the first of its designs whose table has what the exhibit needs.

    `measured` holds table and units of each design. For a page of `several` models fewer samples are shown.
    """
    return [_draw(exhibit, measured, several=several) for exhibit in exhibits]


def _draw(exhibit: Exhibit, measured: Sequence[tuple[Table, Mapping[str, Unit]]], *, several: bool) -> Drawn:
    samples = isinstance(exhibit, OfSamples)
    if several and isinstance(exhibit, OfSamples):
        few = min(exhibit.count, SAMPLES_OF_SEVERAL)
        exhibit = replace(exhibit, count=few)  # type: ignore[type-var]  # a dataclass, as it says
    lacks = ""
    for table, units in measured:
        try:
            html = _filled(exhibit, table, units)
            plain = exhibit.plain(table) if several and isinstance(exhibit, Joinable) else None
        except VlauditError as error:
            lacks = lacks or str(error)  # what the first design lacks says most: it is the finding's main one
        else:
            return Drawn(exhibit.title, html, "", samples, plain)
    lacks = lacks or "nothing was measured"
    return Drawn(exhibit.title, str(fill("undrawn.html", title=exhibit.title, reason=lacks)), lacks, samples)


def _filled(exhibit: Exhibit, table: Table, units: Mapping[str, Unit]) -> str:
    if not len(table):
        raise DataError("nothing was measured")
    return str(exhibit.render(table, units))  # plain: markup cannot leave a process


def render_exhibits(exhibits: Iterable[Exhibit], table: Table, units: Mapping[str, Unit]) -> Markup:
    """Return all exhibits of a finding, one below another; units by their ids.

    One that cannot be drawn (a column that this model's table lacks) is a sentence that says why.
    """
    drawn = draw(exhibits, [(table, units)])
    return Markup("\n").join(Markup(one.html) for one in drawn)  # noqa: S704 (an exhibit escapes, by contract)
