"""Where the photos of a data set lie, and what stands for a photo that nobody has."""

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
    """Folders that hold photos of a data set; one set may lie in several (Visual Genome comes in two parts)."""

    folders: tuple[Path, ...]

    def find(self, name: str) -> Path:
        """Return the file of this name, in the first folder that holds it; `UnreadableImage` where none does."""
        for folder in self.folders:
            path = inside(folder, name)
            if path.is_file():
                return path
        raise UnreadableImage("there is no such file")


def find_photos(
    spec: str, folder: Path, chosen: str, places: Sequence[str], is_wanted: Callable[[str], bool], *, needed: bool
) -> Photos:
    """Return the folders that hold a wanted file name: the chosen one alone, or those of `places` under `folder`.

    `DataError` where the chosen one is none, or where no place holds any and photos are `needed`.
    """
    if chosen and not (folder / chosen).is_dir():
        raise DataError(f"{spec}: images={chosen} names no folder; there is no {folder / chosen}")
    looked = (chosen,) if chosen else tuple(places)
    existing = [folder / place for place in looked if (folder / place).is_dir()]
    holding = tuple(place for place in existing if _holds(place, is_wanted))
    if not holding and (needed or chosen):
        raise DataError(
            f"{spec}: none of its photos is there; looked in {', '.join(place or '.' for place in looked)}; "
            "name another folder with ,images=DIR, or give what a detector saw with ,features=FILE"
        )
    return Photos(holding)


def _holds(place: Path, is_wanted: Callable[[str], bool]) -> bool:
    with os.scandir(place) as entries:
        return any(is_wanted(entry.name) for entry in entries)


def absent_image(image_id: str, width: int, height: int) -> Image:
    """Return an image of known size whose photo is not there: models of region features need no pixel of it.

    It can be covered, mirrored and measured as any other; asking for its pixels raises `RefusedSample` with the reason.
    """
    return Image(f"absent-{image_id}-{width}x{height}", width, height, partial(_absent, image_id))


def _absent(image_id: str) -> UInt8[np.ndarray, "height width 3"]:
    raise RefusedSample(
        image_id, "its photo is not there, only its features, and this asks for pixels; name the photos' folder with "
        ",images=DIR"
    )  # fmt: skip
