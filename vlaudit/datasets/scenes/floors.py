"""Text-only baseline: accuracy of predicting a hidden word from the other words of its caption.

A model without access to the image may reach this accuracy; only higher accuracies are evidence of image use. The
predictor is a logistic regression on word n-grams (n = 1 to 3), fitted on other captions. Its accuracy is a lower bound
of the best text-only accuracy, and close to it for a grammar as simple as this one.
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
"""Numbers of training and test captions, one per scene."""

_HIDDEN = "[mask]"


class Floor(NamedTuple):
    """Text-only accuracy for one slot kind over `asked` test words; `chance` is 1 / number of answers."""

    accuracy: float
    chance: float
    asked: int


def caption_floor(kind: str, train: int = TRAIN, test: int = TEST, seed: int = 0) -> Floor:
    """Return the text-only accuracy for a slot kind, with `train` captions for fitting and `test` others for testing.

    Raises `UsageError` for an unknown kind, and if too few captions have a slot of this kind.
    """
    if kind not in CANDIDATES:
        raise UsageError(f"kind must be one of {', '.join(CANDIDATES)}, got {kind!r}")
    training = _questions(seed, 0, train).get(kind, ())
    testing = _questions(seed, train, test).get(kind, ())
    if len({answer for _, answer in training}) < 2 or not testing:
        raise UsageError(f"train and test must be large enough to contain {kind} slots, got {train} and {test}")
    classifier = make_pipeline(
        CountVectorizer(ngram_range=(1, 3), min_df=3, token_pattern=r"\S+", binary=True),  # noqa: S106 - no password
        LogisticRegression(C=0.1, max_iter=300),
    )
    classifier.fit(*zip(*training, strict=True))
    return Floor(float(classifier.score(*zip(*testing, strict=True))), 1 / len(CANDIDATES[kind]), len(testing))


@lru_cache(maxsize=4)
def _questions(seed: int, start: int, count: int) -> dict[str, Sequence[tuple[str, str]]]:
    """Return pairs of a caption with one hidden word and that word, by slot kind."""
    found: dict[str, list[tuple[str, str]]] = {}
    for index in range(start, start + count):
        caption = describe(compose(seed, index))
        for slot in caption.slots:
            text = caption.text
            hidden = f"{text[: slot.start]}{_HIDDEN}{text[slot.end :]}"
            found.setdefault(slot.kind, []).append((hidden, text[slot.start : slot.end]))
    return dict(found)
