"""Read the image preprocessing of a transformers folder: preprocessor_config.json, or processor_config.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from vlaudit.errors import CheckpointError
from vlaudit.models.streams.pixels import PixelLayout

_FILES = ("preprocessor_config.json", "processor_config.json")
_BICUBIC = 3
_REQUIRED = {
    "do_resize": True,
    "do_rescale": True,
    "do_normalize": True,
    "do_center_crop": False,
    "resample": _BICUBIC,
    "rescale_factor": 1 / 255,
}
"""Settings that our preprocessing repeats with these values only."""


def read_pixels(folder: Path, default: PixelLayout) -> PixelLayout:
    """Return the preprocessing that a folder states; `default`, that of the model's class, where it states none.

    Raises `CheckpointError` for settings that differ from ours in more than size, mean and standard deviation.
    """
    found = next((folder / name for name in _FILES if (folder / name).is_file()), None)
    if found is None:
        return default
    settings = _settings(found)
    required = _REQUIRED | ({"size_divisor": default.patch} if default.keep_aspect else {})
    for name, value in required.items():
        if settings.get(name, value) != value:
            raise CheckpointError(
                f"preprocessing {found}: {name} must be {json.dumps(value)}, got {json.dumps(settings[name])}; "
                "vlaudit repeats no other preprocessing of this model"
            )
    try:
        mean, std = (_channels(settings.get(name), held) for name, held in _normalization(default).items())
        return replace(default, size=_size(settings.get("size"), default), mean=mean, std=std)
    except (TypeError, ValueError, KeyError) as error:
        raise CheckpointError(f"preprocessing {found}: size, image_mean or image_std cannot be used: {error}") from None


def _settings(path: Path) -> Mapping[str, Any]:
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"preprocessing {path}: it could not be read as JSON: {error}") from None
    inner = held.get("image_processor", held) if isinstance(held, dict) else held
    if not isinstance(inner, dict):
        raise CheckpointError(f"preprocessing {path} must be a JSON object, got {type(inner).__name__}")
    return inner


def _normalization(default: PixelLayout) -> dict[str, tuple[float, float, float]]:
    return {"image_mean": default.mean, "image_std": default.std}


def _channels(stated: Any, default: tuple[float, float, float]) -> tuple[float, float, float]:
    if stated is None:
        return default
    red, green, blue = (float(value) for value in stated)
    return red, green, blue


def _size(stated: Any, default: PixelLayout) -> int:
    """Return the side in pixels: {"shortest_edge": n}, {"height": n, "width": n} or n."""
    if stated is None:
        return default.size
    sides = set(stated.values()) if isinstance(stated, Mapping) else {stated}
    if len(sides) != 1 or not all(type(side) is int and side >= default.patch for side in sides):
        raise ValueError(f"size must be one whole number of at least {default.patch} pixels, got {stated!r}")
    side: int = sides.pop()
    if side != default.size and not default.keep_aspect:
        raise ValueError(f"size must be the image_size of config.json, {default.size}, got {side}")
    return side
