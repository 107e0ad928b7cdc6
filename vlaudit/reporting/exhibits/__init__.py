"""Figures and tables that a report shows under a finding.

Each is a frozen dataclass of settings that names its design, and is drawn by `render(table, units)` into a
self-contained fragment of HTML that follows the page's light and dark colours and has its numbers as text.
"""

from vlaudit.reporting.exhibits.bars import Bars
from vlaudit.reporting.exhibits.base import Drawn, draw, render_exhibits
from vlaudit.reporting.exhibits.confusion import Confusion
from vlaudit.reporting.exhibits.curves import Curves
from vlaudit.reporting.exhibits.heads import HeadMap
from vlaudit.reporting.exhibits.joining import joined
from vlaudit.reporting.exhibits.samples import ExtremeSamples, Pairs

__all__ = [
    "Bars",
    "Confusion",
    "Curves",
    "Drawn",
    "ExtremeSamples",
    "HeadMap",
    "Pairs",
    "draw",
    "joined",
    "render_exhibits",
]
