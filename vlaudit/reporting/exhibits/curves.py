"""Line plots of values per layer, with bands."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from vlaudit.errors import UsageError
from vlaudit.findings import Design
from vlaudit.measures.base import Unit
from vlaudit.reporting.exhibits.base import SERIES
from vlaudit.reporting.exhibits.clusters import NOTE, Mean, clustered_mean
from vlaudit.reporting.templating import fill
from vlaudit.seeds import digest
from vlaudit.tables import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIZE = (5.2, 3.0)
"""Width and height in inches; small, so that text stays readable when a phone scales the figure down."""
_DASHES = ((), (4, 2), (6, 2, 1, 2), (1, 1.5), (6, 2, 1, 2, 1, 2), (2, 1), (9, 2), (4, 1, 4, 3))
"""Dashes and gaps of each curve in line widths, empty for a solid line: colour alone must not distinguish curves."""
# matplotlib cannot write CSS variables: it draws in placeholder colours, which are replaced afterwards
_INK, _FAINT = "#010203", "#040506"
_PLACEHOLDERS = {
    _INK: "var(--muted)",
    _FAINT: "var(--line)",
    **{f"#0a0b{series:02x}": f"var(--series-{series})" for series in range(SERIES)},
}

_UNWANTED = (
    r"<style.*?</style>",  # would apply to the whole page
    r"<metadata>.*?</metadata>",
    r' id="[a-zA-Z0-9.]+_\d+"',  # unreferenced ids, which every drawing repeats
    r"font-family: [^;]*; ",  # the page's own font
)


@dataclass(frozen=True)
class Curves:
    """Line plot of the means of columns of arrays over the positions of the arrays, one curve per column.

    `curves` maps labels to columns of equal-length arrays (at most eight). Positions are numbered from `first`, or
    named by `places`. `axis` and `unit` label the two axes.
    """

    title: str
    design: Design = field(repr=False)
    curves: Mapping[str, str]
    axis: str = "layer"
    unit: str = ""
    first: int = 0
    places: Sequence[str] = ()
    note: str = ""
    pictured = frozenset[str]()

    def __post_init__(self) -> None:
        if not 1 <= len(self.curves) <= SERIES:
            raise UsageError(
                f"Curves {self.title!r}: curves must have between 1 and {SERIES} entries, got {len(self.curves)}"
            )

    @property
    def columns(self) -> frozenset[str]:
        """Columns of the curves."""
        return frozenset(self.curves.values())

    def render(self, table: Table, units: Mapping[str, Unit]) -> str:
        """Draw the curves."""
        means = {label: clustered_mean(table, column) for label, column in self.curves.items()}
        places = self._places(list(means.values()))
        drawing = _drawing(dict(enumerate(means.values())), places, self.axis, self.unit, salt=digest(self))
        return fill(
            "curves.html", exhibit=self, means=means, dashes=dashes(means), places=places, drawing=drawing, bands=NOTE
        )

    def plain(self, table: Table) -> dict[str, Any]:
        """Return the input of `joined_curves` as plain values."""
        means = {label: clustered_mean(table, column) for label, column in self.curves.items()}
        return {
            **{name: getattr(self, name) for name in ("title", "axis", "unit", "note")},
            "kind": "curves",
            "places": self._places(list(means.values())),
            "means": {label: [part.tolist() for part in mean[:3]] for label, mean in means.items()},
        }

    def _places(self, means: Sequence[Mean]) -> list[str]:
        longest = max(mean.value.size for mean in means)
        return list(self.places) or [str(self.first + i) for i in range(longest)]


def joined_curves(plain: Mapping[str, Mapping[str, Any]], models: Sequence[str]) -> str:
    """Draw the same `Curves` of several models: one plot per curve, one line per model.

    `plain` maps models to results of `Curves.plain`; `models` are all models of the page (at most eight), so that each
    has the same colour in every exhibit.
    """
    labels = dict.fromkeys(label for one in plain.values() for label in one["means"])
    first = next(iter(plain.values()))
    places = max((one["places"] for one in plain.values()), key=len)
    means = {label: _of_curve(plain, label) for label in labels}
    drawings = {
        label: _drawing(
            {models.index(model): mean for model, mean in by_model.items()},
            places,
            first["axis"],
            first["unit"],
            salt=digest(label, first["title"], "joined"),
        )
        for label, by_model in means.items()
    }
    key = {model: (models.index(model), dash) for model, dash in dashes(models).items() if model in plain}
    return fill("joined_curves.html", exhibit=first, means=means, key=key, places=places, drawings=drawings, bands=NOTE)


def _of_curve(plain: Mapping[str, Mapping[str, Any]], label: str) -> dict[str, Mean]:
    means = {model: one["means"].get(label) for model, one in plain.items()}
    return {model: _mean(*parts) for model, parts in means.items() if parts is not None}


def _mean(value: list[float], low: list[float], high: list[float]) -> Mean:
    return Mean(np.asarray(value), np.asarray(low), np.asarray(high), 0, 0)


def dashes(labels: Iterable[str]) -> dict[str, list[float]]:
    """Return the dash pattern of each label for a legend, in pixels."""
    return {label: [2 * length for length in dash] for label, dash in zip(labels, _DASHES, strict=False)}


def _drawing(means: Mapping[int, Mean], places: Sequence[str], axis: str, unit: str, *, salt: str) -> Markup:
    return _svg(_figure(means, places, axis, unit), salt=salt)


def _figure(means: Mapping[int, Mean], places: Sequence[str], axis: str, unit: str) -> Figure:
    from matplotlib.figure import Figure  # noqa: PLC0415 (slow to import; many runs draw nothing)

    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.add_subplot()
    for series, mean in means.items():
        color, at = f"#0a0b{series:02x}", range(mean.value.size)
        dash = (0, _DASHES[series] or None)
        axes.fill_between(at, mean.low, mean.high, color=color, alpha=0.16, linewidth=0)
        axes.plot(at, mean.value, color=color, linestyle=dash, linewidth=1.8, marker="o", markersize=3.5)
    axes.set_xticks(range(len(places)), places, parse_math=False)
    axes.set_xlabel(axis, color=_INK, parse_math=False)
    axes.set_ylabel(unit, color=_INK, parse_math=False)
    axes.tick_params(colors=_INK, length=0)
    axes.grid(axis="y", color=_FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    axes.spines["bottom"].set(visible=True, color=_FAINT)
    return figure


def _svg(figure: Figure, *, salt: str) -> Markup:
    """Return a figure as SVG to embed in a page, with selectable text, unique ids and the page's colours."""
    from matplotlib import rc_context  # noqa: PLC0415

    buffer = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    for unwanted in _UNWANTED:
        svg = re.sub(unwanted, "", svg, flags=re.DOTALL)
    for placeholder, color in _PLACEHOLDERS.items():
        svg = svg.replace(placeholder, color)
    return Markup(svg)  # noqa: S704 (matplotlib escapes the text that it draws)
