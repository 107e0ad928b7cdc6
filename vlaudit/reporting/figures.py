"""Published figures of the source, paired with our criteria."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from vlaudit.reporting import wording
from vlaudit.reporting.document import CriterionRecord, FindingRecord


class FigurePair(NamedTuple):
    """A published figure and the criterion of the same name; either may be missing."""

    title: str
    published: str | None
    criterion: CriterionRecord | None


class Figure(NamedTuple):
    """A published figure, and the audited families that its text names."""

    name: str
    text: str
    families: tuple[str, ...]


def figure_pairs(finding: FindingRecord) -> list[FigurePair]:
    """Pair the criteria with the published figures of the same name; the other figures follow."""
    left = dict(finding.published)
    rows = []
    for criterion in finding.criteria:
        names = (criterion.id.removeprefix(f"{finding.id}."), criterion.title)
        name = next((name for name in names if name in left), None)
        rows.append(FigurePair(criterion.title, left.pop(name) if name else None, criterion))
    return rows + [FigurePair(wording.in_words(name), figure, None) for name, figure in left.items()]


def figures(finding: FindingRecord, families: Sequence[str]) -> list[Figure]:
    """Return the published figures of a finding, each with the families that it names."""
    return [
        Figure(wording.in_words(name), text, tuple(one for one in families if _names(f"{name} {text}", one)))
        for name, text in finding.published.items()
    ]


def _names(text: str, family: str) -> bool:
    """Return whether a text names a family as a word: not BERT in "VisualBERT", but UNITER in "UNITER-base"."""
    return re.search(rf"(?<![\w-]){re.escape(family)}(?!\w)", text, flags=re.IGNORECASE) is not None
