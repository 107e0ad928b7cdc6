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
_TIED = 1e-5
"""Relative difference of two masses that counts as a tie: uniform attention over equal areas differs by rounding."""


@dataclass(frozen=True)
class PhraseRegionAttention(Measure):
    """Attention mass between a phrase and its regions, per head, and the same for random partners.

    Columns, each (layers, heads): `DIRECTION.above`, the share of the random partners that receive less attention than
    the true one (a tie counts half), so that 0.5 is chance for any number of tokens and regions;
    `DIRECTION.linked` and `DIRECTION.random`, the masses on the true partner and on the mean random one;
    `DIRECTION.excess`, their difference.

    "text_image": attention of the phrase's tokens on its regions (mean over tokens). The random partners have equal
    area outside the regions: for models of patches the same boxes, shifted to up to 8 places of the same height; for
    models of regions every other region without overlap, times the number of the phrase's own.
    "image_text": attention of the regions' positions on the phrase's tokens. The random partners are the other phrases
    of the caption, compared by the mean per token. Both masses are the mean per token times the number of tokens of the
    shorter one of phrase and all others.

    A patch that a box covers in part counts in part. Units are refused if the model receives none of the regions, or
    if there is no random partner.

    Source: VALUE 3.3.1-2, Table 2. Differs: the paper takes the largest single weight between the tokens of the pair,
    which grows with their number and falls with the number of keys; here it is their mass, random partners match in
    token count and in area, and the comparison is one of ranks.
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
        return crossed([self.direction], ("linked", "random", "excess", "above"))

    def refusal(self, unit: Unit) -> str | None:
        """Return why the unit has no random partner, or None."""
        if self.direction == "image_text":
            return None if other_phrases(unit) else "its caption has no other phrase to compare with"
        found = shifted(unit, self.seed) or apart(unit.sample, regions_of(unit))
        return None if found else "the phrase's regions leave no equal area outside them"

    def reduce(self, batch: Sequence[Reduction]) -> Sequence[Numbers]:
        """Return the columns of each trace, (layers, heads); one transfer per batch."""
        found = torch.stack([self._compared(reduction) for reduction in batch]).cpu()
        return [
            {
                "linked": linked.tolist(),
                "random": random.tolist(),
                "excess": (linked - random).tolist(),
                "above": above.tolist(),
            }
            for linked, random, above in found
        ]

    def row(self, unit: Unit, conditions: Mapping[str, Numbers]) -> Numbers:
        """Return the masses of the one condition; raise `RefusedSample` if this model has nothing to compare."""
        (numbers,) = conditions.values()
        for name, reason in _MISSING.items():
            if np.isnan(numbers[name]).any():
                raise RefusedSample(unit.sample.id, reason)
        return {f"{self.direction}.{name}": array for name, array in numbers.items()}

    def _compared(self, reduction: Reduction) -> Float[Tensor, "3 layers heads"]:
        attention = reduction.trace[self.reading].float()
        if self.direction == "text_image":
            return self._on_regions(reduction, attention)
        return _on_phrases(reduction, attention)

    def _on_regions(
        self, reduction: Reduction, attention: Float[Tensor, "layers heads text image"]
    ) -> Float[Tensor, "3 layers heads"]:
        axis, phrase = _axis(reduction.trace), phrase_of(reduction.unit)
        words = list(reduction.trace.text.positions(*phrase))
        target = _covered(axis, regions_of(reduction.unit))
        partners = _elsewhere(reduction.unit, axis, float(target.sum()), self.seed)
        cells = torch.from_numpy(np.concatenate([target[None], partners])).to(attention)
        linked, *others = torch.einsum("lhi,ci->clh", attention[:, :, words].mean(2), cells)
        random = torch.stack(others)
        return torch.stack([linked, random.mean(0), share_below(linked, random)])


def _on_phrases(
    reduction: Reduction, attention: Float[Tensor, "layers heads image text"]
) -> Float[Tensor, "3 layers heads"]:
    axis, unit, text = _axis(reduction.trace), reduction.unit, reduction.trace.text
    cells = _covered(axis, regions_of(unit))
    words = list(text.positions(*phrase_of(unit)))
    partners = [list(text.positions(*span)) for span in other_phrases(unit)]
    others = [i for tokens in partners for i in tokens]
    row = torch.einsum("lhit,i->lht", attention, torch.from_numpy(cells / cells.sum()).to(attention))
    count = min(len(words), len(others))
    means = [row[..., tokens].mean(-1) for tokens in (words, others, *filter(None, partners))]  # no others: NaN
    above = share_below(means[0], torch.stack(means[2:] or means[1:]))
    return torch.stack([means[0] * count, means[1] * count, above])


def share_below(
    linked: Float[Tensor, "layers heads"], partners: Float[Tensor, "partners layers heads"]
) -> Float[Tensor, "layers heads"]:
    """Return the share of the partners with less mass than the true one, per head; a tie counts half.

    >>> share_below(torch.tensor([[0.2]]), torch.tensor([[[0.1]], [[0.2]], [[0.3]], [[0.4]]])).item()
    0.375
    """
    tied = torch.isclose(linked.expand_as(partners), partners, rtol=_TIED, atol=0.0)
    return ((partners < linked) & ~tied).float().add(tied.float() / 2).mean(0)


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

    The places are at the same height where possible: people and animals stand on the ground, so that a head that
    attends to their usual height would seem to link them. They are uniform draws from a generator seeded per unit;
    empty if no shift of the boxes is possible.
    """
    image, boxes = unit.sample.image, regions_of(unit)
    if image is None:
        return []
    left, top = min(box.left for box in boxes), min(box.top for box in boxes)
    right, bottom = max(box.right for box in boxes), max(box.bottom for box in boxes)
    draws = generator(seed, "shifted", unit.id).random((_TRIED, 2))
    across = -left + draws[:, 0] * max(image.width - (right - left), 0)
    down = -top + draws[:, 1] * max(image.height - (bottom - top), 0)
    corners = np.array(boxes, dtype=float)
    for rise in (np.zeros_like(down), down):
        shifts = np.stack([across, rise], axis=1)[_free(corners, across, rise)][:_PLACES]
        if len(shifts):
            return [tuple(box.shifted(x, y) for box in boxes) for x, y in shifts.tolist()]
    return []


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


def _elsewhere(unit: Unit, axis: ImageAxis, count: float, seed: int) -> Float[np.ndarray, "partners positions"]:
    """Return the weights of each random partner: the shifted boxes, or one other region times `count`; NaN if none."""
    boxes = regions_of(unit)
    if axis.unit == "patch":
        weights = [_covered(axis, place) for place in shifted(unit, seed)]
    else:
        seen = [i for i, box in enumerate(axis.boxes) if box is not None and _clear((box,), boxes)]
        weights = list(count * np.eye(len(axis))[seen])
    return np.stack(weights or [np.full(len(axis), np.nan)])
