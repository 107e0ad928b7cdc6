"""Image files of a user's folder: checked before they are trusted, decoded when their pixels are asked for."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import TypeVar

import numpy as np
from jaxtyping import UInt8
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from vlaudit.errors import RefusedSample
from vlaudit.samples import Image

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""What is read. Never all that Pillow knows: some formats (EPS) run a program on what the file holds."""

MAX_PIXELS = 89_478_485
"""Pillow's own limit for a picture that is not meant as a decompression bomb: a quarter GiB as RGB."""

_UPRIGHT = {
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_270,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_90,
}
"""What brings each EXIF orientation upright (EXIF 2.3, tag 0x0112); 5 to 8 exchange width and height."""


_Answer = TypeVar("_Answer")


class UnreadableImage(Exception):  # noqa: N818 - becomes a refusal, nobody sees it as an error
    """A file that gives no image; the text is the reason of the refusal."""


def inside(folder: Path, name: str) -> Path:
    """Return the file that `name` names inside the folder; `UnreadableImage` where it leaves it, links included."""
    windows = PureWindowsPath(name)  # knows drives and both kinds of slash
    if windows.is_absolute() or windows.drive or windows.root or ".." in windows.parts:
        raise UnreadableImage("the path leaves the image folder")
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise UnreadableImage("the path is a link that leaves the image folder")
    return path


def open_image(path: Path, image_id: str) -> Image:
    """Return the image of a file, upright and in RGB; its key is the digest of the file's bytes.

    JPEG files are known by their header, which keeps opening a large folder cheap; files of every other
    format are decoded once, because their orientation or their frames are not in the header.
    Raises `UnreadableImage` with the reason; reading the pixels later raises `RefusedSample` with the image
    id.
    """
    if not path.is_file():
        raise UnreadableImage("there is no such file")
    width, height = _guarded(_size, path)
    with path.open("rb") as file:
        key = hashlib.file_digest(file, "sha256").hexdigest()
    return Image(f"file-{key}", width, height, partial(_read, path, image_id))


def _read(path: Path, image_id: str) -> UInt8[np.ndarray, "height width 3"]:
    try:
        return _guarded(_decoded, path)
    except UnreadableImage as reason:
        raise RefusedSample(image_id, f"{path.name}: {reason}") from reason


def _guarded(ask: Callable[[Pillow.Image], _Answer], path: Path) -> _Answer:
    """Open the file, check what it is, and ask; whatever goes wrong in a file is a reason, not a crash."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd metadata, which concerns no pixel
            with Pillow.open(path, formats=FORMATS) as picture:
                _check(picture)
                return ask(picture)
    except UnreadableImage:
        raise
    except UnidentifiedImageError as reason:
        raise UnreadableImage(f"it is no image of a format that is read ({', '.join(FORMATS)})") from reason
    except Pillow.DecompressionBombError as reason:
        raise UnreadableImage(f"it has more than {MAX_PIXELS} pixels") from reason
    except Exception as reason:  # a broken file may break any part of a decoder
        raise UnreadableImage(f"it cannot be decoded: {reason or type(reason).__name__}") from reason


def _check(picture: Pillow.Image) -> None:
    if picture.width * picture.height > MAX_PIXELS:
        raise UnreadableImage(f"it has {picture.width} x {picture.height} pixels, more than {MAX_PIXELS}")
    frames = getattr(picture, "n_frames", 1)
    if frames > 1 and picture.format != "MPO":  # the further frames of a JPEG are its depth map or preview
        raise UnreadableImage(f"it is animated or has several pages ({frames} frames)")


def _size(picture: Pillow.Image) -> tuple[int, int]:
    if picture.format not in ("JPEG", "MPO"):
        height, width, _ = _decoded(picture).shape
        return width, height
    _rgb_kind(picture)
    width, height = picture.size
    return (height, width) if _orientation(picture) >= 5 else (width, height)


def _decoded(picture: Pillow.Image) -> UInt8[np.ndarray, "height width 3"]:
    picture.load()
    orientation = _orientation(picture)  # after loading: a PNG may state it behind its pixels, a TIFF is turned by now
    upright = _rgb(picture)
    if orientation in _UPRIGHT:
        upright = upright.transpose(_UPRIGHT[orientation])
    return np.asarray(upright)


def _orientation(picture: Pillow.Image) -> int:
    try:
        orientation = picture.getexif().get(0x0112, 1)
    except Exception:  # noqa: BLE001 - broken metadata turn no picture
        return 1
    return orientation if orientation in _UPRIGHT else 1


def _rgb(picture: Pillow.Image) -> Pillow.Image:
    """Return the picture as RGB: 16 bits scaled, not clipped; what is transparent over white, as on a page."""
    kind = _rgb_kind(picture)
    if kind == "sixteen":
        levels = np.asarray(picture, dtype=np.float64)
        return Pillow.fromarray(np.rint(levels / 257).astype(np.uint8)).convert("RGB")
    if kind == "alpha":
        layer = picture.convert("RGBA")
        return Pillow.alpha_composite(Pillow.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return picture.convert("RGB")


def _rgb_kind(picture: Pillow.Image) -> str:
    """Say how the picture becomes RGB; `UnreadableImage` where its numbers have no stated range."""
    if picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format in ("PNG", "PPM")):
        return "sixteen"
    if picture.mode in ("I", "F"):
        raise UnreadableImage(f"its pixels are numbers without a stated range (mode {picture.mode})")
    if picture.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in picture.info:
        return "alpha"
    return "plain"
