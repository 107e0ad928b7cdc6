"""Names for writing an audit, in one import; perturbations come from `vlaudit.perturbations`.

A *design* selects units (`OneSlot`, `EverySample`, ...), makes conditions of each by perturbations, and measures the
traces. A *statistic* turns columns of the table into an estimate with an interval. A test marked with
`@pytest.mark.audit(FINDING, DESIGN, STATISTIC)` has it judged against a bound of the thresholds file. *Exhibits* are
the finding's figures in the report. See docs/tutorial.md.
"""

from vlaudit.findings import Design, Finding
from vlaudit.measures import (
    ClsImportance,
    MatchProbability,
    Measure,
    ModalityClusters,
    PhraseRegionAttention,
    SideProbability,
    TextShift,
    TwoByTwo,
    WordProbability,
)
from vlaudit.reporting.exhibits import Bars, Confusion, Curves, ExtremeSamples, HeadMap, HeadMaxima, Pairs
from vlaudit.samples import COLORS, PHRASE_TYPES, SIDES
from vlaudit.selection import NOUNS, SIDE_KINDS, BothWays, EveryPhrase, EverySample, OneSlot
from vlaudit.statistics import (
    AboveChance,
    BestOf,
    Change,
    LargestGap,
    LargestSpread,
    Last,
    Mean,
    Proportion,
    Trend,
)

__all__ = [
    "COLORS",
    "NOUNS",
    "PHRASE_TYPES",
    "SIDES",
    "SIDE_KINDS",
    "AboveChance",
    "Bars",
    "BestOf",
    "BothWays",
    "Change",
    "ClsImportance",
    "Confusion",
    "Curves",
    "Design",
    "EveryPhrase",
    "EverySample",
    "ExtremeSamples",
    "Finding",
    "HeadMap",
    "HeadMaxima",
    "LargestGap",
    "LargestSpread",
    "Last",
    "MatchProbability",
    "Mean",
    "Measure",
    "ModalityClusters",
    "OneSlot",
    "Pairs",
    "PhraseRegionAttention",
    "Proportion",
    "SideProbability",
    "TextShift",
    "Trend",
    "TwoByTwo",
    "WordProbability",
]
