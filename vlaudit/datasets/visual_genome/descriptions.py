"""Descriptions of regions: the text, and where it names the objects of its graph."""

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
    """A description that names objects; `id` is its region_id."""

    id: str
    text: str
    phrases: tuple[Phrase, ...]


@dataclass(frozen=True)
class OtherDescriptions(OtherCaptions):
    """All descriptions of an image; hints are those of the same thing, because the others are of other places.

    `about` says for each of `captions` which regions it names, none for one that is no sample.
    """

    about: tuple[frozenset[str], ...] = ()

    def hints(self, sample: Sample, slot: Slot) -> list[str]:
        """Return the other descriptions that name a region of the slot, and neither its word nor a form of it."""
        word = sample.text(slot)
        return [caption for caption in self._of_same(slot) if not names_word(caption, word)]

    def copy_hint(self, sample: Sample, slot: Slot) -> str | None:
        """Return the first other description of a region of the slot that names the very word, `None` without one."""
        own = sample.caption
        naming = OtherCaptions(tuple(caption for caption in self._of_same(slot) if caption != own))
        return naming.copy_hint(sample, slot)

    def _of_same(self, slot: Slot) -> list[str]:
        wanted = frozenset(slot.region_ids)
        return [caption for caption, about in zip(self.captions, self.about, strict=True) if about & wanted]


def tidied(text: str) -> tuple[str, list[int]]:
    """Return a text with single spaces inside and none around, and where each of its characters stood before.

    >>> tidied(" a  dog ")
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

    An object is named where the description's synsets have its name, else where they have its synset, else where the
    text has its name or a form of it; all of these places where there are several, and one place may name several
    objects (two bikes are "bikes").
    """
    text, stood = tidied(record["phrase"])
    entities = _entities(record.get("synsets"), text, stood)
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


def _entities(synsets: object, text: str, stood: Sequence[int]) -> list[tuple[Span, str, str]]:
    """Return (span, name, synset) of the entities whose place holds their name; the others are found by their words."""
    found = []
    now = {before: i for i, before in enumerate(stood)}
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
    """Return where the words of a name stand in a row in the text, in any form."""
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
