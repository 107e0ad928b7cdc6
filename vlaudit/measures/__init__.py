"""Measures: reduction of the traces of a unit to the columns of its row, on the device, batch by batch."""

from vlaudit.measures.base import Measure, Reduction, Unit, flat
from vlaudit.measures.clusters import ModalityClusters
from vlaudit.measures.factorial import TwoByTwo
from vlaudit.measures.importance import ClsImportance
from vlaudit.measures.links import PhraseRegionAttention
from vlaudit.measures.matching import MatchProbability
from vlaudit.measures.shift import TextShift
from vlaudit.measures.words import SideProbability, WordProbability

__all__ = [
    "ClsImportance",
    "MatchProbability",
    "Measure",
    "ModalityClusters",
    "PhraseRegionAttention",
    "Reduction",
    "SideProbability",
    "TextShift",
    "TwoByTwo",
    "Unit",
    "WordProbability",
    "flat",
]
