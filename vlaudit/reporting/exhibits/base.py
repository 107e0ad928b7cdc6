"""Drawing of exhibits; one that cannot be drawn gives its reason and stops nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, Protocol, runtime_checkable

from markupsafe import Markup

from vlaudit.errors import DataError, VlauditError
from vlaudit.findings import Exhibit
from vlaudit.measures.base import Unit
from vlaudit.reporting.templating import fill
from vlaudit.tables import Table

SERIES = 8
"""Number of series that have a colour and a dash of their own."""

SAMPLES_OF_SEVERAL = 2
"""Number of samples per model where several models are shown: pictures make up most of a page's size."""


@runtime_checkable
class OfSamples(Protocol):
    """An exhibit that shows single samples, at most `count` of them: a dataclass."""

    count: int


@runtime_checkable
class Joinable(Protocol):
    """An exhibit that can be drawn into one picture with those of other models, by `joined`."""

    def plain(self, table: Table) -> dict[str, Any]:
        """Return the data of the picture as plain values; "kind" names how it is drawn."""
        ...


class Drawn(NamedTuple):
    """An exhibit drawn for one model; plain values, so that it can leave a process.

    `lacks` is the reason where it could not be drawn. `samples` is true where it shows single samples. `plain` holds
    the data for one picture of several models, where the exhibit supports that.
    """

    title: str
    html: str
    lacks: str = ""
    samples: bool = False
    plain: dict[str, Any] | None = None


def draw(
    exhibits: Iterable[Exhibit],
    measured: Mapping[str, tuple[Table, Mapping[str, Unit]]],
    *,
    several: bool = False,
) -> list[Drawn]:
    """Draw the exhibits of a finding, each from the table of its design; those of unmeasured designs are left out.

    `measured` maps the id of a design to its table and units. For a page of `several` models fewer samples are shown.
    """
    return [
        _draw(exhibit, *measured[exhibit.design.id], several=several)
        for exhibit in exhibits
        if exhibit.design.id in measured
    ]


def _draw(exhibit: Exhibit, table: Table, units: Mapping[str, Unit], *, several: bool) -> Drawn:
    samples = isinstance(exhibit, OfSamples)
    if several and isinstance(exhibit, OfSamples):
        few = min(exhibit.count, SAMPLES_OF_SEVERAL)
        exhibit = replace(exhibit, count=few)  # type: ignore[type-var]  # a dataclass, as it says
    try:
        html = _filled(exhibit, table, units)
        plain = exhibit.plain(table) if several and isinstance(exhibit, Joinable) else None
    except VlauditError as error:
        reason = str(error)
        return Drawn(exhibit.title, str(fill("undrawn.html", title=exhibit.title, reason=reason)), reason, samples)
    return Drawn(exhibit.title, html, "", samples, plain)


def _filled(exhibit: Exhibit, table: Table, units: Mapping[str, Unit]) -> str:
    if not len(table):
        raise DataError("nothing was measured")
    return str(exhibit.render(table, units))  # plain: markup cannot leave a process


def render_exhibits(exhibits: Iterable[Exhibit], table: Table, units: Mapping[str, Unit]) -> Markup:
    """Return all exhibits of a finding drawn from one table, one below another; units by their ids.

    One that cannot be drawn is a sentence with the reason.
    """
    drawn = [_draw(exhibit, table, units, several=False) for exhibit in exhibits]
    return Markup("\n").join(Markup(one.html) for one in drawn)  # noqa: S704 (an exhibit escapes, by contract)
