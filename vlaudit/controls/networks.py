"""Defects inside a network of ours: no path from image to text, no training."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from vlaudit.controls.adapter import Defect
from vlaudit.models.base import ModelAdapter
from vlaudit.models.streams.adapter import EncoderAdapter
from vlaudit.models.streams.contract import Inputs, JointNetwork, Stage, StagedNetwork, Streams, Wanted
from vlaudit.samples import Sample

_NOT_OURS = "its network is not one of vlaudit.models.streams.contract"


class CutAttention(Defect):
    """Has zeros where the text reads the image: its finished states in a staged network, features in a joint one.

    The image encoder of a staged network and the caption are read as before.
    """

    def __init__(self, model: ModelAdapter, samples: Sequence[Sample]) -> None:
        super().__init__(_cut(model) if isinstance(model, EncoderAdapter) else model, samples)

    def unavailable(self) -> str | None:
        """Require a network of ours that reads images."""
        if not isinstance(self.model, EncoderAdapter):
            return _NOT_OURS
        return "it reads no image" if self.model.capabilities.visual_unit is None else None


def _cut(model: EncoderAdapter) -> EncoderAdapter:
    network = copy.copy(model.network)  # shares its modules; only its own methods are replaced
    if isinstance(network, StagedNetwork):
        fuse = network.fusion_stage

        def without_image(
            text: Float[Tensor, "batch length width"],
            mask: Int[Tensor, "batch length"],
            image: Float[Tensor, "#batch positions image_width"],
            wanted: Wanted,
        ) -> Stage:
            return fuse(text, mask, torch.zeros_like(image), wanted)

        network.fusion_stage = without_image  # type: ignore[method-assign]
    elif isinstance(network, JointNetwork):
        read = network.forward

        def without_features(inputs: Inputs, wanted: Wanted) -> Streams:
            return read(_without_image(inputs), wanted)

        network.forward = without_features  # type: ignore[method-assign]
    return model.with_network(network)


def _without_image(inputs: Inputs) -> Inputs:
    zeros: dict[str, Any] = {
        name: torch.zeros_like(tensor)
        for name in ("features", "boxes", "pixels")
        if (tensor := getattr(inputs, name)) is not None
    }
    return replace(inputs, **zeros)


class Untrained(Defect):
    """Has the weights that training starts from, drawn with a fixed seed; a region encoder stays trained."""

    def __init__(self, model: ModelAdapter, samples: Sequence[Sample]) -> None:
        super().__init__(_redrawn(model) if _drawable(model) else model, samples)

    def unavailable(self) -> str | None:
        """Require a network of ours that can draw its weights."""
        if not isinstance(self.model, EncoderAdapter):
            return _NOT_OURS
        return None if _drawable(self.model) else f"{type(self.model.network).__name__} cannot draw fresh weights"


def _drawable(model: ModelAdapter) -> bool:
    return isinstance(model, EncoderAdapter) and hasattr(model.network, "initialise")


def _redrawn(model: ModelAdapter) -> EncoderAdapter:
    encoder = cast(EncoderAdapter, model)
    network = copy.deepcopy(encoder.network)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        cast(Any, network).initialise()
    cast(nn.Module, network).requires_grad_(requires_grad=False)
    return encoder.with_network(network)
