"""Region features of an image (boxes, feature vectors, classes, confidences), and the protocol of their files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int64

from vlaudit.datasets.base import Refusal
from vlaudit.errors import DataError, RefusedSample

_SUFFIX = re.compile(r"\.(?:jpe?g|png|webp|bmp|gif|tiff?|npz|npy)$", re.IGNORECASE)
_NUMBERED = re.compile(
    r"(?:(?:visual_grounding_)?coco[_-](?:(?:train|val|test)20\d\d[_-]|gt[_-]|det[_-])?"
    r"|flickr30k[_-]|vg[_-]|visual[_-]?genome[_-])?0*(\d+)",
    re.IGNORECASE,
)


@dataclass(frozen=True, eq=False)
class RegionFeatures:
    """The n regions that a detector found in one image, as read-only arrays with one row per region.

    `boxes` are x1 y1 x2 y2 in pixels of an image of `width` x `height`, clipped to the image, origin top left. If a
    file states boxes as fractions of an unknown image size, `width` and `height` are 1 (see `scaled_to`). `features` is
    (n, d). `classes` are the detector's class probabilities with the background at index 0 (1601 for the Visual Genome
    detector of Anderson et al. 2018), `labels` the class ids without background (the first class is 0), and
    `confidence` the probability of that class. `attributes` and `attribute_confidence` are the same for attributes.
    """

    image_id: str
    width: int
    height: int
    boxes: Float32[np.ndarray, "n 4"]
    features: Float32[np.ndarray, "n d"]
    classes: Float32[np.ndarray, "n c"] | None = None
    labels: Int64[np.ndarray, "n"] | None = None
    confidence: Float32[np.ndarray, "n"] | None = None
    attributes: Int64[np.ndarray, "n"] | None = None
    attribute_confidence: Float32[np.ndarray, "n"] | None = None

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def has_size(self) -> bool:
        """True if the boxes are in pixels, False if they are fractions of the image."""
        return (self.width, self.height) != (1, 1)

    def scaled_to(self, width: int, height: int) -> RegionFeatures:
        """Return the regions with boxes in pixels of an image of this size.

        Raises `RefusedSample` if the file states another image size, because the features are then for another image.
        """
        if not self.has_size:
            boxes = self.boxes * np.array([width, height, width, height], np.float32)
            boxes.setflags(write=False)
            return replace(self, width=width, height=height, boxes=boxes)
        if (self.width, self.height) != (width, height):
            raise RefusedSample(
                self.image_id,
                f"the features are for an image of {self.width} x {self.height} pixels, "
                f"but the image has {width} x {height}",
            )
        return self


@runtime_checkable
class FeatureFile(Protocol):
    """A file with the region features of many images, read one record at a time.

    Image ids may have any spelling (see `normalized_id`). `refusals` contains every refused record among those read so
    far once. `width` is the length of a feature vector, equal in all records.
    """

    path: Path
    width: int
    refusals: list[Refusal]

    def ids(self) -> Sequence[str]:
        """Return the ids in the spelling and order of the file, including those of invalid records."""
        ...

    def __len__(self) -> int: ...

    def __contains__(self, image_id: object) -> bool: ...

    def __iter__(self) -> Iterator[RegionFeatures]:
        """Yield the valid records and refuse the others."""
        ...

    def get(self, image_id: str) -> RegionFeatures:
        """Read one record; raise `RefusedSample` if it does not exist or is invalid."""
        ...

    def describe(self) -> str:
        """Return one line for the report."""
        ...


def normalized_id(image_id: str) -> str:
    """Return the normalized spelling of an image id.

    Removes the folder and the extension of an image or array, and then the prefix (with leading zeros) of COCO 2014
    file names, of UNITER's feature files and of vlaudit's sample ids. Any other id is unchanged.

    >>> normalized_id("COCO_train2014_000000132417"), normalized_id("coco-132417"), normalized_id("132417.jpg")
    ('132417', '132417', '132417')
    >>> normalized_id("flickr30k_000000000036.npz"), normalized_id("dev-3-1-img0.png")
    ('36', 'dev-3-1-img0')
    """
    name = _SUFFIX.sub("", image_id.replace("\\", "/").rsplit("/", 1)[-1])
    numbered = _NUMBERED.fullmatch(name)
    return numbered[1] if numbered else name


def require_shared(features: FeatureFile, image_ids: Iterable[str]) -> int:
    """Return the number of these images that the file contains; raise `DataError` if it is 0."""
    required = list(dict.fromkeys(image_ids))
    shared = sum(image_id in features for image_id in required)
    if required and not shared:
        ours, theirs = (", ".join(ids[:3]) for ids in (required, list(features.ids())))
        raise DataError(
            f"{features.path}: must have features of the images of the data set; none of these {len(required)} images "
            f"({ours}, ...) is among its {len(features)} ({theirs}, ...); specify the feature file of this data set"
        )
    return shared
