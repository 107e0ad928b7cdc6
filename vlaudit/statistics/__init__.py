"""Estimates with confidence intervals from the columns of a table. Imports neither models nor pytest.

Every statistic is a frozen dataclass that names columns. Called with a table, it returns an `Estimate`, or a
`NoEstimate` with the reason.

Images are the clusters, and every image counts once: the estimand is the mean over images of the mean over an image's
units. An image with forty phrases therefore weighs as much as one with two.

- `Mean`, `Proportion`: a column, or the difference of two columns.
- `AboveChance`: accuracy, corrected for the chance level of each question.
- `Last`, `Change`, `Trend`: a column with one value per layer.
- `BestOf`: a column with one value per attention head; inference for the best head.
- `LargestGap`, `LargestSpread`: the worst category; the difference between the best and the worst group.

Fields that several statistics share:

column : str
    Column to read.
minus : str, optional
    Column to subtract, row by row (and head by head), so that the conditions of a unit are compared as a pair.
bounds : tuple of two floats, or None
    Range of the values; [0, 1] by default, for probabilities and accuracies. A difference is bounded by the range of
    differences, [-1, 1] by default. None accepts any number, and the interval is then a bootstrap, which is valid only
    for large samples.
where : str or tuple, optional
    Rows to read: the name of a boolean column, or a pair of a column and the required value.

Every statistic returns a `NoEstimate` if a value is missing, NaN, infinite or outside `bounds`, and one with `too_few`
if there are no rows. It raises `DataError` if a column does not exist or has the wrong type or shape, and `UsageError`
for an invalid setting. Units that the model refused count with their lowest value at the lower end of the interval and
with their highest value at the upper end.
"""

from vlaudit.statistics.base import Estimate, NoEstimate, Statistic
from vlaudit.statistics.best import BestOf
from vlaudit.statistics.layers import Change, Last, Trend
from vlaudit.statistics.means import AboveChance, Mean, Proportion
from vlaudit.statistics.shares import share
from vlaudit.statistics.worst import LargestGap, LargestSpread

__all__ = [
    "AboveChance",
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
