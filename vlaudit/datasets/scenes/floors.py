"""What a caption gives away: how often a hidden word is guessed from the other words alone, without the image.

A model that cannot see may reach these accuracies; only what lies above them needed the image. The guess is a logistic
regression on the runs of one to three words of the caption, fitted on other captions of the world; it is a lower
bound of what the best reader of captions would reach, and for grammar as plain as this one a close one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from vlaudit.datasets.scenes.captions import describe
from vlaudit.datasets.scenes.compose import compose
from vlaudit.datasets.scenes.words import CANDIDATES
from vlaudit.errors import UsageError

TRAIN, TEST = 20_000, 5_000
"""Captions to fit on and to test on, one a scene."""

_HIDDEN = "[mask]"


class Floor(NamedTuple):
    """How often one kind of word is guessed from its caption: `accuracy` over `asked` words; `chance` is 1 in all."""

    accuracy: float
    chance: float
    asked: int


def caption_floor(kind: str, train: int = TRAIN, test: int = TEST, seed: int = 0) -> Floor:
    """Return the caption-only floor of a kind of slot: `train` captions to learn from, `test` others to be judged by.

    Raises `UsageError` for a kind that the world does not know, and where too few captions ask for the kind.
    """
    if kind not in CANDIDATES:
        raise UsageError(f"kind must be one of {', '.join(CANDIDATES)}, got {kind!r}")
    asked = _questions(seed, 0, train).get(kind, ())
    judged = _questions(seed, train, test).get(kind, ())
    if len({answer for _, answer in asked}) < 2 or not judged:
        raise UsageError(f"train and test must be large enough to ask for {kind}, got {train} and {test}")
    reader = make_pipeline(
        CountVectorizer(ngram_range=(1, 3), min_df=3, token_pattern=r"\S+", binary=True),  # noqa: S106 - no password
        LogisticRegression(C=0.1, max_iter=300),
    )
    reader.fit(*zip(*asked, strict=True))
    return Floor(float(reader.score(*zip(*judged, strict=True))), 1 / len(CANDIDATES[kind]), len(judged))


@lru_cache(maxsize=4)
def _questions(seed: int, start: int, count: int) -> dict[str, Sequence[tuple[str, str]]]:
    """Return, by kind, captions with one word hidden, and the word."""
    found: dict[str, list[tuple[str, str]]] = {}
    for index in range(start, start + count):
        caption = describe(compose(seed, index))
        for slot in caption.slots:
            text = caption.text
            hidden = f"{text[: slot.start]}{_HIDDEN}{text[slot.end :]}"
            found.setdefault(slot.kind, []).append((hidden, text[slot.start : slot.end]))
    return dict(found)
