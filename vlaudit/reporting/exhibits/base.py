"""What all exhibits share: their frame, and that one which cannot be drawn says so and stops nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from markupsafe import Markup

from vlaudit.errors import VlauditError
from vlaudit.findings import Exhibit
from vlaudit.measures.base import Unit
from vlaudit.reporting.templating import fill
from vlaudit.tables import Table

SERIES = 6
"""How many series have a colour and a dash of their own."""


def render_exhibits(exhibits: Iterable[Exhibit], table: Table, units: Mapping[str, Unit]) -> Markup:
    """Return all exhibits of a finding, one below another; units by their ids.

    One that cannot be drawn (a column that this model's table lacks) is a sentence that says why.
    """
    return Markup("\n").join(_drawn(exhibit, table, units) for exhibit in exhibits)


def _drawn(exhibit: Exhibit, table: Table, units: Mapping[str, Unit]) -> Markup:
    if not len(table):
        return fill("undrawn.html", title=exhibit.title, reason="nothing was measured")
    try:
        return Markup(exhibit.render(table, units))  # noqa: S704 (an exhibit escapes what it was given, by contract)
    except VlauditError as error:
        return fill("undrawn.html", title=exhibit.title, reason=str(error))
