"""Answer `Words` with a model that only matches: fill each candidate into the caption, and compare the scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from vlaudit.models.streams.batches import Row
from vlaudit.traces import Reading, Words

AT_LEAST = 16
"""Rows of one pass over filled captions, where the batch of requests is smaller."""


@dataclass(frozen=True)
class CandidateScores:
    """Match scores of one request, one row per hidden phrase and one column per word of `words`."""

    words: Mapping[str, int]
    scores: Float[Tensor, "hidden candidates"]

    def log_probabilities(self, words: Sequence[str]) -> Float[Tensor, "hidden words"]:
        """Return the log-softmax of the scores over `words` alone."""
        return self.scores[:, [self.words[word] for word in words]].log_softmax(-1)


def candidate_scores(
    rows: Sequence[Row],
    readings: Sequence[Iterable[Reading]],
    vocabulary: Mapping[str, int],
    score: Callable[[Sequence[Row]], Float[Tensor, "rows"]],
) -> dict[int, CandidateScores]:
    """Score every candidate that a request names at each of its hidden phrases, all requests together.

    A hidden phrase and a candidate are single pieces, so that the filled caption is the caption with one id replaced;
    other hidden phrases of the caption stay masked. Requests without `Words` are left out.
    """
    asked = {number: _words(each) for number, each in enumerate(readings)}
    asked = {number: words for number, words in asked.items() if words}
    filled = [
        Row(rows[number].sample, rows[number].caption.filled(phrase, vocabulary[word]))
        for number, words in asked.items()
        for phrase in range(len(rows[number].caption.axis.hidden))
        for word in words
    ]
    size = max(AT_LEAST, len(rows))
    chunks = [score(filled[start : start + size]) for start in range(0, len(filled), size)]
    scores = torch.cat(chunks) if chunks else torch.empty(0)
    found, start = dict[int, CandidateScores](), 0
    for number, words in asked.items():
        hidden = len(rows[number].caption.axis.hidden)
        end = start + hidden * len(words)
        columns = {word: column for column, word in enumerate(words)}
        found[number] = CandidateScores(columns, scores[start:end].view(hidden, len(words)))
        start = end
    return found


def _words(readings: Iterable[Reading]) -> list[str]:
    """Return every word that the readings name, each once."""
    return sorted({word for each in readings if isinstance(each, Words) for word in each.words or ()})
