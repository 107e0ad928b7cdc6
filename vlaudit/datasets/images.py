"""Image files: validated when opened, decoded when their pixels are requested."""

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
"""Formats that are read. Others are excluded because decoding some of them (EPS) runs an external program."""

MAX_PIXELS = 89_478_485
"""Pillow's threshold for a possible decompression bomb: 256 MiB as RGB."""

_UPRIGHT = {
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_270,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_90,
}
"""Transpositions that undo each EXIF orientation (EXIF 2.3, tag 0x0112); 5 to 8 exchange width and height."""


_Result = TypeVar("_Result")


class UnreadableImage(Exception):  # noqa: N818 - becomes a refusal, never an error
    """A file is not a readable image; the message is the reason of the refusal."""


def inside(folder: Path, name: str) -> Path:
    """Return the path of `name` in the folder; raise `UnreadableImage` if it is outside, also through links."""
    windows = PureWindowsPath(name)  # recognizes drives and both kinds of slash
    if windows.is_absolute() or windows.drive or windows.root or ".." in windows.parts:
        raise UnreadableImage("the path is outside the image folder")
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise UnreadableImage("the path is a link out of the image folder")
    return path


def open_image(path: Path, image_id: str) -> Image:
    """Return the image of a file, upright and in RGB; its key is the SHA-256 of the file.

    For JPEG files only the header is read, which is cheap for large folders. Files of other formats are decoded once,
    because their orientation or number of frames is not in the header. Raises `UnreadableImage` with the reason;
    reading the pixels later raises `RefusedSample` with the image id.
    """
    if not path.is_file():
        raise UnreadableImage("the file does not exist")
    width, height = _with_picture(path, _size)
    with path.open("rb") as file:
        key = hashlib.file_digest(file, "sha256").hexdigest()
    return Image(f"file-{key}", width, height, partial(_read, path, image_id))


def _read(path: Path, image_id: str) -> UInt8[np.ndarray, "height width 3"]:
    try:
        return _with_picture(path, _decoded)
    except UnreadableImage as reason:
        raise RefusedSample(image_id, f"{path.name}: {reason}") from reason


def _with_picture(path: Path, function: Callable[[Pillow.Image], _Result]) -> _Result:
    """Return the result of the function on the opened file; any failure raises `UnreadableImage`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns about metadata, which do not affect pixels
            with Pillow.open(path, formats=FORMATS) as picture:
                _check(picture)
                return function(picture)
    except UnreadableImage:
        raise
    except UnidentifiedImageError as reason:
        raise UnreadableImage(f"not an image in a supported format ({', '.join(FORMATS)})") from reason
    except Pillow.DecompressionBombError as reason:
        raise UnreadableImage(f"the image has more than {MAX_PIXELS} pixels") from reason
    except Exception as reason:  # decoders raise various exceptions for broken files
        raise UnreadableImage(f"cannot be decoded: {reason or type(reason).__name__}") from reason


def _check(picture: Pillow.Image) -> None:
    if picture.width * picture.height > MAX_PIXELS:
        raise UnreadableImage(f"the image has {picture.width} x {picture.height} pixels, more than {MAX_PIXELS}")
    frames = getattr(picture, "n_frames", 1)
    if frames > 1 and picture.format != "MPO":  # further frames of a JPEG are a depth map or a preview
        raise UnreadableImage(f"animated or multi-page image ({frames} frames)")


def _size(picture: Pillow.Image) -> tuple[int, int]:
    if picture.format not in ("JPEG", "MPO"):
        height, width, _ = _decoded(picture).shape
        return width, height
    _rgb_kind(picture)
    width, height = picture.size
    return (height, width) if _orientation(picture) >= 5 else (width, height)


def _decoded(picture: Pillow.Image) -> UInt8[np.ndarray, "height width 3"]:
    picture.load()
    orientation = _orientation(picture)  # after loading: a PNG may state it after its pixels, a TIFF is already rotated
    upright = _rgb(picture)
    if orientation in _UPRIGHT:
        upright = upright.transpose(_UPRIGHT[orientation])
    return np.asarray(upright)


def _orientation(picture: Pillow.Image) -> int:
    try:
        orientation = picture.getexif().get(0x0112, 1)
    except Exception:  # noqa: BLE001 - broken metadata must not prevent reading the pixels
        return 1
    return orientation if orientation in _UPRIGHT else 1


def _rgb(picture: Pillow.Image) -> Pillow.Image:
    """Return the picture as RGB: 16-bit values are scaled, transparent pixels are composed over white."""
    kind = _rgb_kind(picture)
    if kind == "sixteen":
        levels = np.asarray(picture, dtype=np.float64)
        return Pillow.fromarray(np.rint(levels / 257).astype(np.uint8)).convert("RGB")
    if kind == "alpha":
        layer = picture.convert("RGBA")
        return Pillow.alpha_composite(Pillow.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return picture.convert("RGB")


def _rgb_kind(picture: Pillow.Image) -> str:
    """Return the kind of conversion to RGB; raise `UnreadableImage` if the pixel values have no defined range."""
    if picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format in ("PNG", "PPM")):
        return "sixteen"
    if picture.mode in ("I", "F"):
        raise UnreadableImage(f"pixel values have no defined range (mode {picture.mode})")
    if picture.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in picture.info:
        return "alpha"
    return "plain"
