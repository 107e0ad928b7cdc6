"""Figures and tables that a report shows under a finding.

Each exhibit is a frozen dataclass of settings that names its design. `render(table, units)` returns a self-contained
fragment of HTML, which uses the page's light and dark colours and contains its numbers as text.
"""

from vlaudit.reporting.exhibits.bars import Bars
from vlaudit.reporting.exhibits.base import Drawn, draw, render_exhibits
from vlaudit.reporting.exhibits.confusion import Confusion
from vlaudit.reporting.exhibits.curves import Curves
from vlaudit.reporting.exhibits.heads import HeadMap
from vlaudit.reporting.exhibits.joining import joined
from vlaudit.reporting.exhibits.maxima import HeadMaxima
from vlaudit.reporting.exhibits.samples import ExtremeSamples, Pairs

__all__ = [
    "Bars",
    "Confusion",
    "Curves",
    "Drawn",
    "ExtremeSamples",
    "HeadMap",
    "HeadMaxima",
    "Pairs",
    "draw",
    "joined",
    "render_exhibits",
]
