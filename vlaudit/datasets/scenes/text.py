"""Captions as clauses of phrases of words, from which the text and all spans are computed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple

from vlaudit.datasets.choices import choices_of
from vlaudit.datasets.scenes.words import CANDIDATES
from vlaudit.samples import Phrase, Slot


class Word(NamedTuple):
    """A word of a caption; a word with a `kind` is a slot that `regions` answer."""

    text: str
    kind: str = ""
    regions: tuple[str, ...] = ()


class Piece(NamedTuple):
    """Words of a caption; words with a `type` are a phrase that refers to `regions`."""

    words: tuple[Word, ...]
    type: str = ""
    regions: tuple[str, ...] = ()


Clause = tuple[Piece, ...]


@dataclass(frozen=True)
class Caption:
    """One or two clauses, joined by `joiner`."""

    clauses: tuple[Clause, ...]
    joiner: str = "and"

    @cached_property
    def _laid_out(self) -> tuple[str, tuple[Phrase, ...], tuple[Slot, ...]]:
        texts: list[str] = []
        phrases: list[Phrase] = []
        slots: list[Slot] = []
        cursor = 0
        for piece in self._pieces():
            begin = cursor
            for word in piece.words:
                end = cursor + len(word.text)
                if word.kind:
                    slots.append(_slot(cursor, end, word))
                texts.append(word.text)
                cursor = end + 1
            if piece.type:
                phrases.append(Phrase(f"p{len(phrases)}", begin, cursor - 1, piece.type, piece.regions))
        return " ".join(texts), tuple(phrases), tuple(slots)

    def _pieces(self) -> Iterator[Piece]:
        for number, clause in enumerate(self.clauses):
            if number:
                yield plain(self.joiner)
            yield from clause

    @property
    def text(self) -> str:
        """The caption."""
        return self._laid_out[0]

    @property
    def phrases(self) -> tuple[Phrase, ...]:
        """Phrases, in the order of the caption."""
        return self._laid_out[1]

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Slots with their answers and choices, in the order of the caption."""
        return self._laid_out[2]

    @property
    def length(self) -> int:
        """Number of words."""
        return sum(len(piece.words) for piece in self._pieces())


def _slot(start: int, end: int, word: Word) -> Slot:
    choices = choices_of(CANDIDATES.get(word.kind, ()), word.text)
    return Slot(start, end, word.kind, word.regions, word.text, choices)


@cache
def plain(text: str) -> Piece:
    """Return words that are neither a phrase nor slots."""
    return Piece(tuple(Word(part) for part in text.split()))
