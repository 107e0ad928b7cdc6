"""Load the region encoder: the bundled one, or another of its kind."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch

from vlaudit.models.base import LoadOptions
from vlaudit.models.bundled import bundled_checkpoint
from vlaudit.models.checkpoint import KeyRules, open_weights
from vlaudit.models.load_into import load_into
from vlaudit.models.region_encoder.encoder import MEMORY, RegionEncoder
from vlaudit.models.region_encoder.network import RegionConfig, RegionNet

FAMILY = "the region encoder"


def load_encoder(
    checkpoint: Path | None = None, device: torch.device | None = None, *, memory: int = MEMORY
) -> RegionEncoder:
    """Load an encoder from its weights file and the `config.json` next to it; the bundled one by default.

    It computes in float32. `memory` is the size of its cache in regions. Raises `CheckpointError` as other families do.
    """
    path = checkpoint or bundled_checkpoint("regions")
    file = open_weights(path)
    config = RegionConfig.from_json(file.config)
    options = LoadOptions(path, device or torch.device("cpu"))
    network, _ = load_into(partial(RegionNet, config), file, KeyRules(), options, family=FAMILY)
    return RegionEncoder(network, file.sha256.result, memory)
