"""An adapter under test, with probe samples and pairs of samples that differ in one place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import cast
from unittest import SkipTest

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vlaudit.models.base import ForwardRequest, LoadOptions, ModelAdapter
from vlaudit.models.own import takes_options
from vlaudit.models.probe_samples import answerable, plain_words, probe_samples
from vlaudit.samples import Box, Image, Region, Sample, Span, words_of
from vlaudit.traces import Modality, Reading, Trace

_NO_CHECKPOINT = LoadOptions(checkpoint=None, device=torch.device("cpu"))
"""Options for an adapter class that is called with them."""

_ENLARGED = 8  # times; so that every patch of a fine grid covers whole pixels of a probe image


@dataclass
class Subject:
    """An adapter, or a function or class that makes it on first use; `tolerance` is absolute."""

    source: object
    tolerance: float
    _kept: dict[Callable[..., object], bool] = field(default_factory=dict)

    @property
    def made(self) -> object:
        """The object under test; an exception from making it is raised again, without another attempt."""
        made, error = self._made
        if error is not None:
            raise error
        return made

    @cached_property
    def _made(self) -> tuple[object, Exception | None]:
        if not callable(self.source) or (hasattr(self.source, "forward") and not isinstance(self.source, type)):
            return self.source, None
        try:
            return (self.source(_NO_CHECKPOINT) if takes_options(self.source) else self.source()), None
        except Exception as error:  # noqa: BLE001 (a factory may raise anything)
            return None, error

    def keeps(self, check: Callable[[Subject], Iterator[str]]) -> bool:
        """Return whether a check, run once, finds no fault."""
        if check not in self._kept:
            try:
                self._kept[check] = not any(check(self))
            except Exception:  # noqa: BLE001 (an adapter may raise anything; its own check reports it)
                self._kept[check] = False
        return self._kept[check]

    @property
    def adapter(self) -> ModelAdapter:
        """The object under test, once it is known to be an adapter."""
        return cast(ModelAdapter, self.made)

    @cached_property
    def plain(self) -> list[Sample]:
        """The probe samples with all words open."""
        return probe_samples(self.adapter)

    @cached_property
    def samples(self) -> list[Sample]:
        """The probe samples with one word hidden in each."""
        return [sample.hiding(sample.slots[0]) for sample in self.plain]

    @cached_property
    def readings(self) -> list[Reading]:
        """Every declared reading."""
        return answerable(self.adapter)

    @cached_property
    def alone(self) -> list[Trace]:
        """The answer to each of `samples` in a batch of its own."""
        return [self.ask([sample])[0] for sample in self.samples]

    def ask(self, samples: Sequence[Sample], readings: Iterable[Reading] | None = None) -> list[Trace]:
        """Return the traces of one batch; all declared readings where `readings` is None."""
        requested = frozenset(self.readings if readings is None else readings)
        return self.adapter.forward([ForwardRequest(sample, requested) for sample in samples])

    def declared(self, *kinds: type[Reading]) -> list[Reading]:
        """Return the declared readings of these kinds; `SkipTest` where there is none."""
        found = [reading for reading in self.readings if isinstance(reading, kinds)]
        if not found:
            raise SkipTest(f"the adapter declares no {' or '.join(kind.__name__ for kind in kinds)}")
        return found

    def need_image(self) -> None:
        """Raise `SkipTest` where the adapter declares that it reads no image."""
        if self.adapter.capabilities.visual_unit is None:
            raise SkipTest("the adapter declares no visual unit: it reads no image")

    def difference(self, one: Trace, other: Trace, readings: Iterable[Reading] | None = None) -> str | None:
        """Return the first reading that differs by more than the tolerance, as text, or None."""
        for reading in self.readings if readings is None else readings:
            if gap := self.gap(reading, one[reading], other[reading]):
                return gap
        return None

    def gap(self, reading: Reading, one: Tensor, other: Tensor) -> str | None:
        """Return how two answers to one reading differ by more than the tolerance, or None."""
        if one.shape != other.shape:
            return f"{reading!r} has shape {tuple(one.shape)} once and {tuple(other.shape)} the other time"
        different = one != other  # equal infinities have no distance
        largest = float((one - other)[different].abs().max()) if bool(different.any()) else 0.0
        return (
            None
            if largest <= self.tolerance
            else f"{reading!r} differs by {largest:.2g} (tolerance {self.tolerance:g})"
        )

    def image_changes(self, readings: Sequence[Reading]) -> list[Change]:
        """Return up to five changes, each of what one image position shows: first, second, middle, last two."""
        self.need_image()
        sample = self.plain[0]
        if self.adapter.capabilities.visual_unit == "patch":
            sample = _enlarged(sample)
        (before,) = self.ask([sample], readings)
        axis = before.image
        places = axis.places if axis else ()
        if axis is None or len(places) < 2:
            raise SkipTest("images have fewer than two positions with a box")
        chosen = sorted({*places[:2], places[len(places) // 2], *places[-2:]})  # most are off a grid's diagonal
        boxes = [box for i in chosen if (box := axis.boxes[i]) is not None]
        return [
            self._change(before, changed(sample, box), readings, (i,)) for i, box in zip(chosen, boxes, strict=True)
        ]

    def image_replaced(self, readings: Sequence[Reading], sample: Sample | None = None) -> Change:
        """Return the change of everything that the image shows; boxes stay."""
        self.need_image()
        sample = sample or self.plain[0]
        (before,) = self.ask([sample], readings)
        whole = Box(0, 0, sample.image.width, sample.image.height) if sample.image else Box(0, 0, 0, 0)
        return self._change(before, changed(sample, whole), readings, ())

    def word_changes(self, readings: Sequence[Reading]) -> list[Change]:
        """Return one change per word of a caption, each to a word of as many pieces."""
        sample = self.plain[1]
        (before,) = self.ask([sample], readings)
        return [self._word_change(before, sample, span, readings) for span in words_of(sample.caption)]

    def _word_change(self, before: Trace, sample: Sample, span: Span, readings: Sequence[Reading]) -> Change:
        positions = before.text.positions(*span)
        for word in plain_words(self.adapter.vocabulary):
            if word not in sample.caption:
                change = self._change(before, with_word(sample, span, word), readings, positions)
                if change.after.text.positions(span.start, span.start + len(word)) == positions:
                    return change
        raise SkipTest(f"no probe word has as many pieces as {sample.text(span)!r}")

    def _change(self, before: Trace, sample: Sample, readings: Sequence[Reading], positions: tuple[int, ...]) -> Change:
        if reason := self.adapter.refusal(ForwardRequest(sample, frozenset(readings))):
            raise SkipTest(f"the adapter refuses a changed probe sample: {reason}")
        return Change(before, self.ask([sample], readings)[0], positions)


@dataclass(frozen=True, eq=False)
class Change:
    """Traces of two samples that differ in one word or one place; `positions` are those that read it.

    Each was a batch of its own, so what does not depend on the change is equal to the last digit.
    """

    before: Trace
    after: Trace
    positions: tuple[int, ...]

    def distance(self, reading: Reading) -> Float[Tensor, "stages positions"]:
        """Return how far each state moved (Euclidean)."""
        distance: Tensor = (self.after[reading].double() - self.before[reading].double()).norm(dim=-1)
        return distance

    def moved(self, reading: Reading) -> Bool[Tensor, "stages positions"]:
        """Return which states moved, beyond rounding."""
        scale = self.before[reading].double().norm(dim=-1).clamp(min=1e-6)
        moved: Tensor = self.distance(reading) > 1e-5 * scale
        return moved

    def others(self, modality: Modality) -> list[int]:
        """Return the positions of a modality that read text or see one place, except those that were changed."""
        axis = self.before.text.text if modality == "text" else self.before.image.places if self.before.image else ()
        return [i for i in axis if i not in self.positions]


def changed(sample: Sample, box: Box) -> Sample:
    """Return the sample with other pixels inside `box`, and other contents of the regions that lie in it."""
    regions = tuple(_other(r) if r.box.intersection(box) == r.box else r for r in sample.regions)
    return replace(sample, image=sample.image and _repainted(sample.image, box), regions=regions)


def _other(region: Region) -> Region:
    """Return the region showing something else: values of the same size in another order, so that norms stay."""
    features, classes = (
        None if a is None else np.ascontiguousarray(a[::-1]) for a in (region.features, region.classes)
    )
    return replace(region, label=f"not {region.label}", attributes=(), features=features, classes=classes)


def _repainted(image: Image, box: Box) -> Image:
    pixels = image.pixels().copy()
    left, top = round(box.left), round(box.top)
    inside = slice(top, max(top + 1, round(box.bottom))), slice(left, max(left + 1, round(box.right)))
    pixels[inside] += np.uint8(128)  # wraps around: every value moves by half of the range
    return Image.from_array(pixels)


def _enlarged(sample: Sample) -> Sample:
    if sample.image is None:
        return sample
    pixels = sample.image.pixels().repeat(_ENLARGED, axis=0).repeat(_ENLARGED, axis=1)
    regions = tuple(replace(r, box=Box(*(_ENLARGED * edge for edge in r.box))) for r in sample.regions)
    return replace(sample, image=Image.from_array(pixels), regions=regions)


def with_word(sample: Sample, span: Span, word: str) -> Sample:
    """Return the sample with another word at `span`; phrases and hidden phrases move along, slots are dropped."""
    caption = sample.caption[: span.start] + word + sample.caption[span.end :]
    longer = len(word) - (span.end - span.start)

    def moved(start: int, end: int) -> Span:
        return Span(start + longer * (start >= span.end), end + longer * (end >= span.end))

    phrases = tuple(replace(p, start=new.start, end=new.end) for p in sample.phrases for new in [moved(p.start, p.end)])
    hidden = tuple(moved(*one) for one in sample.hidden_phrases)
    return replace(sample, caption=caption, phrases=phrases, slots=(), hidden_phrases=hidden)
