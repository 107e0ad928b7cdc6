"""A caption as the ids that a model reads, with every position's origin kept; what families share of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from vlaudit.models.base import ForwardRequest
from vlaudit.models.vocabulary import Vocabulary
from vlaudit.samples import Sample, Span
from vlaudit.traces import HiddenPieces, Reading, TextAxis, Words


@dataclass(frozen=True)
class Encoding:
    """A caption as ids; `axis` says what each position reads in the original.

    `originals` are the ids before hiding, so that the hidden pieces' own probability can be read.
    """

    ids: tuple[int, ...]
    originals: tuple[int, ...]
    axis: TextAxis


def hiding(
    originals: tuple[int, ...], spans: tuple[Span | None, ...], hidden_phrases: tuple[Span, ...], mask: int
) -> Encoding:
    """Return the encoding with `mask` at every position that reads a character of a hidden phrase."""
    axis = TextAxis(spans)
    hidden = tuple(axis.positions(*phrase) for phrase in hidden_phrases)
    masked = {position for phrase in hidden for position in phrase}
    ids = tuple(mask if i in masked else piece for i, piece in enumerate(originals))
    return Encoding(ids, originals, TextAxis(spans, hidden))


def encode_plain(sample: Sample, vocabulary: Vocabulary) -> Encoding:
    """Encode a caption as BERT reads it: [CLS], its pieces, [SEP], however long it is."""
    return _plain(sample.caption, sample.hidden_phrases, vocabulary)


@lru_cache(maxsize=1024)  # a caption is encoded when its request is planned, checked and answered
def _plain(caption: str, hidden_phrases: tuple[Span, ...], vocabulary: Vocabulary) -> Encoding:
    pieces = vocabulary.pieces(caption)
    originals = (vocabulary.cls, *(piece.id for piece in pieces), vocabulary.sep)
    spans = (None, *(Span(piece.start, piece.end) for piece in pieces), None)
    return hiding(originals, spans, hidden_phrases, vocabulary.mask)


def hides_badly(request: ForwardRequest, encoding: Encoding) -> str | None:
    """Say why what is hidden cannot be asked for, or None."""
    one_piece = any(isinstance(reading, Words) for reading in request.readings)
    for phrase, positions in zip(request.sample.hidden_phrases, encoding.axis.hidden, strict=True):
        hidden = request.sample.text(phrase)
        if not positions:
            return f"its hidden phrase {hidden!r} has no piece that this model reads"
        if one_piece and len(positions) > 1:
            return f"its hidden word {hidden!r} has {len(positions)} pieces in this vocabulary, Words reads one"
    return None


def word_answer(
    reading: Words | HiddenPieces,
    rows: Float[Tensor, "hidden vocabulary"],
    encoding: Encoding,
    vocabulary: Mapping[str, int],
) -> Float[Tensor, "hidden"] | Float[Tensor, "hidden words"]:
    """Read an answer off the log-probabilities of all words at the hidden positions of one caption."""
    if isinstance(reading, Words):
        return rows if reading.words is None else rows[:, [vocabulary[word] for word in reading.words]]
    own = torch.tensor([encoding.originals[i] for i in encoding.axis.hidden_positions], dtype=torch.long)
    return torch.gather(rows, -1, own.to(rows.device)[:, None]).flatten()


def unknown_words(reading: Reading, vocabulary: Mapping[str, int]) -> str | None:
    """Say which of the words that a reading asks for are no single pieces, or None."""
    words = (reading.words or ()) if isinstance(reading, Words) else ()
    unknown = [word for word in words if word not in vocabulary]
    return f"not single pieces of its vocabulary: {', '.join(unknown)}" if unknown else None
