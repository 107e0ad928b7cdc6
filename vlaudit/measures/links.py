"""Attention between a phrase of the caption and its regions, per head, compared with a random partner."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vlaudit.errors import RefusedSample
from vlaudit.measures.base import Measure, Numbers, Reduction, Unit, crossed
from vlaudit.samples import Box, Phrase, Sample, Slot, Span
from vlaudit.seeds import generator
from vlaudit.traces import Attention, ImageAxis, Trace

Direction = Literal["text_image", "image_text"]
"""Modality of the queries, then of the keys: phrase to region, or region to phrase."""

_MISSING = {
    "linked": "the model sees none of the phrase's regions",
    "random": "there is no random partner to compare with: no equal area, no other region or no other phrase",
}
_PLACES = 8
_TRIED = 512  # random shifts; a target without a suitable one has no random partner


@dataclass(frozen=True)
class PhraseRegionAttention(Measure):
    """Attention mass between a phrase and its regions, per head, and the same for a random partner.

    Columns, each (layers, heads): `DIRECTION.linked`, `DIRECTION.random`, and `DIRECTION.excess`, the first minus the
    second.

    "text_image": attention of the phrase's tokens on its regions (mean over tokens). The random partner has equal area
    outside the regions: for models of patches the same boxes, shifted; for models of regions as many other regions
    without overlap (the mean over all of them, so that no choice is needed).
    "image_text": attention of the regions' positions on the phrase's tokens. The random partner consists of the other
    phrases of the caption. Both masses are the mean per token times the number of tokens of the shorter one.

    A patch that a box covers in part counts in part. Units are refused if the model receives none of the regions, or
    if there is no random partner.

    Source: VALUE 3.3.1-2, Table 2. Differs: the paper takes the largest single weight between the tokens of the pair,
    which grows with their number; here it is their mass, and random partners match in token count and in area.
    """

    direction: Direction
    seed: int = 0

    @property
    def reading(self) -> Attention:
        """Attention in this direction."""
        return Attention("text", "image") if self.direction == "text_image" else Attention("image", "text")

    @property
    def needs(self) -> frozenset[Attention]:
        """Attention in this direction."""
        return frozenset({self.reading})

    def columns(self, conditions: Iterable[str]) -> frozenset[str]:
        """Return the names of the masses, which do not depend on the name of the condition."""
        return crossed([self.direction], ("linked", "random", "excess"))

    def refusal(self, unit: Unit) -> str | None:
        """Return why the unit has no random partner, or None."""
        if self.direction == "image_text":
            return None if other_phrases(unit) else "its caption has no other phrase to compare with"
        found = shifted(unit, self.seed) or apart(unit.sample, regions_of(unit))
        return None if found else "the phrase's regions leave no equal area outside them"

    def reduce(self, batch: Sequence[Reduction]) -> Sequence[Numbers]:
        """Return the masses of each trace, (layers, heads); one transfer per batch."""
        found = torch.stack([self._masses(reduction) for reduction in batch]).float().cpu()
        return [
            {"linked": linked.tolist(), "random": random.tolist(), "excess": (linked - random).tolist()}
            for linked, random in found
        ]

    def row(self, unit: Unit, conditions: Mapping[str, Numbers]) -> Numbers:
        """Return the masses of the one condition; raise `RefusedSample` if this model has nothing to compare."""
        (numbers,) = conditions.values()
        for name, reason in _MISSING.items():
            if np.isnan(numbers[name]).any():
                raise RefusedSample(unit.sample.id, reason)
        return {f"{self.direction}.{name}": array for name, array in numbers.items()}

    def _masses(self, reduction: Reduction) -> Float[Tensor, "2 layers heads"]:
        attention = reduction.trace[self.reading]
        if self.direction == "text_image":
            return self._on_regions(reduction, attention)
        return _on_phrases(reduction, attention)

    def _on_regions(
        self, reduction: Reduction, attention: Float[Tensor, "layers heads text image"]
    ) -> Float[Tensor, "2 layers heads"]:
        axis, phrase = _axis(reduction.trace), phrase_of(reduction.unit)
        words = list(reduction.trace.text.positions(*phrase))
        target = _covered(axis, regions_of(reduction.unit))
        control = _elsewhere(reduction.unit, axis, float(target.sum()), self.seed)
        cells = torch.from_numpy(np.stack([target, control])).to(attention)
        rows = attention[:, :, words].mean(2)
        return torch.einsum("lhi,ci->clh", rows, cells)


def _on_phrases(
    reduction: Reduction, attention: Float[Tensor, "layers heads image text"]
) -> Float[Tensor, "2 layers heads"]:
    axis, unit, text = _axis(reduction.trace), reduction.unit, reduction.trace.text
    cells = _covered(axis, regions_of(unit))
    words = list(text.positions(*phrase_of(unit)))
    others = [i for span in other_phrases(unit) for i in text.positions(*span)]
    share = torch.from_numpy(cells / cells.sum()).to(attention)
    row = torch.einsum("lhit,i->lht", attention, share)
    count = min(len(words), len(others))
    return torch.stack([row[..., tokens].mean(-1) * count for tokens in (words, others)])  # no others: NaN


def phrase_of(unit: Unit) -> Span:
    """Return the span of the unit's phrase: its facts `start` and `end`."""
    facts = unit.facts or {}
    return Span(facts["start"], facts["end"])


def regions_of(unit: Unit) -> tuple[Box, ...]:
    """Return the boxes of the unit's phrase, by the region ids of its fact `regions`."""
    return tuple(unit.sample.region(region).box for region in (unit.facts or {})["regions"])


def other_phrases(unit: Unit) -> list[Span]:
    """Return the phrases that name none of the unit's regions and share no character with its phrase."""
    phrase, own = phrase_of(unit), set((unit.facts or {})["regions"])
    named: Sequence[Phrase | Slot] = unit.sample.phrases or unit.sample.slots
    return [
        Span(part.start, part.end)
        for part in named
        if own.isdisjoint(part.region_ids) and (part.end <= phrase.start or phrase.end <= part.start)
    ]


def shifted(unit: Unit, seed: int) -> list[tuple[Box, ...]]:
    """Return the unit's boxes, shifted together to at most 8 places inside the image and off themselves.

    The places are uniform draws from a generator seeded per unit; empty if no shift of the boxes is possible.
    """
    image, boxes = unit.sample.image, regions_of(unit)
    if image is None:
        return []
    left, top = min(box.left for box in boxes), min(box.top for box in boxes)
    right, bottom = max(box.right for box in boxes), max(box.bottom for box in boxes)
    draws = generator(seed, "shifted", unit.id).random((_TRIED, 2))
    across = -left + draws[:, 0] * max(image.width - (right - left), 0)
    down = -top + draws[:, 1] * max(image.height - (bottom - top), 0)
    shifts = np.stack([across, down], axis=1)[_free(np.array(boxes, dtype=float), across, down)][:_PLACES]
    return [tuple(box.shifted(x, y) for box in boxes) for x, y in shifts.tolist()]


def _free(
    boxes: Float[np.ndarray, "boxes 4"], across: Float[np.ndarray, "shifts"], down: Float[np.ndarray, "shifts"]
) -> Bool[np.ndarray, "shifts"]:
    """Return True for each shift that moves no box onto any of the original boxes."""

    def overlap(low: int, high: int, by: Float[np.ndarray, "shifts"]) -> Bool[np.ndarray, "shifts boxes boxes"]:
        copies, originals, moved = boxes[None, :, None], boxes[None, None, :], by[:, None, None]
        starts_before: np.ndarray = copies[..., low] + moved < originals[..., high]
        ends_after: np.ndarray = originals[..., low] < copies[..., high] + moved
        found: np.ndarray = starts_before & ends_after
        return found

    free: np.ndarray = ~(overlap(0, 2, across) & overlap(1, 3, down)).any(axis=(1, 2))
    return free


def apart(sample: Sample, boxes: Sequence[Box]) -> list[Box]:
    """Return the boxes of the sample's other regions that overlap none of these."""
    return [region.box for region in sample.regions if _clear((region.box,), boxes)]


def _clear(copies: Sequence[Box], boxes: Sequence[Box]) -> bool:
    return all(copy.intersection(box).area == 0 for copy in copies for box in boxes)


def _axis(trace: Trace) -> ImageAxis:
    if trace.image is None:
        raise RefusedSample(trace.key, "it has no image positions")
    return trace.image


def _covered(axis: ImageAxis, boxes: Sequence[Box]) -> Float[np.ndarray, "positions"]:
    """Return the share of each position that the boxes cover; NaN if the model receives none of the boxes."""
    weights = np.minimum(np.sum([axis.weights(box) for box in boxes], axis=0), 1.0)
    return weights if weights.any() else np.full(len(weights), np.nan)


def _elsewhere(unit: Unit, axis: ImageAxis, count: float, seed: int) -> Float[np.ndarray, "positions"]:
    """Return the weights of the random partner: the mean over shifted boxes, or over other regions times `count`."""
    boxes = regions_of(unit)
    if axis.unit == "patch":
        places = shifted(unit, seed)
        weights = [_covered(axis, place) for place in places]
        return np.mean(weights, axis=0) if weights else np.full(len(axis), np.nan)
    seen = [i for i, box in enumerate(axis.boxes) if box is not None and _clear((box,), boxes)]
    mean = np.zeros(len(axis))
    mean[seen] = count / max(len(seen), 1)
    return mean if seen else np.full(len(axis), np.nan)
