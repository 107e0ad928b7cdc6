"""Samples that any adapter can answer, made from its own vocabulary; no file is read."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, UInt8

from vlaudit.models.base import Capabilities, ModelAdapter
from vlaudit.samples import Box, Image, Phrase, Region, Sample, Slot, words_of
from vlaudit.seeds import generator
from vlaudit.traces import Attention, Feature, Hidden, HiddenPieces, Match, Reading, RegionClasses, Words

_PLAIN = ("red", "dog", "runs", "near", "blue", "ball", "man", "holds", "green", "cup", "under", "tree")
_SIZES = ((48, 32), (40, 40), (64, 24), (33, 47))  # width, height: wide, square, flat, tall
_LENGTHS = (4, 7, 3, 9)


def probe_samples(adapter: ModelAdapter) -> list[Sample]:
    """Return four samples with captions of 3 to 9 words and images of four shapes, each with three regions."""
    words = plain_words(adapter.vocabulary)
    return [_probe_sample(number, words, adapter.capabilities) for number in range(len(_SIZES))]


def plain_words(vocabulary: Mapping[str, int]) -> list[str]:
    """Return twelve words that are single pieces, spread over the vocabulary; English words for an empty one."""
    whole = [w for w in vocabulary if w.isascii() and w.isalpha() and w.islower() and len(w) > 2]
    if len(whole) < len(_PLAIN):
        return list(_PLAIN)
    known = [word for word in _PLAIN if word in vocabulary]
    spread = whole[:: len(whole) // len(_PLAIN)]
    return list(dict.fromkeys([*known, *spread]))[: len(_PLAIN)]


def _probe_sample(number: int, words: list[str], capabilities: Capabilities) -> Sample:
    width, height = _SIZES[number]
    caption = " ".join(words[(number + i) % len(words)] for i in range(_LENGTHS[number]))
    spans = words_of(caption)
    regions = tuple(_region(number, i, capabilities, caption[slice(*spans[i])]) for i in range(3))
    return Sample(
        id=f"probe-{number}",
        image_id=f"probe-{number}",
        image=Image.from_array(_pixels(number, width, height)),
        caption=caption,
        regions=regions,
        phrases=tuple(Phrase(f"p{i}", *spans[i], "other", (f"r{i}",)) for i in range(3)),
        slots=(Slot(*spans[1], "object", ("r1",)),),
    )


def _pixels(number: int, width: int, height: int) -> UInt8[np.ndarray, "height width 3"]:
    """Return a gradient from dark to light with a bright block, different per channel and per number."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    channels = np.stack([x, y, (x + number * y) % 1], axis=-1)
    channels[: height // 2, : width // (number + 2)] = (0.9, 0.1, 0.2 * number)
    return np.asarray(channels * 255, dtype=np.uint8)


def _region(number: int, i: int, capabilities: Capabilities, label: str) -> Region:
    width, height = _SIZES[number]
    box = Box(i * width / 3, 0.0, (i + 1) * width / 3, height / (1 + i))
    return Region(f"r{i}", box, label, features=_features(capabilities.region_width, number, i))


def _features(width: int | None, number: int, i: int) -> Float[np.ndarray, "width"] | None:
    if width is None:
        return None
    return np.maximum(
        generator(number, "probe region", i).standard_normal(width), 0
    )  # not negative, as after the ReLU of detectors


def answerable(adapter: ModelAdapter) -> list[Reading]:
    """Return every declared reading, one per modality or pair of modalities."""
    capabilities = adapter.capabilities
    words = tuple(plain_words(adapter.vocabulary)[:4])
    asked: list[Reading] = [Match(), HiddenPieces(), RegionClasses(), Words(words)]
    if capabilities.word_probability == "vocabulary":
        asked.append(Words())
    asked += [Feature(modality) for modality in sorted(capabilities.features)]
    asked += [Hidden(modality) for modality in capabilities.hidden]
    asked += [Attention(queries, keys) for queries, keys in capabilities.attention]
    return [reading for reading in asked if capabilities.lacks(reading) is None]
