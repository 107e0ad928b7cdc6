"""Matching of annotated boxes with detector boxes, because only detector boxes have features.

Each annotated box is matched with the detector box of highest IoU (intersection over union, half-open pixel boxes). If
that is below 0.5, the box is unmatched and counted. Frank et al. 2021 ("Vision-and-Language or Vision-for-Language?")
hide every region that covers half of the annotated box instead. Here one region represents one box, so that features,
class and box are consistent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np
from jaxtyping import Float

from vlaudit.datasets.features.base import RegionFeatures
from vlaudit.errors import DataError, RefusedSample
from vlaudit.samples import Box, Phrase, Region, Relation, Sample, Slot

_Part = TypeVar("_Part", Phrase, Slot)

_MAX_NAMES_BYTES = 1 << 20
"""Maximum size of a file of class names; 1600 names take about 13 kB."""

MIN_IOU = 0.5
"""Minimum IoU of two boxes of the same object (Everingham et al. 2010, PASCAL VOC)."""


@dataclass(frozen=True)
class BoxMatches:
    """Result of matching: `region_of` maps ids of matched annotated boxes to indices of detector boxes.

    `iou` is the highest IoU of every annotated box; `refused` are the ids of boxes for which it is too low.
    """

    region_of: Mapping[str, int]
    iou: Mapping[str, float]
    refused: tuple[str, ...]


@dataclass
class MatchCounts:
    """Counts of matched and unmatched annotated boxes; a box counts once per image, not once per caption."""

    min_iou: float = MIN_IOU
    _iou: dict[tuple[str, str], float] = field(default_factory=dict)

    def count(self, image_id: str, matched: BoxMatches) -> None:
        """Add the boxes of an image; repeated calls for the same boxes change nothing."""
        self._iou.update({(image_id, box_id): iou for box_id, iou in matched.iou.items()})

    @property
    def matched(self) -> int:
        """Number of matched annotated boxes."""
        return sum(iou >= self.min_iou for iou in self._iou.values())

    @property
    def refused(self) -> int:
        """Number of unmatched annotated boxes."""
        return len(self._iou) - self.matched

    @property
    def median_iou(self) -> float:
        """Median IoU of the matched boxes; NaN if there are none."""
        overlaps = [iou for iou in self._iou.values() if iou >= self.min_iou]
        return median(overlaps) if overlaps else float("nan")

    def describe(self) -> str:
        """Return one line for the report."""
        if not self._iou:
            return "no annotated boxes to match with detector boxes"
        overlap = f" (median IoU {self.median_iou:.2f})" if self.matched else ""
        return (
            f"{self.matched} of {len(self._iou)} annotated boxes matched with detector boxes{overlap}, "
            f"{self.refused} refused below IoU {self.min_iou:g}"
        )


def overlaps(boxes: Float[np.ndarray, "m 4"], others: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "m n"]:
    """Return the IoU of every box with every other, 0 to 1; the IoU of a box without area is 0."""
    corner = np.maximum(boxes[:, None, :2], others[None, :, :2])
    opposite = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = np.asarray(np.clip(opposite - corner, 0, None).prod(2))
    union = np.asarray(_areas(boxes)[:, None] + _areas(others)[None] - shared)
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))


def _areas(boxes: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n"]:
    return np.asarray(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(1))


def match_boxes(
    annotated: Iterable[Region | tuple[str, Box]], found: RegionFeatures, min_iou: float = MIN_IOU
) -> BoxMatches:
    """Match annotated boxes with detector boxes, both in pixels of the same image (see `RegionFeatures.scaled_to`).

    Several annotated boxes may match the same detector box; among equal IoUs the first detector box is chosen.
    """
    named = dict((one.id, one.box) if isinstance(one, Region) else one for one in annotated)
    if not named:
        return BoxMatches({}, {}, ())
    table = overlaps(np.array(list(named.values()), np.float64), found.boxes.astype(np.float64))
    nearest = dict(zip(named, table.argmax(1).tolist(), strict=True))
    iou = dict(zip(named, table.max(1).tolist(), strict=True))
    good = {box_id: index for box_id, index in nearest.items() if iou[box_id] >= min_iou}
    return BoxMatches(good, iou, tuple(box_id for box_id in named if box_id not in good))


def with_features(
    sample: Sample,
    found: RegionFeatures,
    *,
    names: Sequence[str] = (),
    counts: MatchCounts | None = None,
) -> Sample:
    """Return the sample with the detector's regions, `r0` to `rN` in file order, in place of its own.

    Phrases, slots and relations refer to the matched detector boxes. A phrase or slot whose regions are all unmatched
    has none, and a relation with an unmatched end is removed. The label of a region is the detector's class name
    (`names`, see `read_names`), or else the label of the matched annotated box; attributes of that box are kept.
    `counts` is updated, and its `min_iou` applies. Raises `RefusedSample` if the image size differs from the file's or
    is unknown, or if the names do not match the detector's classes.
    """
    if names and (mismatch := name_mismatch(found, names)):
        raise RefusedSample(sample.id, mismatch)
    counts = MatchCounts() if counts is None else counts
    found = _in_pixels(sample, found)
    matched = match_boxes(sample.regions, found, counts.min_iou)
    counts.count(sample.image_id, matched)
    ids = {box_id: f"r{index}" for box_id, index in matched.region_of.items()}
    return replace(
        sample,
        regions=_regions(sample, found, ids, names),
        phrases=tuple(_relinked(phrase, ids) for phrase in sample.phrases),
        slots=tuple(_relinked(slot, ids) for slot in sample.slots),
        relations=tuple(_relations(sample, ids)),
    )


def read_names(path: Path) -> tuple[str, ...]:
    """Return the first name of each of a detector's classes, without the background.

    Format: one class per line, synonyms separated by commas, as data/genome/1600-400-20/objects_vocab.txt of
    peteanderson80/bottom-up-attention. `names[label]` is the name of a class. Raises `DataError` if the file is not
    such a text or contains an empty line, after which all names would be shifted.
    """
    try:
        if path.stat().st_size > _MAX_NAMES_BYTES:
            raise DataError(
                f"{path}: must be text with one class name per line, got more than {_MAX_NAMES_BYTES} bytes"
            )
        lines = path.read_text(encoding="utf-8-sig").rstrip().split("\n")
    except (OSError, UnicodeDecodeError) as reason:
        raise DataError(f"{path}: must be text with one class name per line: {reason}") from reason
    names = tuple(line.split(",")[0].strip() for line in lines)
    if "" in names:
        raise DataError(f"{path}: line {names.index('') + 1}: must contain a class name, got an empty line")
    return names[1:] if names[0] == "__background__" else names


def name_mismatch(found: RegionFeatures, names: Sequence[str]) -> str:
    """Return why these names do not match the detector's classes, or the empty string if they may."""
    if found.labels is None:
        return "the features contain no classes"
    if found.classes is not None and found.classes.shape[1] != len(names) + 1:
        return f"got {len(names)} names for a detector with {found.classes.shape[1] - 1} classes"
    largest = int(found.labels.max())
    return f"got {len(names)} names, but a region has the class {largest}" if largest >= len(names) else ""


def _in_pixels(sample: Sample, found: RegionFeatures) -> RegionFeatures:
    if sample.image is not None:
        return found.scaled_to(sample.image.width, sample.image.height)
    if not found.has_size:
        raise RefusedSample(sample.id, "the features state boxes as fractions of the image, and its size is unknown")
    return found


def _regions(sample: Sample, found: RegionFeatures, ids: Mapping[str, str], names: Sequence[str]) -> tuple[Region, ...]:
    annotated: dict[str, list[Region]] = {}
    for region in sample.regions:
        if region.id in ids:
            annotated.setdefault(ids[region.id], []).append(region)
    return tuple(_region(found, index, annotated.get(f"r{index}", []), names) for index in range(len(found)))


def _region(found: RegionFeatures, index: int, annotated: Sequence[Region], names: Sequence[str]) -> Region:
    label = None if found.labels is None else int(found.labels[index])
    class_name = names[label] if names and label is not None else ""
    attributes = dict.fromkeys(attribute for region in annotated for attribute in region.attributes)
    return Region(
        id=f"r{index}",
        box=Box(*found.boxes[index].tolist()),
        label=class_name or (annotated[0].label if annotated else ""),
        attributes=tuple(attributes),
        features=found.features[index],
        classes=None if found.classes is None else found.classes[index],
        confidence=None if found.confidence is None else float(found.confidence[index]),
    )


def _relinked(part: _Part, ids: Mapping[str, str]) -> _Part:
    linked = dict.fromkeys(ids[region_id] for region_id in part.region_ids if region_id in ids)
    return replace(part, region_ids=tuple(linked))


def _relations(sample: Sample, ids: Mapping[str, str]) -> Iterable[Relation]:
    for relation in sample.relations:
        if relation.subject in ids and relation.object in ids:
            yield Relation(ids[relation.subject], relation.predicate, ids[relation.object])
