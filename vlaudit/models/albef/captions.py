"""Captions as ALBEF was trained to read them, with every character's origin kept.

Source: the official `pre_caption` and tokenizer (see `tests/goldens/albef/README.md`, traps 8 and 9, and the caption
section of its published layout). Differs: nothing is truncated; a caption that the official code would cut is refused.
"""

from __future__ import annotations

from functools import lru_cache

from vlaudit.models.streams.captions import Encoding, hiding
from vlaudit.models.vocabulary import Piece, Vocabulary
from vlaudit.samples import Sample, Span

MAX_WORDS = 30
_DROPPED = frozenset(",.'!?\"()*#:;~")


@lru_cache(maxsize=1024)
def clean(caption: str) -> tuple[str, tuple[int, ...]]:
    r"""Return the cleaned caption, and for each of its characters the index that it had in the original.

    Lower case; punctuation deleted; hyphen and slash become spaces; `<person>` becomes `person`; runs of white space
    become one space, a lone tab or newline inside stays; ends stripped.

    >>> clean("A dog, running - on the BEACH!")[0]
    'a dog running on the beach'
    """
    characters = [(c, index) for c, index in _lowered(caption) if c not in _DROPPED]
    characters = [(" " if c in "-/" else c, index) for c, index in characters]
    characters = _collapse(_unbracket(characters))
    text = "".join(c for c, _ in characters)
    first = len(text.rstrip("\n")) - len(text.rstrip("\n").lstrip(" "))
    last = len(text.rstrip("\n").rstrip(" "))
    return text[first:last], tuple(index for _, index in characters[first:last])


def _lowered(caption: str) -> list[tuple[str, int]]:
    lowered = caption.lower()
    if len(lowered) == len(caption):
        return list(zip(lowered, range(len(caption)), strict=True))
    return [(lower, index) for index, character in enumerate(caption) for lower in character.lower()]


def _unbracket(characters: list[tuple[str, int]]) -> list[tuple[str, int]]:
    text = "".join(c for c, _ in characters)
    kept, position = [], 0
    while (found := text.find("<person>", position)) >= 0:
        kept += characters[position:found] + characters[found + 1 : found + 7]
        position = found + len("<person>")
    return kept + characters[position:]


def _collapse(characters: list[tuple[str, int]]) -> list[tuple[str, int]]:
    kept: list[tuple[str, int]] = []
    run: list[tuple[str, int]] = []
    for pair in [*characters, ("x", -1)]:
        if pair[0].isspace():
            run.append(pair)
            continue
        kept += run if len(run) < 2 else [(" ", run[0][1])]
        run = []
        kept.append(pair)
    return kept[:-1]


def encode(sample: Sample, vocabulary: Vocabulary) -> Encoding:
    """Encode a caption as [CLS] and its pieces, no [SEP], with its hidden phrases masked, however long it is."""
    return _encoded(sample.caption, sample.hidden_phrases, vocabulary)


@lru_cache(maxsize=1024)  # a caption is encoded when its request is planned, checked and answered
def _encoded(caption: str, hidden_phrases: tuple[Span, ...], vocabulary: Vocabulary) -> Encoding:
    text, origins = clean(caption)
    pieces = vocabulary.pieces(text)
    spans = (None, *(_span(piece, origins, caption) for piece in pieces))
    originals = (vocabulary.cls, *(piece.id for piece in pieces))
    return hiding(originals, spans, hidden_phrases, vocabulary.mask)


def _span(piece: Piece, origins: tuple[int, ...], caption: str) -> Span:
    """Return the original characters from the first to the last one that the piece reads."""
    return Span(origins[piece.start], min(origins[piece.end - 1] + 1, len(caption)))


def too_long(sample: Sample, encoding: Encoding, max_length: int) -> str | None:
    """Say why the official code would cut this caption, or None."""
    words = len(clean(sample.caption)[0].split(" "))
    if words > MAX_WORDS:
        return f"its caption has {words} words, this model reads {MAX_WORDS}"
    if len(encoding.ids) > max_length:
        return f"its caption has {len(encoding.ids)} tokens with [CLS], this model was trained on {max_length}"
    return None
