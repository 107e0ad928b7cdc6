"""Defects of what a model reads: another image, another caption, a mirror image, no colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from jaxtyping import UInt8
from PIL import Image as Pillow
from torch import Tensor

from vlaudit.controls.adapter import Defect, open_text, split, with_sample
from vlaudit.errors import RefusedSample
from vlaudit.models.base import ForwardRequest, ModelAdapter
from vlaudit.models.lru_cache import LRUCache
from vlaudit.perturbations import Grayscale, Mirror, apply
from vlaudit.perturbations.mismatch import with_caption_of
from vlaudit.samples import Box, Image, Region, Sample, Span, words_of
from vlaudit.seeds import digest
from vlaudit.traces import HiddenPieces, ImageAxis, Match, Reading, TextAxis, Trace, Words

_REMEMBERED = 4096
"""Images whose canonical side is remembered."""


class Blind(Defect):
    """Reads the image of another sample, chosen by the caption; its regions, boxes and features come with it.

    The image has the size of the true one and as many regions, so that positions can be compared. Answers depend on
    the true image in nothing else: two images with one caption get equal answers.
    """

    def unavailable(self) -> str | None:
        """Require a model that reads images, and two images."""
        return _without_images(self) or _without_others(self)

    def inputs(self, request: ForwardRequest) -> list[ForwardRequest]:
        """Return the request with the other image."""
        sample = request.sample
        other = _drawn(self.samples, open_text(sample))
        if sample.image is None or other.image is None:
            return [request]
        regions = tuple(_shown_as(own, other, at, sample.image) for at, own in enumerate(sample.regions))
        return [with_sample(request, image=_sized(other.image, sample.image), regions=regions)]

    def axes(self, trace: Trace, request: ForwardRequest) -> tuple[TextAxis, ImageAxis | None]:
        """Return the boxes of the true regions."""
        regions, image = request.sample.regions, trace.image
        if image is None or image.unit == "patch" or len(image.places) != len(regions):
            return trace.text, image
        boxes = iter(regions)
        return trace.text, ImageAxis(tuple(box and next(boxes).box for box in image.boxes), image.unit)


def _shown_as(own: Region, other: Sample, number: int, image: Image) -> Region:
    """Return a region of the other sample under the id of the own one, scaled to its image."""
    if not other.regions or other.image is None:
        return own
    region = other.regions[number % len(other.regions)]
    x, y = image.width / other.image.width, image.height / other.image.height
    box = Box(region.box.left * x, region.box.top * y, region.box.right * x, region.box.bottom * y)
    return replace(region, id=own.id, box=box)


def _sized(image: Image, like: Image) -> Image:
    """Return an image in the size of another."""
    if (image.width, image.height) == (like.width, like.height):
        return image
    key = digest(image.key, "sized", like.width, like.height)
    return Image(key, like.width, like.height, partial(_resized, image, like.width, like.height))


def _resized(image: Image, width: int, height: int) -> UInt8[np.ndarray, "height width 3"]:
    return np.asarray(Pillow.fromarray(image.pixels()).resize((width, height), Pillow.Resampling.BICUBIC))


class Deaf(Defect):
    """Reads another caption for the match, chosen by the image; for everything else it reads the hidden words alone.

    Every other word of the caption is hidden too. Words that the model cannot hide (those of several pieces, where it
    must answer `Words`) stay.
    """

    def unavailable(self) -> str | None:
        """Require two captions to choose from."""
        return _without_others(self)

    def inputs(self, request: ForwardRequest) -> list[ForwardRequest]:
        """Return the request with hidden words, and that of the match with another caption."""
        matches, others = split(request, Match)
        hidden = self._hidden(ForwardRequest(request.sample, others))
        if not matches:
            return [hidden]
        image = request.sample.image
        spoken = with_caption_of(request.sample, _drawn(self.samples, image and image.key))
        return [hidden, ForwardRequest(spoken, matches)]

    def _hidden(self, request: ForwardRequest) -> ForwardRequest:
        sample = request.sample
        words = [word for word in words_of(sample.caption) if not _overlaps(word, sample.hidden_phrases)]
        every = ForwardRequest(sample.hiding(*words), request.readings)
        if self.model.refusal(every) is None:
            return every
        alone = [(word, ForwardRequest(sample.hiding(word), request.readings)) for word in words]
        able = [word for word, one in alone if self.model.refusal(one) is None]
        return ForwardRequest(sample.hiding(*able), request.readings)

    def answer(self, reading: Reading, trace: Trace, request: ForwardRequest) -> Tensor:
        """Return the rows of the words that the request hides."""
        if not isinstance(reading, Words | HiddenPieces):
            return trace[reading]
        row_of = {position: row for row, position in enumerate(trace.text.hidden_positions)}
        return trace[reading][[row_of[position] for position in self._positions(trace, request)]]

    def axes(self, trace: Trace, request: ForwardRequest) -> tuple[TextAxis, ImageAxis | None]:
        """Return the hidden phrases of the request alone."""
        axis, phrases = trace.text, request.sample.hidden_phrases
        return replace(axis, hidden=tuple(axis.positions(*phrase) for phrase in phrases)), trace.image

    def _positions(self, trace: Trace, request: ForwardRequest) -> tuple[int, ...]:
        return self.axes(trace, request)[0].hidden_positions


def _overlaps(word: Span, hidden: tuple[Span, ...]) -> bool:
    return any(word.start < phrase.end and phrase.start < word.end for phrase in hidden)


class MirrorBlind(Defect):
    """Reads, of an image and its mirror image, always the one whose pixels come first in lexicographic order.

    Both then have equal answers, given at the positions of the image in question.
    """

    def __init__(self, model: ModelAdapter, samples: Sequence[Sample]) -> None:
        super().__init__(model, samples)
        self._flips: LRUCache[bool] = LRUCache(_REMEMBERED)

    def unavailable(self) -> str | None:
        """Require a model that reads pixels, or computes features from them."""
        return _without_images(self) or _without_pixels(self)

    def inputs(self, request: ForwardRequest) -> list[ForwardRequest]:
        """Return the request with one image of the pair."""
        mirrored = self._mirrored(request)
        return [request if mirrored is None else mirrored]

    def _mirrored(self, request: ForwardRequest) -> ForwardRequest | None:
        """Return the request with the mirror image if the model reads that one; None if it reads the image."""
        image = request.sample.image
        if image is None or not self._flips.get([image.key], lambda _: [_comes_second(image)])[0]:
            return None
        sample = apply([Mirror()], request.sample, 0)
        return ForwardRequest(sample, request.readings)

    def axes(self, trace: Trace, request: ForwardRequest) -> tuple[TextAxis, ImageAxis | None]:
        """Return the boxes of the mirror image mirrored back."""
        width = request.sample.image.width if request.sample.image else 0
        if trace.image is None or self._mirrored(request) is None:
            return trace.text, trace.image
        boxes = tuple(box and box.mirrored(width) for box in trace.image.boxes)
        return trace.text, ImageAxis(boxes, trace.image.unit)


def _comes_second(image: Image) -> bool:
    """Return whether the pixels of an image follow those of its mirror image; False where they cannot be read."""
    try:
        pixels = image.pixels()
    except RefusedSample:
        return False
    return pixels.tobytes() > np.ascontiguousarray(pixels[:, ::-1]).tobytes()


class Gray(Defect):
    """Reads every image in grayscale."""

    def unavailable(self) -> str | None:
        """Require a model that reads pixels, or computes features from them."""
        return _without_images(self) or _without_pixels(self)

    def inputs(self, request: ForwardRequest) -> list[ForwardRequest]:
        """Return the request with a gray image."""
        if request.sample.image is None:
            return [request]
        return [ForwardRequest(apply([Grayscale()], request.sample, 0), request.readings)]


def _drawn(samples: Sequence[Sample], key: object) -> Sample:
    """Return the sample that a key selects."""
    return samples[int(digest("control", key), 16) % len(samples)]


def _without_images(defect: Defect) -> str | None:
    return "it reads no image" if defect.model.capabilities.visual_unit is None else None


def _without_others(defect: Defect) -> str | None:
    return "the data have no two samples that it can read, of different images" if len(defect.samples) < 2 else None


def _without_pixels(defect: Defect) -> str | None:
    needs = defect.model.capabilities.region_width is not None
    if needs and getattr(defect.model, "encoder", None) is None:
        return "it reads given region features, which cannot be computed from changed pixels"
    return None
