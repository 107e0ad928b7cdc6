"""Unit selection: which slot or phrase of each sample is tested, and which other sample it is paired with.

A selection is called with samples and a seed. It yields the candidates of each unit in order of preference; the first
candidate that allows all conditions becomes the unit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import partial
from statistics import median
from typing import Any, Literal, Protocol, runtime_checkable

from vlaudit.errors import UsageError, nearest
from vlaudit.measures.base import Unit
from vlaudit.perturbations import Mirror, apply
from vlaudit.samples import Phrase, Sample, Slot, words_of
from vlaudit.seeds import generator

NOUNS = ("person", "animal", "vehicle", "object", "clothing", "instrument")
"""Kinds of slots that name an object with a place in the image."""

SIDE_KINDS = ("hand side", "position side")
"""Kinds of slots with the answers left and right."""

KINDS = (*NOUNS, *SIDE_KINDS, "color", "scenery")
"""Kinds of slots of the shipped data sets; data of one's own may have others."""

SIMILAR = 0.7
"""Similarity, 0 to 1, from which an unknown kind counts as a misspelt one."""

TYPE_OF_KIND = {"person": "people", "animal": "animals", "vehicle": "vehicles", "object": "other"}
"""Phrase type of a noun, for data sets that mark no phrases."""

THIRDS = ("left", "middle", "right")
"""Thirds of the image's width, as the fact `third` names them."""

Candidates = Sequence[Unit]
"""Candidates for one unit, in order of preference."""


class _OnDemand(Sequence[Unit]):
    """Candidates that are made when they are first read: most often only the first is."""

    def __init__(self, make: Callable[[int], Unit], count: int) -> None:
        self._make, self._count = make, count
        self._made: dict[int, Unit] = {}

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        if not -self._count <= index < self._count:
            raise IndexError(index)
        if index not in self._made:
            self._made[index] = self._make(index)
        return self._made[index]


@runtime_checkable
class Selection(Protocol):
    """Protocol of selections of units: frozen dataclasses of settings."""

    @property
    def columns(self) -> frozenset[str]:
        """Names of the facts of each unit."""
        ...

    def __call__(self, samples: Iterable[Sample], seed: int) -> Iterator[Candidates]:
        """Yield the candidates of each unit."""
        ...


def with_partners(samples: Iterable[Sample]) -> Iterator[Sample]:
    """Yield every sample with its partner: the next one with another image and another caption, cyclically.

    A sample that has a partner keeps it. Deterministic: the order of a data set is arbitrary, and neighbours are read
    from disk together.
    """
    given = list(samples)
    for i, sample in enumerate(given):
        if sample.partner is not None:
            yield sample
            continue
        others = (other for other in _after(given, i) if sample.differs_from(other))
        yield replace(sample, partner=next(others, None))


def _after(samples: Sequence[Sample], place: int) -> Iterator[Sample]:
    """Yield the samples after a place, cyclically."""
    return (samples[(place + step) % len(samples)] for step in range(1, len(samples)))


def _answers_differ(sample: Sample, slot: Slot, other: Sample) -> bool:
    """Return whether each sample's caption is false of the other's image, as far as the annotations state."""
    answers = {one.answer for one in other.slots if one.kind == slot.kind}
    if not answers or answers <= _words_true_of(sample):
        return False
    return slot.answer not in _words_true_of(other) and sample.differs_from(other)


def _words_true_of(sample: Sample) -> set[str]:
    """Return the answers of all slots and the labels of all regions."""
    return {slot.answer for slot in sample.slots} | {region.label.lower() for region in sample.regions}


@dataclass(frozen=True)
class EverySample:
    """One unit per sample, except for samples with one of `without_words` in the caption.

    `images`: only samples of so many images, for a measure that takes long and is only shown.
    """

    without_words: tuple[str, ...] = ()
    images: int | None = None
    columns = frozenset[str]()

    def __call__(self, samples: Iterable[Sample], seed: int) -> Iterator[Candidates]:
        """Yield one candidate per sample."""
        images = set[str]()
        for sample in with_partners(samples):
            images.add(sample.image_id)
            if self.images is not None and len(images) > self.images:
                return
            caption = sample.caption.lower()
            if {caption[slice(*span)] for span in words_of(caption)}.isdisjoint(self.without_words):
                yield (Unit(sample.id, sample),)


@dataclass(frozen=True)
class OneSlot:
    """One random slot per sample among those of the given kinds, seeded by the sample's id.

    Parameters
    ----------
    kinds
        Kind or kinds of slots that may be tested ("color", `NOUNS`, `SIDE_KINDS`, "scenery").
    words
        If given, only slots with one of these answers.
    located
        Only slots that are linked to a region.
    hide
        Hide the slot from the model.
    hide_kinds
        Also hide every slot of these kinds, because its word would reveal the answer.
    flags
        Boolean facts: a name, and the answers for which it is true.
    partner
        "next": the partner of `with_partners`. "other answer": the next sample with a slot of the same kind and another
        answer, if neither image is known to show the answer to the other's slot: each caption is false of the other
        image.

    Facts: `kind`, `word` (in the caption), and one per flag.

    """

    kinds: str | tuple[str, ...]
    words: tuple[str, ...] = ()
    located: bool = False
    hide: bool = True
    hide_kinds: tuple[str, ...] = ()
    flags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    partner: Literal["next", "other answer"] = "next"

    def __post_init__(self) -> None:
        for kind in (self.kinds,) if isinstance(self.kinds, str) else self.kinds:
            if kind not in KINDS and get_close_matches(kind, KINDS, cutoff=SIMILAR):
                raise UsageError(f"OneSlot: no kind of slot is called {kind!r}{nearest(kind, KINDS)}")

    @property
    def columns(self) -> frozenset[str]:
        """Names of the facts."""
        return frozenset({"kind", "word", *self.flags})

    def __call__(self, samples: Iterable[Sample], seed: int) -> Iterator[Candidates]:
        """Yield the suitable slots of each sample in random order."""
        given = list(samples)
        for place, sample in enumerate(with_partners(given)):
            slots = [slot for slot in sample.slots if self._fits(slot)]
            order = generator(seed, "one slot", sample.id).permutation(len(slots))
            if slots:
                yield _OnDemand(partial(self._nth, given, place, sample, [slots[i] for i in order]), len(slots))

    def _nth(self, given: Sequence[Sample], place: int, sample: Sample, slots: Sequence[Slot], index: int) -> Unit:
        slot = slots[index]
        if self.partner == "other answer":
            others = (other for other in _after(given, place) if _answers_differ(sample, slot, other))
            sample = replace(sample, partner=next(others, None))
        return self._unit(sample, slot)

    def _fits(self, slot: Slot) -> bool:
        return (
            slot.kind in ((self.kinds,) if isinstance(self.kinds, str) else self.kinds)
            and (not self.words or slot.answer in self.words)
            and (bool(slot.region_ids) or not self.located)
        )

    def _unit(self, sample: Sample, slot: Slot) -> Unit:
        flags = {name: slot.answer in words for name, words in self.flags.items()}
        facts = {"kind": slot.kind, "word": sample.text(slot).lower(), **flags}
        return Unit(f"{sample.id}:{slot.start}", self._asking(sample, slot), facts)

    def _asking(self, sample: Sample, slot: Slot) -> Sample:
        if not self.hide:
            return sample.asking(slot)
        return sample.hiding(slot, *(one for one in sample.slots if one.kind in self.hide_kinds)).asking(slot)


@dataclass(frozen=True)
class BothWays:
    """Each unit of another selection twice, with its image and with the mirror image, so that both sides are balanced.

    Facts in addition to those of `selection`, both about the centre of the slot's regions ("" without regions):
    `third`, the third of the image from left to right; `half`, "upper" or "lower". The halves meet at the median height
    of the first candidates, because photographs and scenes show few objects in the upper third, so that thirds of the
    height would compare a handful of images with the others.
    """

    selection: OneSlot

    @property
    def columns(self) -> frozenset[str]:
        """Names of the facts."""
        return self.selection.columns | {"third", "half"}

    def __call__(self, samples: Iterable[Sample], seed: int) -> Iterator[Candidates]:
        """Yield the original candidates, then the mirrored ones."""
        found = list(self.selection(samples, seed))
        places = (center(units[0].sample) for units in found)
        split = median([place[1] for place in places if place is not None] or [0.5])
        for units in found:
            yield _OnDemand(partial(_original, units, split), len(units))
            if units[0].sample.image is not None:
                yield _OnDemand(partial(_mirrored, units, split), len(units))


def _original(units: Candidates, split: float, index: int) -> Unit:
    unit = units[index]
    return _placed(unit, unit.sample, split, "original")


def _mirrored(units: Candidates, split: float, index: int) -> Unit:
    unit = units[index]
    return _placed(unit, apply([Mirror()], unit.sample, unit.seed), split, "mirrored")  # nothing is drawn


def _placed(unit: Unit, sample: Sample, split: float, name: str) -> Unit:
    place = center(sample)
    half = "" if place is None else "upper" if place[1] < split else "lower"
    return Unit(f"{unit.id}:{name}", sample, {**(unit.facts or {}), "third": third(sample), "half": half})


def third(sample: Sample) -> str:
    """Return the third of the image with the centre of the tested slot's regions; "" without regions."""
    place = center(sample)
    return "" if place is None else THIRDS[min(int(3 * place[0]), 2)]


def center(sample: Sample) -> tuple[float, float] | None:
    """Return the mean centre (x, y) of the tested slot's regions, as shares of the image's size; None without any."""
    slot = sample.asked_slot
    if slot is None or not slot.region_ids or sample.image is None:
        return None
    x, y = zip(*(sample.region(name).box.center for name in slot.region_ids), strict=True)
    return sum(x) / len(x) / sample.image.width, sum(y) / len(y) / sample.image.height


@dataclass(frozen=True)
class EveryPhrase:
    """One unit per phrase with regions; nouns replace phrases if a data set marks none.

    `smaller` leaves out phrases with a region that fills most of the image, because no equal area is free outside it.
    Facts: `type`, `phrase` (text), `start`, `end` (characters), `regions` (ids).
    """

    smaller: bool = False
    columns = frozenset({"type", "phrase", "start", "end", "regions"})

    def __call__(self, samples: Iterable[Sample], seed: int) -> Iterator[Candidates]:
        """Yield one candidate per phrase."""
        for sample in samples:
            named: tuple[Phrase | Slot, ...] = sample.phrases or sample.slots
            for part in named:
                kind = part.type if isinstance(part, Phrase) else TYPE_OF_KIND.get(part.kind)
                filled = self.smaller and any(_fills(sample, name) for name in part.region_ids)
                if kind is not None and part.region_ids and not filled:
                    yield (_phrase_unit(sample, part, kind),)


def _phrase_unit(sample: Sample, part: Phrase | Slot, kind: str) -> Unit:
    facts = {
        "type": kind,
        "phrase": sample.text(part),
        "start": part.start,
        "end": part.end,
        "regions": list(part.region_ids),
    }
    return Unit(f"{sample.id}:{part.start}", sample, facts)


def _fills(sample: Sample, region: str) -> bool:
    box, image = sample.region(region).box, sample.image
    return image is not None and 2 * box.width > image.width and 2 * box.height > image.height
