"""Drawing of exhibits; an exhibit that cannot be drawn is replaced by the reason."""

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
"""Number of series with distinct colours and dashes."""

SAMPLES_OF_SEVERAL = 2
"""Number of samples per model on a page of several models, because pictures take most of a page's size."""


@runtime_checkable
class OfSamples(Protocol):
    """Protocol of exhibits (dataclasses) that show at most `count` single samples."""

    count: int


@runtime_checkable
class Joinable(Protocol):
    """Protocol of exhibits that `joined` can draw for several models in one picture."""

    def plain(self, table: Table) -> dict[str, Any]:
        """Return the data of the picture as plain values; "kind" selects the drawing function."""
        ...


class Drawn(NamedTuple):
    """Exhibit drawn for one model, as plain values that can be sent between processes.

    `lacks` is the reason if it could not be drawn. `samples` is true if it shows single samples. `plain` is the data
    for one picture of several models, or None if the exhibit does not support that.
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
    """Draw the exhibits of a finding from the tables of their designs; exhibits of unmeasured designs are left out.

    `measured` maps design ids to the table and the units by id. With `several` models on the page, fewer samples are
    shown.
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
        exhibit = replace(exhibit, count=few)  # type: ignore[type-var]  # a dataclass by contract
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
    return str(exhibit.render(table, units))  # plain text, because Markup objects cannot be sent between processes


def render_exhibits(exhibits: Iterable[Exhibit], table: Table, units: Mapping[str, Unit]) -> Markup:
    """Return all exhibits drawn from one table, one below another; `units` maps ids to units.

    An exhibit that cannot be drawn is replaced by a sentence with the reason.
    """
    drawn = [_draw(exhibit, table, units, several=False) for exhibit in exhibits]
    return Markup("\n").join(Markup(one.html) for one in drawn)  # noqa: S704 (an exhibit escapes, by contract)
