"""Region descriptions: their text, and the spans that name objects of their graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vlaudit.datasets.grounding import head
from vlaudit.datasets.hints import OtherCaptions
from vlaudit.datasets.mining import forms, names_word
from vlaudit.datasets.visual_genome.objects import Objects, id_of, names_of
from vlaudit.datasets.words import TYPE_OF_NOUN
from vlaudit.samples import Phrase, Sample, Slot, Span, words_of


@dataclass(frozen=True)
class Description:
    """A region description with phrases for the objects that it names; `id` is its region_id."""

    id: str
    text: str
    phrases: tuple[Phrase, ...]


@dataclass(frozen=True)
class OtherDescriptions(OtherCaptions):
    """All descriptions of an image; hints come from those of the same object, as the others describe other regions.

    `about` contains, for each of `captions`, the ids of the regions that it names; empty for one without a sample.
    """

    about: tuple[frozenset[str], ...] = ()

    def hints(self, sample: Sample, slot: Slot) -> list[str]:
        """Return the other descriptions of the slot's regions that do not contain its word or a form of it."""
        word = sample.text(slot)
        return [caption for caption in self._of_same(slot) if not names_word(caption, word)]

    def copy_hint(self, sample: Sample, slot: Slot) -> str | None:
        """Return the first other description of the slot's regions that contains its word, or None."""
        own = sample.caption
        naming = OtherCaptions(tuple(caption for caption in self._of_same(slot) if caption != own))
        return naming.copy_hint(sample, slot)

    def _of_same(self, slot: Slot) -> list[str]:
        wanted = frozenset(slot.region_ids)
        return [caption for caption, about in zip(self.captions, self.about, strict=True) if about & wanted]


def normalize_spaces(text: str) -> tuple[str, list[int]]:
    """Return the text with single spaces and without surrounding ones, and the original index of each character.

    >>> normalize_spaces(" a  dog ")
    ('a dog', [1, 2, 4, 5, 6])
    """
    if text == " ".join(text.split()):
        return text, list(range(len(text)))
    kept = [
        i
        for i, letter in enumerate(text)
        if not letter.isspace() or (i and not text[i - 1].isspace() and text[i:].strip())
    ]
    return "".join(" " if text[i].isspace() else text[i] for i in kept), kept


def phrases_of(record: Mapping[str, Any], objects: Objects) -> tuple[str, tuple[Phrase, ...]]:
    """Return the text of a description and the phrases that name objects of its graph.

    The mentions of an object are the entities of the description with its name, else those with its synset, else the
    occurrences of its name in any form. An object may have several mentions, and a mention may name several objects
    (two bikes are "bikes").
    """
    text, original = normalize_spaces(record["phrase"])
    entities = _entities(record.get("synsets"), text, original)
    named: dict[Span, dict[str, None]] = {}
    for one in record["objects"]:
        identity = objects.resolve(one.get("object_id")) if isinstance(one, dict) else None
        if identity is not None and objects.has_box(identity):
            for span in _mentions(one, entities, text):
                named.setdefault(span, {})[identity] = None
    return text, tuple(
        Phrase("+".join(names), span.start, span.end, _type(text[slice(*span)]), tuple(names))
        for span, names in sorted(named.items())
    )


def _entities(synsets: object, text: str, original: Sequence[int]) -> list[tuple[Span, str, str]]:
    """Return (span, name, synset) of the entities whose stated span contains their name."""
    found = []
    now = {before: i for i, before in enumerate(original)}
    for one in synsets if isinstance(synsets, list) else ():
        entity = one if isinstance(one, dict) else {}
        start, end = entity.get("entity_idx_start"), entity.get("entity_idx_end")
        if not isinstance(start, int) or not isinstance(end, int) or start not in now or end - 1 not in now:
            continue
        span = Span(now[start], now[end - 1] + 1)
        name = " ".join(str(entity.get("entity_name")).lower().split())
        if text[slice(*span)].lower() == name:
            found.append((span, name, str(entity.get("synset_name"))))
    return found


def _mentions(record: Mapping[str, Any], entities: Sequence[tuple[Span, str, str]], text: str) -> list[Span]:
    names = names_of(record)
    synsets = {id_of(synset) for synset in record.get("synsets") or ()}
    by_name = [span for span, name, _ in entities if name in names]
    by_synset = [span for span, _, synset in entities if synset in synsets]
    return by_name or by_synset or [span for name in names for span in _places(name, text)]


def _places(name: str, text: str) -> list[Span]:
    """Return the spans of the text with the words of a name in sequence, each in any form."""
    wanted = [forms(name[slice(*span)]) for span in words_of(name)]
    spans = words_of(text)
    rows = (spans[i : i + len(wanted)] for i in range(len(spans) - len(wanted) + 1)) if wanted else ()
    return [
        Span(row[0].start, row[-1].end)
        for row in rows
        if all(forms(text[slice(*span)].lower()) & word for span, word in zip(row, wanted, strict=True))
    ]


def _type(phrase: str) -> str:
    noun = head(phrase)
    if noun is None:
        return "other"
    word = phrase[slice(*noun)].lower()
    return next((TYPE_OF_NOUN[form] for form in (word, *sorted(forms(word))) if form in TYPE_OF_NOUN), "other")
