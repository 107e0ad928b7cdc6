"""Pictures and tables that a report shows under a finding.

Each is a frozen dataclass of settings, drawn by `render(table, units)` into a fragment of HTML that needs nothing
from elsewhere, follows the page's light and dark colours, and has its numbers as text.
"""

from vlaudit.reporting.exhibits.bars import Bars
from vlaudit.reporting.exhibits.base import Drawn, draw, render_exhibits
from vlaudit.reporting.exhibits.confusion import Confusion
from vlaudit.reporting.exhibits.curves import Curves
from vlaudit.reporting.exhibits.heads import HeadMap
from vlaudit.reporting.exhibits.joining import joined
from vlaudit.reporting.exhibits.telling import Pairs, Telling
from vlaudit.reporting.exhibits.thumbnails import ConditionPictures

__all__ = [
    "Bars",
    "ConditionPictures",
    "Confusion",
    "Curves",
    "Drawn",
    "HeadMap",
    "Pairs",
    "Telling",
    "draw",
    "joined",
    "render_exhibits",
]
