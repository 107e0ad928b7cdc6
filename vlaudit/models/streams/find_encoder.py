"""Find the region encoder that a checkpoint was trained with."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from vlaudit.errors import CheckpointError
from vlaudit.models.region_encoder import RegionEncoder, load_encoder

ENTRY = "region_encoder"
"""Entry of config.json with the SHA-256 of the encoder's weights; published configs have none."""

_MEMORY = 131_072
"""Regions in the cache: those of a whole audit, at most 90 MB."""


def find_encoder(
    config: Mapping[str, Any], path: Path, device: torch.device, width: int | None
) -> RegionEncoder | None:
    """Return the bundled encoder where a checkpoint's config.json names it, None where it names none.

    `width` is that of the features that the network reads, None where it reads no regions.
    Raises `CheckpointError` where the config names another encoder (a model cannot read the features of another one),
    or one whose features have another width.
    """
    wanted = config.get(ENTRY)
    if wanted is None or width is None:
        return None
    encoder = _shared(device)
    if encoder.fingerprint != wanted:
        raise CheckpointError(
            f"checkpoint {path}: it was trained with the region encoder {str(wanted)[:12]}, the bundled one is "
            f"{encoder.fingerprint[:12]}; train it again (python -m fixtures.zoo train MODEL)"
        )
    if encoder.width != width:
        raise CheckpointError(
            f"checkpoint {path}: it reads {width} features of a region, but the region encoder that its config names "
            f"gives {encoder.width}; put the config.json that it was trained with next to it, or remove {ENTRY}"
        )
    return encoder


@lru_cache(maxsize=1)
def _shared(device: torch.device) -> RegionEncoder:
    """Load the bundled encoder once: models audited one after another read the same images."""
    return load_encoder(device=device, memory=_MEMORY)
