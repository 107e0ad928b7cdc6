"""Location of the photos of a data set, and placeholders for missing photos."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from vlaudit.datasets.images import UnreadableImage, inside
from vlaudit.errors import DataError, RefusedSample
from vlaudit.samples import Image


@dataclass(frozen=True)
class Photos:
    """Folders with the photos of a data set; Visual Genome, for instance, has two."""

    folders: tuple[Path, ...]

    def find(self, name: str) -> Path:
        """Return the path of a file in the first folder that contains it; raise `UnreadableImage` if none does."""
        for folder in self.folders:
            path = inside(folder, name)
            if path.is_file():
                return path
        raise UnreadableImage("the file does not exist")


def find_photos(
    spec: str, folder: Path, chosen: str, places: Sequence[str], is_wanted: Callable[[str], bool], *, needed: bool
) -> Photos:
    """Return the folders with a wanted file: the chosen folder, or those of `places` in `folder`.

    Raises `DataError` if the chosen folder does not exist or has no wanted file, or if photos are `needed` and no
    place has one.
    """
    if chosen and not (folder / chosen).is_dir():
        raise DataError(f"{spec}: images={chosen} must name an existing folder; not found: {folder / chosen}")
    looked = (chosen,) if chosen else tuple(places)
    existing = [folder / place for place in looked if (folder / place).is_dir()]
    holding = tuple(place for place in existing if _holds(place, is_wanted))
    if not holding and (needed or chosen):
        raise DataError(
            f"{spec}: no photo was found; looked in {', '.join(place or '.' for place in looked)}; "
            "specify another folder with ,images=DIR, or region features with ,features=FILE"
        )
    return Photos(holding)


def _holds(place: Path, is_wanted: Callable[[str], bool]) -> bool:
    with os.scandir(place) as entries:
        return any(is_wanted(entry.name) for entry in entries)


def absent_image(image_id: str, width: int, height: int) -> Image:
    """Return a placeholder for an image of known size without a photo, for models that read region features only.

    Perturbations apply to it as to any image; reading its pixels raises `RefusedSample`.
    """
    return Image(f"absent-{image_id}-{width}x{height}", width, height, partial(_absent, image_id))


def _absent(image_id: str) -> UInt8[np.ndarray, "height width 3"]:
    raise RefusedSample(
        image_id, "pixels were requested, but the photo is missing and only its region features are available; "
        "specify the folder of the photos with ,images=DIR"
    )  # fmt: skip
