"""Tokenized captions that remember the origin of every position, and the policies by which families tokenize."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from vlaudit.models.base import ForwardRequest
from vlaudit.models.vocabulary import Piece, Vocabulary
from vlaudit.samples import Sample, Span
from vlaudit.traces import HiddenPieces, Reading, TextAxis, Words


@dataclass(frozen=True)
class Encoding:
    """A caption as token ids; `axis` maps each position to characters of the original caption.

    `originals` are the ids before hiding, from which the probability of the hidden pieces is read.
    """

    ids: tuple[int, ...]
    originals: tuple[int, ...]
    axis: TextAxis

    def filled(self, phrase: int, word: int) -> Encoding:
        """Return the encoding with the id `word` at every position of one hidden phrase; the others stay masked."""
        places = set(self.axis.hidden[phrase])
        ids = tuple(word if i in places else piece for i, piece in enumerate(self.ids))
        return Encoding(ids, self.originals, self.axis)


@dataclass(frozen=True)
class CaptionPolicy:
    """Caption tokenization of a family; the default is BERT's: [CLS], the caption's pieces, [SEP].

    `clean` rewrites the caption first and returns, for each character of the result, its index in the original.
    `most_words` is the longest cleaned caption in words (separated by spaces), where training cut it there.
    """

    clean: Callable[[str], tuple[str, tuple[int, ...]]] | None = None
    ends_with_sep: bool = True
    most_words: int | None = None

    def encode(self, sample: Sample, vocabulary: Vocabulary) -> Encoding:
        """Tokenize a caption, however long it is, with the mask token at its hidden phrases."""
        return _encoded(sample.caption, sample.hidden_phrases, vocabulary, self)

    def too_long(self, caption: str, encoding: Encoding, max_length: int) -> str | None:
        """Return why a caption exceeds what the model was trained on, or None; nothing is ever truncated."""
        if self.most_words is not None:
            words = len((self.clean(caption)[0] if self.clean else caption).split(" "))
            if words > self.most_words:
                return f"its caption has {words} words, this model reads {self.most_words}"
        if len(encoding.ids) > max_length:
            special = "[CLS] and [SEP]" if self.ends_with_sep else "[CLS]"
            return f"its caption has {len(encoding.ids)} tokens with {special}, this model was trained on {max_length}"
        return None


PLAIN = CaptionPolicy()
"""BERT's policy."""


@lru_cache(maxsize=1024)  # variants of a sample that share a caption follow each other
def _encoded(caption: str, hidden_phrases: tuple[Span, ...], vocabulary: Vocabulary, policy: CaptionPolicy) -> Encoding:
    text, origins = policy.clean(caption) if policy.clean else (caption, None)
    pieces = vocabulary.pieces(text)
    last = (vocabulary.sep,) if policy.ends_with_sep else ()
    originals = (vocabulary.cls, *(piece.id for piece in pieces), *last)
    spans = (None, *(_span(piece, origins, len(caption)) for piece in pieces), *(None for _ in last))
    axis = TextAxis(spans)
    hidden = tuple(axis.positions(*phrase) for phrase in hidden_phrases)
    masked = {position for phrase in hidden for position in phrase}
    ids = tuple(vocabulary.mask if i in masked else piece for i, piece in enumerate(originals))
    return Encoding(ids, originals, TextAxis(spans, hidden))


def _span(piece: Piece, origins: tuple[int, ...] | None, length: int) -> Span:
    """Return the original characters from the first to the last one that the piece reads."""
    if origins is None:
        return Span(piece.start, piece.end)
    return Span(origins[piece.start], min(origins[piece.end - 1] + 1, length))


def hiding_fault(request: ForwardRequest, encoding: Encoding) -> str | None:
    """Return why the hidden phrases of a request cannot be predicted, or None."""
    one_piece = any(isinstance(reading, Words) for reading in request.readings)
    for phrase, positions in zip(request.sample.hidden_phrases, encoding.axis.hidden, strict=True):
        hidden = request.sample.text(phrase)
        if not positions:
            return f"its hidden phrase {hidden!r} has no piece that this model reads"
        if one_piece and len(positions) > 1:
            return f"its hidden word {hidden!r} has {len(positions)} pieces in this vocabulary, Words reads one"
    return None


def read_word_answer(
    reading: Words | HiddenPieces,
    rows: Float[Tensor, "hidden vocabulary"],
    encoding: Encoding,
    vocabulary: Mapping[str, int],
) -> Float[Tensor, "hidden"] | Float[Tensor, "hidden words"]:
    """Select an answer from the log-probabilities of all words at the hidden positions of one caption."""
    if isinstance(reading, Words):
        return rows if reading.words is None else rows[:, [vocabulary[word] for word in reading.words]]
    own = torch.tensor([encoding.originals[i] for i in encoding.axis.hidden_positions], dtype=torch.long)
    return torch.gather(rows, -1, own.to(rows.device)[:, None]).flatten()


def unknown_words(reading: Reading, vocabulary: Mapping[str, int]) -> str | None:
    """Return which of the words that a reading names are no single pieces, or None."""
    words = (reading.words or ()) if isinstance(reading, Words) else ()
    unknown = [word for word in words if word not in vocabulary]
    return f"not single pieces of its vocabulary: {', '.join(unknown)}" if unknown else None
