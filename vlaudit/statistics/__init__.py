"""Columns to an estimate with an interval; no models, no pytest.

Every statistic is a frozen dataclass that names columns; called with a table it gives an `Estimate`, or a `NoEstimate`
that says why there is none. Images are the clusters, and every image counts once: what is estimated is the mean over
images of the mean of an image's units, so that an image with forty phrases does not outvote one with two.

- `Mean`, `Proportion`: a column, or one minus another.
- `Last`, `Change`, `Trend`: a column that holds a value a layer.
- `BestOf`: a column that holds a value a head: does some head do it?
- `LargestGap`, `LargestSpread`: the worst category, the distance between best and worst group.
"""

from vlaudit.statistics.base import Estimate, NoEstimate, Statistic
from vlaudit.statistics.best import BestOf
from vlaudit.statistics.layers import Change, Last, Trend
from vlaudit.statistics.means import Mean, Proportion
from vlaudit.statistics.shares import share
from vlaudit.statistics.worst import LargestGap, LargestSpread

__all__ = [
    "BestOf",
    "Change",
    "Estimate",
    "LargestGap",
    "LargestSpread",
    "Last",
    "Mean",
    "NoEstimate",
    "Proportion",
    "Statistic",
    "Trend",
    "share",
]
