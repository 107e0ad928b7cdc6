"""Annotated boxes without features: the detector box that overlaps an annotated box best stands in for it.

A detector looks at its own boxes, so nothing has features of a box that a person drew. Each annotated box is given
the detector box of highest IoU (intersection over union, half-open pixel boxes); below 0.5 none stands in, and that is
counted. Frank et al. 2021 ("Vision-and-Language or Vision-for-Language?") hide every region that covers half of the
annotated box instead; here one region stands for one box, so that its features, class and box belong together.
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

_LARGEST_VOCABULARY = 1 << 20
"""Bytes; 1600 names take thirteen thousand."""

LEAST = 0.5
"""The IoU from which two boxes are taken to show the same thing (Everingham et al. 2010, PASCAL VOC)."""


@dataclass(frozen=True)
class Matched:
    """Which detector box stands in for which annotated box: `region_of` gives its index.

    `iou` holds the best overlap of every annotated box, and `refused` the ids of those where it is too low.
    """

    region_of: Mapping[str, int]
    iou: Mapping[str, float]
    refused: tuple[str, ...]


@dataclass
class Matching:
    """What a data set counts while it matches: each annotated box of an image once, however many captions it has."""

    least: float = LEAST
    _iou: dict[tuple[str, str], float] = field(default_factory=dict)

    def count(self, image_id: str, matched: Matched) -> None:
        """Count the boxes of an image that were not counted before."""
        self._iou.update({(image_id, box_id): iou for box_id, iou in matched.iou.items()})

    @property
    def matched(self) -> int:
        """How many annotated boxes have a stand-in."""
        return sum(iou >= self.least for iou in self._iou.values())

    @property
    def refused(self) -> int:
        """How many have none."""
        return len(self._iou) - self.matched

    @property
    def median_iou(self) -> float:
        """The median overlap of the boxes that have a stand-in; not a number where there are none."""
        overlaps = [iou for iou in self._iou.values() if iou >= self.least]
        return median(overlaps) if overlaps else float("nan")

    def describe(self) -> str:
        """Return one line for the report's banner."""
        if not self._iou:
            return "no annotated boxes to match with detector boxes"
        overlap = f" (median IoU {self.median_iou:.2f})" if self.matched else ""
        return (
            f"detector boxes stand in for {self.matched} of {len(self._iou)} annotated boxes{overlap}, "
            f"{self.refused} refused below IoU {self.least:g}"
        )


def overlaps(boxes: Float[np.ndarray, "m 4"], others: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "m n"]:
    """Return the IoU of every box with every other, 0 to 1; a box without area overlaps nothing."""
    corner = np.maximum(boxes[:, None, :2], others[None, :, :2])
    opposite = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = np.asarray(np.clip(opposite - corner, 0, None).prod(2))
    union = np.asarray(_areas(boxes)[:, None] + _areas(others)[None] - shared)
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))


def _areas(boxes: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n"]:
    return np.asarray(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(1))


def stand_ins(annotated: Iterable[Region | tuple[str, Box]], found: RegionFeatures, least: float = LEAST) -> Matched:
    """Match annotated boxes, in pixels, with the detector's; several may share one, and the first of equals is taken.

    `found` has boxes in pixels of the same image (see `RegionFeatures.fitted`).
    """
    named = dict((one.id, one.box) if isinstance(one, Region) else one for one in annotated)
    if not named:
        return Matched({}, {}, ())
    table = overlaps(np.array(list(named.values()), np.float64), found.boxes.astype(np.float64))
    nearest = dict(zip(named, table.argmax(1).tolist(), strict=True))
    iou = dict(zip(named, table.max(1).tolist(), strict=True))
    good = {box_id: index for box_id, index in nearest.items() if iou[box_id] >= least}
    return Matched(good, iou, tuple(box_id for box_id in named if box_id not in good))


def with_features(
    sample: Sample,
    found: RegionFeatures,
    *,
    names: Sequence[str] = (),
    tally: Matching | None = None,
) -> Sample:
    """Return the sample with the detector's regions, `r0` to `rN` in the file's order, instead of its own.

    Phrases, slots and relations name the stand-ins of their regions; where all of them were refused a phrase or slot
    names none, and a relation that lost an end is left out. A region is named by the detector (`names`, see
    `read_names`), otherwise like the annotated box that it stands in for; attributes known of that box stay known.
    Boxes count in `tally`, whose `least` decides. Raises `RefusedSample` where the image has another size than the
    file says, no size is known, or the names are not those of its classes.
    """
    if names and (wrong := misfit(found, names)):
        raise RefusedSample(sample.id, wrong)
    tally = Matching() if tally is None else tally
    found = _fitted(sample, found)
    matched = stand_ins(sample.regions, found, tally.least)
    tally.count(sample.image_id, matched)
    ids = {box_id: f"r{index}" for box_id, index in matched.region_of.items()}
    return replace(
        sample,
        regions=_regions(sample, found, ids, names),
        phrases=tuple(_relinked(phrase, ids) for phrase in sample.phrases),
        slots=tuple(_relinked(slot, ids) for slot in sample.slots),
        relations=tuple(_relations(sample, ids)),
    )


def read_names(path: Path) -> tuple[str, ...]:
    """Return the usual names of a detector's classes, one a line, synonyms between commas, background left out.

    As data/genome/1600-400-20/objects_vocab.txt of peteanderson80/bottom-up-attention; `names[label]` is the name.
    Raises `DataError` where it is no such text, or a line in the middle is empty: all names behind it would be wrong.
    """
    try:
        if path.stat().st_size > _LARGEST_VOCABULARY:
            raise DataError(f"{path}: it must be text with a class name on each line, but takes over a megabyte")
        lines = path.read_text(encoding="utf-8-sig").rstrip().split("\n")
    except (OSError, UnicodeDecodeError) as reason:
        raise DataError(f"{path}: it must be text with a class name on each line: {reason}") from reason
    names = tuple(line.split(",")[0].strip() for line in lines)
    if "" in names:
        raise DataError(f"{path}: line {names.index('') + 1}: a class name must stand on each line, here is none")
    return names[1:] if names[0] == "__background__" else names


def misfit(found: RegionFeatures, names: Sequence[str]) -> str:
    """Say why these names cannot be those of the detector's classes; "" where they can."""
    if found.labels is None:
        return "the features say no class of any region"
    if found.classes is not None and found.classes.shape[1] != len(names) + 1:
        return f"there are {len(names)} names, and the detector told {found.classes.shape[1] - 1} classes apart"
    largest = int(found.labels.max())
    return f"there are {len(names)} names, and a region has the class {largest}" if largest >= len(names) else ""


def _fitted(sample: Sample, found: RegionFeatures) -> RegionFeatures:
    if sample.image is not None:
        return found.fitted(sample.image.width, sample.image.height)
    if not found.sized:
        raise RefusedSample(sample.id, "its features have boxes as shares of the image, whose size is not known")
    return found


def _regions(sample: Sample, found: RegionFeatures, ids: Mapping[str, str], names: Sequence[str]) -> tuple[Region, ...]:
    shown: dict[str, list[Region]] = {}
    for region in sample.regions:
        if region.id in ids:
            shown.setdefault(ids[region.id], []).append(region)
    return tuple(_region(found, index, shown.get(f"r{index}", []), names) for index in range(len(found)))


def _region(found: RegionFeatures, index: int, shown: Sequence[Region], names: Sequence[str]) -> Region:
    label = None if found.labels is None else int(found.labels[index])
    named = names[label] if names and label is not None else ""
    attributes = dict.fromkeys(attribute for region in shown for attribute in region.attributes)
    return Region(
        id=f"r{index}",
        box=Box(*found.boxes[index].tolist()),
        label=named or (shown[0].label if shown else ""),
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
