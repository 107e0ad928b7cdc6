"""The network of the region encoder: a few convolutions over one crop, a feature vector, two heads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from jaxtyping import Float, UInt8
from torch import Tensor, nn

from vlaudit.errors import CheckpointError

BACKGROUND = "background"
"""The first label: a box that shows nothing that the encoder knows."""
NO_ATTRIBUTE = "none"
"""The first attribute: an object without a colour word."""


@dataclass(frozen=True)
class RegionConfig:
    """Sizes and label names of the encoder.

    Crops have `crop` pixels per side, a multiple of 8; `channels` are those of the three convolutions, `width` the
    number of features. The first label is "background", the first attribute "none".
    """

    crop: int
    channels: tuple[int, ...]
    width: int
    labels: tuple[str, ...]
    attributes: tuple[str, ...]

    def __post_init__(self) -> None:
        sizes = (self.crop, self.width, *self.channels)
        if len(self.channels) != 3 or not all(type(size) is int and size > 0 for size in sizes) or self.crop % 8:
            raise CheckpointError(
                "region encoder: crop must be a multiple of 8, width and three channels whole numbers above 0, "
                f"got crop {self.crop!r}, width {self.width!r}, channels {self.channels!r}"
            )
        for name, words, first in (
            ("labels", self.labels, BACKGROUND),
            ("attributes", self.attributes, NO_ATTRIBUTE),
        ):
            if words[:1] != (first,) or len(set(words)) != len(words) or not all(isinstance(w, str) for w in words):
                raise CheckpointError(
                    f"region encoder: {name} must be different words, the first of them {first!r}, got {words[:5]}"
                )

    @classmethod
    def from_json(cls, held: Mapping[str, Any]) -> RegionConfig:
        """Read the output of `to_json`; `CheckpointError` where something is missing or wrong."""
        try:
            return cls(
                held["crop"],
                tuple(held["channels"]),
                held["width"],
                tuple(held["labels"]),
                tuple(held["attributes"]),
            )
        except (KeyError, TypeError) as error:
            raise CheckpointError(
                "region encoder: config.json must state crop, channels, width, labels and attributes; "
                f"{type(error).__name__}: {error}"
            ) from None

    def to_json(self) -> dict[str, Any]:
        """Return the content of config.json."""
        return asdict(self)


class Scored(NamedTuple):
    """Output of the network for a batch of crops: features, and logits of labels and attributes."""

    features: Float[Tensor, "crops width"]
    labels: Float[Tensor, "crops labels"]
    attributes: Float[Tensor, "crops attributes"]


class RegionNet(nn.Module):
    """Three strided convolutions and a layer, each with a ReLU; linear heads read the features.

    There is no normalization, so that a crop's features do not depend on the rest of the batch.
    """

    def __init__(self, config: RegionConfig) -> None:
        super().__init__()
        self.config = config
        first, second, third = config.channels
        self.convolutions = nn.Sequential(
            nn.Conv2d(3, first, kernel_size=4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(first, second, kernel_size=3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(second, third, kernel_size=3, stride=2, padding=1),
            nn.ReLU(),
        )
        self.feature = nn.Linear(third * (config.crop // 8) ** 2, config.width)
        self.label = nn.Linear(config.width, len(config.labels))
        self.attribute = nn.Linear(config.width, len(config.attributes))

    def forward(self, crops: UInt8[Tensor, "crops 3 side side"]) -> Scored:
        """Score crops of pixels, 0 to 255."""
        pixels = (crops.to(self.feature.weight.dtype) - 128) / 64
        features = self.feature(self.convolutions(pixels).flatten(1)).relu()
        return Scored(features, self.label(features), self.attribute(features))
