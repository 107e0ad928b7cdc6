"""Exchange of the clauses of a caption: equal meaning, other order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from vlaudit.errors import RefusedSample
from vlaudit.perturbations.base import Owner
from vlaudit.perturbations.text import replace_caption
from vlaudit.perturbations.world import Clausal
from vlaudit.samples import Sample, Span

_JOINTS = re.compile(r"[.;]\s+(?=\w)|,?\s+while\s+", flags=re.IGNORECASE)
"""Separators that reliably join clauses in an unparsed caption; "and" is left out, because it often joins nouns."""


@dataclass(frozen=True)
class SwapClauses:
    """Exchange the two clauses of the caption and move every span with its clause; applying it twice has no effect.

    The separator is given by the sample's world (scenes) or found in the text: one full stop, semicolon or "while".
    The initial capital and the final full stop keep their places. Deterministic.
    Raises `RefusedSample` unless there are exactly two clauses and every span is inside one of them.
    """

    drawn_for: ClassVar[Owner] = None

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with its clauses exchanged."""
        joint = _joint(sample)
        end = len(sample.caption.rstrip(" .!?"))
        first, second = sample.caption[: joint.start], sample.caption[joint.end : end]
        if not first or not second or first[-1] in " .!?" or second[0] == " ":
            raise RefusedSample(sample.id, "its caption must have two clauses, one of the two is empty")
        first, second = _recased(first, second)
        caption = second + sample.text(joint) + first + sample.caption[end:]
        return replace_caption(sample, caption, lambda span: _moved(sample, span, joint, end))


def _joint(sample: Sample) -> Span:
    if isinstance(sample.world, Clausal):
        joint = sample.world.joint(sample)
        if joint is None:
            raise RefusedSample(sample.id, "its caption must have two clauses, found one")
        return Span(*joint)
    found = list(_JOINTS.finditer(sample.caption))
    if len(found) != 1:
        raise RefusedSample(sample.id, f"its caption must have two clauses, found {len(found) + 1}")
    return Span(*found[0].span())


def _recased(first: str, second: str) -> tuple[str, str]:
    """Exchange the case of the initials if exactly one is a capital, so that capitals keep their places."""
    letters = first[0] + second[0]
    if not (letters.isascii() and letters.isalpha()) or first[0].isupper() == second[0].isupper():
        return first, second
    return first[0].swapcase() + first[1:], second[0].swapcase() + second[1:]


def _moved(sample: Sample, span: Span, joint: Span, end: int) -> Span:
    if span.end <= joint.start:
        by = end - joint.start
    elif joint.end <= span.start and span.end <= end:
        by = -joint.end
    else:
        raise RefusedSample(sample.id, f"every span must be inside one clause, {sample.text(span)!r} is not")
    return Span(span.start + by, span.end + by)
