"""What a file of region features gives: for each image a detector's boxes, feature vectors, classes and confidences."""

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
    """The regions that a detector found in one image; arrays are read-only and share their first axis, the regions.

    `boxes` are x1 y1 x2 y2 in pixels of an image of `width` x `height`, clipped to it, origin top left. Where a file
    states boxes as shares of the image and not its size, both are 1: see `fitted`. `features` is (n, d).
    `classes` are the detector's class probabilities with the background at index 0 (1601 for the Visual Genome
    detector of Anderson et al. 2018), `labels` class ids that count from 0 without it, `confidence` the probability
    of that class. `attributes` and `attribute_confidence` are the same for attributes.
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
    def sized(self) -> bool:
        """Whether the boxes are in pixels; otherwise they are shares of the image."""
        return (self.width, self.height) != (1, 1)

    def fitted(self, width: int, height: int) -> RegionFeatures:
        """Return the regions with boxes in pixels of an image of this size.

        Raises `RefusedSample` where the file says that the image had another size: it is not the same picture.
        """
        if not self.sized:
            boxes = self.boxes * np.array([width, height, width, height], np.float32)
            boxes.setflags(write=False)
            return replace(self, width=width, height=height, boxes=boxes)
        if (self.width, self.height) != (width, height):
            raise RefusedSample(
                self.image_id,
                f"its features are of an image of {self.width} x {self.height} pixels, it has {width} x {height}",
            )
        return self


@runtime_checkable
class FeatureFile(Protocol):
    """Region features of many images, read one record at a time.

    Images are asked for by any spelling of their id (see `same_image`). `refusals` holds what was refused among the
    records read so far, each once. `width` is the length of a feature vector, the same in every record.
    """

    path: Path
    width: int
    refusals: list[Refusal]

    def ids(self) -> Sequence[str]:
        """Return the ids as the file spells them, in its order; those of broken records too."""
        ...

    def __len__(self) -> int: ...

    def __contains__(self, image_id: object) -> bool: ...

    def __iter__(self) -> Iterator[RegionFeatures]:
        """Give the records one after another, and refuse the broken ones."""
        ...

    def get(self, image_id: str) -> RegionFeatures:
        """Read one record; `RefusedSample` where there is none or it is broken."""
        ...

    def describe(self) -> str:
        """Return one line for the report's banner."""
        ...


def same_image(image_id: str) -> str:
    """Return what all spellings of an image's id have in common.

    The folder and an extension of images or arrays are dropped, then the prefixes of COCO 2014 file names, of
    UNITER's feature files and of our own samples with the zeros behind them; every other id is text as it stands.

    >>> same_image("COCO_train2014_000000132417"), same_image("coco-132417"), same_image("132417.jpg")
    ('132417', '132417', '132417')
    >>> same_image("flickr30k_000000000036.npz"), same_image("dev-3-1-img0.png")
    ('36', 'dev-3-1-img0')
    """
    name = _SUFFIX.sub("", image_id.replace("\\", "/").rsplit("/", 1)[-1])
    numbered = _NUMBERED.fullmatch(name)
    return numbered[1] if numbered else name


def require_shared(features: FeatureFile, image_ids: Iterable[str]) -> int:
    """Return how many of these images the file has; `DataError` where it has none, with ids of both sides."""
    wanted = list(dict.fromkeys(image_ids))
    shared = sum(image_id in features for image_id in wanted)
    if wanted and not shared:
        ours, theirs = (", ".join(ids[:3]) for ids in (wanted, list(features.ids())))
        raise DataError(
            f"{features.path}: it holds features of other images: none of the {len(wanted)} images ({ours}, ...) is "
            f"among its {len(features)} ({theirs}, ...); name the feature file of this image set"
        )
    return shared
