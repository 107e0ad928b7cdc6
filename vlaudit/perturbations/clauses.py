"""Exchange the clauses of a caption: it says the same, in another order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from vlaudit.errors import RefusedSample
from vlaudit.perturbations.base import Owner
from vlaudit.perturbations.text import respanned
from vlaudit.perturbations.world import Clausal
from vlaudit.samples import Sample, Span

_JOINTS = re.compile(r"[.;]\s+(?=\w)|,?\s+while\s+", flags=re.IGNORECASE)
"""What joins clauses for certain in a caption nobody parsed; "and" joins nouns as often."""


@dataclass(frozen=True)
class SwapClauses:
    """Let the two clauses of the caption change places, and every span with its clause; twice is nothing.

    Where they join, the world says (scenes), or the text: one full stop, semicolon or "while". The capital of the first
    letter and the final full stop stay where they are. Refused where there are not exactly two clauses, and where
    a span reaches over the joint. Nothing is drawn.
    """

    drawn_for: ClassVar[Owner] = "id"

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with its clauses exchanged."""
        joint = _joint(sample)
        end = len(sample.caption.rstrip(" .!?"))
        first, second = sample.caption[: joint.start], sample.caption[joint.end : end]
        if not first or not second or first[-1] in " .!?" or second[0] == " ":
            raise RefusedSample(sample.id, "its caption does not fall into two clauses")
        first, second = _recased(first, second)
        caption = second + sample.text(joint) + first + sample.caption[end:]
        return respanned(sample, caption, lambda span: _moved(sample, span, joint, end))


def _joint(sample: Sample) -> Span:
    if isinstance(sample.world, Clausal):
        joint = sample.world.joint(sample)
        if joint is None:
            raise RefusedSample(sample.id, "its caption has one clause")
        return Span(*joint)
    found = list(_JOINTS.finditer(sample.caption))
    if len(found) != 1:
        raise RefusedSample(sample.id, f"its caption must have two clauses, {len(found)} joints were found")
    return Span(*found[0].span())


def _recased(first: str, second: str) -> tuple[str, str]:
    """Exchange the case of the initials where one is a capital and the other is not: capitals stay in their places."""
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
        raise RefusedSample(sample.id, f"{sample.text(span)!r} reaches over the border of a clause")
    return Span(span.start + by, span.end + by)
