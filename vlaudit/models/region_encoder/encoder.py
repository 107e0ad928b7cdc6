"""Encode the regions of images from their pixels, with a cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from vlaudit.models.lru_cache import LRUCache
from vlaudit.models.region_encoder.crops import crops_of
from vlaudit.models.region_encoder.network import RegionConfig, RegionNet
from vlaudit.samples import Box, Image

MEMORY = 32_768
"""Regions in the cache: those of about 3,000 scenes, 20 MB."""
AT_ONCE = 128
"""Crops in one pass of the network: its activations then fit the processor's cache, and twice as many are no faster."""

GRID = 8
"""Steps per side of the grid that boxes are rounded to."""

_Key = tuple[str, Box]


@dataclass(frozen=True)
class EncodedRegions:
    """Encodings of the regions of one image, in the order of the given boxes.

    `features` are at least 0, `classes` and `attributes` natural-log probabilities over `RegionEncoder.labels` and
    `.attributes`, `confidence` the probability of the likeliest label other than background.
    """

    features: Float[np.ndarray, "regions width"]
    classes: Float[np.ndarray, "regions labels"]
    attributes: Float[np.ndarray, "regions attributes"]
    confidence: Float[np.ndarray, "regions"]


class RegionEncoder:
    """Encodes each box independently: two boxes with equal pixels have equal features, wherever they are.

    Differs from a detector (Faster R-CNN, as in Anderson et al. 2018, Bottom-up attention): boxes are given, not found,
    and pixels outside a box have no influence, where a detector's features have a wide receptive field. A cover from
    edge to edge of a box hides all of it.
    """

    def __init__(self, network: RegionNet, fingerprint: Callable[[], str], memory: int = MEMORY) -> None:
        self._network = network.eval()
        self._fingerprint = fingerprint
        self._cache = LRUCache[Float[np.ndarray, "numbers"]](memory)

    @property
    def config(self) -> RegionConfig:
        """Sizes and label names."""
        return self._network.config

    @property
    def width(self) -> int:
        """The number of features of a region."""
        return self.config.width

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of `EncodedRegions.classes`; the first is "background"."""
        return self.config.labels

    @property
    def attributes(self) -> tuple[str, ...]:
        """Names of `EncodedRegions.attributes`; the first is "none"."""
        return self.config.attributes

    @property
    def parameters(self) -> int:
        """The number of weights."""
        return sum(parameter.numel() for parameter in self._network.parameters())

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the weights file."""
        return self._fingerprint()

    def located(self, boxes: Float[np.ndarray, "regions 4"]) -> Float[np.ndarray, "regions 4"]:
        """Round boxes, as fractions of the image's sides, to a grid of 8 by 8; a box may shrink to a line.

        Drawn objects of one kind have one shape, from which a classifier names covered ones nearly as well as visible
        ones: covering would hide nothing. The grid still shows sides and neighbours. Real objects vary in shape, and
        detected boxes vary too.
        """
        return np.round(boxes * GRID) / np.float32(GRID)

    def encode(self, image: Image, boxes: Sequence[Box]) -> EncodedRegions:
        """Encode the boxes of one image of any size. Raises `DataError` for a box outside it."""
        return self.encode_many([(image, boxes)])[0]

    def encode_many(self, images: Sequence[tuple[Image, Sequence[Box]]]) -> list[EncodedRegions]:
        """Encode the boxes of several images; those not in the cache are computed together.

        An image is read only if one of its boxes is new. Raises `DataError` for a box outside its image.
        """
        keys = [(image.key, box) for image, boxes in images for box in boxes]
        pictures = {image.key: image for image, _ in images}
        rows = self._cache.get(keys, lambda missing: self._rows(pictures, cast("list[_Key]", missing)))
        starts = np.cumsum([len(boxes) for _, boxes in images])
        return [self._encoded(rows[end - len(boxes) : end]) for end, (_, boxes) in zip(starts, images, strict=True)]

    def _rows(self, pictures: dict[str, Image], missing: list[_Key]) -> Sequence[Float[np.ndarray, "numbers"]]:
        """Return features, label and attribute log-probabilities of each missing region, as one row."""
        wanted: dict[str, list[Box]] = {}
        for key, box in missing:
            wanted.setdefault(key, []).append(box)
        with torch.inference_mode():
            crops = crops_of([(pictures[key], boxes) for key, boxes in wanted.items()], self.config.crop)
            passed = torch.cat([self._pass(chunk) for chunk in torch.split(crops, AT_ONCE)]).float().cpu().numpy()
        passed_as = [(key, box) for key, boxes in wanted.items() for box in boxes]
        order = {region: row for row, region in enumerate(passed_as)}
        # copied, so that one cached region does not keep its whole batch in memory
        return [passed[order[key]].copy() for key in missing]

    def _pass(self, crops: Tensor) -> Float[Tensor, "crops numbers"]:
        scored = self._network(crops.to(self._network.feature.weight.device))
        return torch.cat(
            [scored.features, scored.labels.log_softmax(dim=1), scored.attributes.log_softmax(dim=1)], dim=1
        )

    def _encoded(self, rows: Sequence[Float[np.ndarray, "numbers"]]) -> EncodedRegions:
        numbers = self.width + len(self.labels) + len(self.attributes)
        held = np.stack(rows) if rows else np.empty((0, numbers), dtype=np.float32)
        features, classes, attributes = np.split(held, [self.width, self.width + len(self.labels)], axis=1)
        confidence = np.exp(classes[:, 1:].max(axis=1, initial=-np.inf))
        return EncodedRegions(features, classes, attributes, confidence)
