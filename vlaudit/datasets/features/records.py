"""Conversion of the fields of a record to region features, and the base class of feature files.

Fields have the names of the TSV of airsplay/py-bottom-up-attention (`img_id`, `img_h`, ...) in all formats.
"""

from __future__ import annotations

import binascii
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int64, Shaped

from vlaudit.datasets.base import Refusal
from vlaudit.datasets.features.base import RegionFeatures, normalized_id
from vlaudit.datasets.features.unpickle import preview
from vlaudit.errors import DataError, RefusedSample, UsageError

Fields = Mapping[str, Any]
"""Values by field name: text or bytes as stored, an array, or a number."""

MAX_BYTES = 1 << 28
"""Maximum size of an array of a record, because a file may state any size; 36 boxes take 0.3 MB."""

_PIXEL = 1.0
_HALF = 2.0**-9
"""Tolerance for a box outside its image: one pixel, or the rounding error of half precision for fractions."""


class BadRecord(Exception):  # noqa: N818 - becomes a refusal, never an error
    """A record is invalid; the message is the reason of the refusal."""


def import_optional(package: str, path: Path) -> ModuleType:
    """Import a package of the extra `features`; raise `UsageError` with the install command if it is missing."""
    try:
        return import_module(package)
    except ImportError as reason:
        raise UsageError(
            f"{path}: reading this file requires the package {package}, which is not installed; "
            "run: pip install 'vlaudit[features]'"
        ) from reason


def numbers(fields: Fields, name: str, dtype: type[np.generic]) -> Shaped[np.ndarray, "..."] | None:
    """Return a field as an array of this type (one-dimensional if it was base64), or None if missing or empty."""
    value = fields.get(name)
    if value is None or (isinstance(value, str | bytes) and not value):
        return None
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in ("iu" if np.issubdtype(dtype, np.integer) else "fiu"):
            raise BadRecord(f"{name} must have type {np.dtype(dtype)}, got {value.dtype}")
        with np.errstate(all="ignore"):  # overflowing values become infinite and are refused later
            return value.astype(dtype, copy=False)
    if not isinstance(value, str | bytes):
        raise BadRecord(f"{name} must be base64 or an array, got {type(value).__name__}")
    try:
        decoded = binascii.a2b_base64(value, strict_mode=True)
    except ValueError as reason:
        raise BadRecord(f"{name} is not base64, or truncated: {reason}") from None
    size = np.dtype(dtype).itemsize
    if len(decoded) % size:
        raise BadRecord(f"{name} must have a multiple of {size} bytes, got {len(decoded)}")
    return np.frombuffer(decoded, np.dtype(dtype).newbyteorder("<")).astype(dtype, copy=False)


def positive_int(fields: Fields, name: str) -> int:
    """Return a field as an integer from 1 to 1,000,000."""
    value = fields.get(name, "nothing")
    try:
        number = int(value.item() if isinstance(value, np.ndarray) else value)
    except (TypeError, ValueError, OverflowError):
        raise BadRecord(f"{name} must be an integer, got {preview(value)}") from None
    if not 1 <= number <= 1_000_000:
        raise BadRecord(f"{name} must be between 1 and 1000000, got {number}")
    return number


def region_features(fields: Fields, image_id: str) -> RegionFeatures:
    """Return the regions of one record; raise `BadRecord` if its fields are invalid or inconsistent.

    Missing labels and confidences are taken from the most probable class other than the background, as in the
    extraction of e-bug/volta (data/flickr30k/extract_flickr30k_image.py).
    """
    width, height = positive_int(fields, "img_w"), positive_int(fields, "img_h")
    boxes = _boxes(fields, width, height)
    classes = _rows(fields, "cls_prob", len(boxes), np.float32)
    _check_probabilities(classes)
    labels = _column(fields, "objects_id", len(boxes), np.int64)
    confidence = _column(fields, "objects_conf", len(boxes), np.float32)
    if classes is not None and classes.shape[1] > 1:
        labels = classes[:, 1:].argmax(1).astype(np.int64) if labels is None else labels
        confidence = classes[:, 1:].max(1) if confidence is None else confidence
    features = _rows(fields, "features", len(boxes), np.float32)
    if features is None:
        raise BadRecord("the record has no features")
    arrays = (
        boxes,
        features,
        classes,
        labels,
        confidence,
        _column(fields, "attrs_id", len(boxes), np.int64),
        _column(fields, "attrs_conf", len(boxes), np.float32),
    )
    return RegionFeatures(image_id, width, height, *map(_read_only, arrays))


def _read_only(array: Any) -> Any:
    if array is not None:
        array.setflags(write=False)
    return array


def _boxes(fields: Fields, width: int, height: int) -> Float32[np.ndarray, "n 4"]:
    boxes = numbers(fields, "boxes", np.float32)
    if boxes is None:
        raise BadRecord("the record has no regions")
    if boxes.size % 4 or (boxes.ndim == 2 and boxes.shape[1] != 4):
        raise BadRecord(f"boxes must have four numbers per box, got shape {boxes.shape}")
    boxes = boxes.reshape(-1, 4)
    if "num_boxes" in fields and positive_int(fields, "num_boxes") != len(boxes):
        raise BadRecord(
            f"num_boxes must equal the number of boxes, got {positive_int(fields, 'num_boxes')} for {len(boxes)}"
        )
    if not len(boxes):
        raise BadRecord("the record has no regions")
    _check_finite("boxes", boxes)
    sides = np.array([width, height, width, height], np.float32)
    slack = _PIXEL if (width, height) != (1, 1) else _HALF
    inside = np.asarray(((boxes >= -slack) & (boxes <= sides + slack)).all(1))
    _check_each(inside, boxes, f"is outside the image of {width} x {height}")
    clipped: Float32[np.ndarray, "n 4"] = np.clip(boxes, np.float32(0), sides)
    rising = np.asarray((clipped[:, 2:] > clipped[:, :2]).all(1))
    _check_each(rising, boxes, "must have x1 < x2 and y1 < y2 inside the image")
    return clipped


def _check_each(valid: Bool[np.ndarray, "n"], boxes: Float32[np.ndarray, "n 4"], problem: str) -> None:
    if not valid.all():
        index = int(np.argmin(valid))
        raise BadRecord(f"box {index} of {len(boxes)} {problem}: {', '.join(f'{number:g}' for number in boxes[index])}")


def _check_finite(name: str, array: Shaped[np.ndarray, "..."]) -> None:
    if not np.isfinite(array).all():
        raise BadRecord(f"{name} must be finite, got {int((~np.isfinite(array)).sum())} NaN or infinite numbers")


def _check_probabilities(classes: Float32[np.ndarray, "n c"] | None) -> None:
    if classes is None:
        return
    if classes.min() < 0 or abs(classes.sum(1) - 1).max() > 0.01:
        raise BadRecord("cls_prob must contain probabilities that sum to 1 per region")


def _rows(fields: Fields, name: str, count: int, dtype: type[np.generic]) -> Float32[np.ndarray, "n d"] | None:
    array = numbers(fields, name, dtype)
    if array is None:
        return None
    if not array.size or array.size % count or (array.ndim > 1 and array.shape[0] != count):
        raise BadRecord(f"{name} must have one row per region ({count} regions), got shape {array.shape}")
    _check_finite(name, array)
    return array.reshape(count, -1)


def _column(
    fields: Fields, name: str, count: int, dtype: type[np.generic]
) -> Float32[np.ndarray, "n"] | Int64[np.ndarray, "n"] | None:
    array = numbers(fields, name, dtype)
    if array is None:
        return None
    if array.size != count:
        raise BadRecord(f"{name} must have one number per region ({count} regions), got {array.size}")
    _check_finite(name, array)
    if array.min() < 0:
        raise BadRecord(f"{name} must not be negative, got {array.min()}")
    return array.reshape(count)


class Entry(NamedTuple):
    """Location of a record: image id in the spelling of the file, location for messages, and key for reading it."""

    name: str
    where: str
    key: Any


class Records(ABC):
    """Base class of feature files (see `FeatureFile`): entries that are read on demand.

    The index of the entries is built once, when first needed; iteration does not need it.
    """

    kind: str

    def __init__(self, path: Path) -> None:
        self.path = path
        self.width = 0
        self.refusals: list[Refusal] = []
        self._refused: set[Refusal] = set()
        self._read_ids: set[str] = set()
        self._known: dict[str, Entry] | None = None

    @abstractmethod
    def _entries(self) -> Iterator[Entry]:
        """Yield the entry of every record in file order, including duplicates."""

    @abstractmethod
    def _fields(self, entry: Entry) -> Fields:
        """Read one record; raise `BadRecord` if that fails."""

    def _check_start(self) -> None:
        """Read the first valid record, which determines `width`; raise `DataError` if no record is valid."""
        first = next(iter(self), None)
        if first is None:
            reason = f"; the first: {self.refusals[0]}" if self.refusals else ""
            raise DataError(
                f"{self.path}: must have at least one valid record; all {len(self.refusals)} are invalid{reason}"
            )
        self.width = first.features.shape[1]

    def ids(self) -> Sequence[str]:
        """Return the ids in the spelling and order of the file."""
        return [entry.name for entry in self._index.values()]

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, image_id: object) -> bool:
        return isinstance(image_id, str) and normalized_id(image_id) in self._index

    def __iter__(self) -> Iterator[RegionFeatures]:
        """Yield the valid records in file order, and refuse the others."""
        for entry in self._unique() if self._known is None else self._known.values():
            try:
                yield self._read(entry)
            except BadRecord as reason:
                self._refuse(entry.where, str(reason))

    def get(self, image_id: str) -> RegionFeatures:
        """Read one record by any spelling of its id; raise `RefusedSample` if it does not exist or is invalid."""
        entry = self._index.get(normalized_id(image_id))
        if entry is None:
            raise RefusedSample(image_id, f"{self.path.name} has no region features of this image")
        try:
            return self._read(entry)
        except BadRecord as reason:
            self._refuse(entry.where, str(reason))
            raise RefusedSample(image_id, f"{self.path.name}: {entry.where}: {reason}") from None

    def describe(self) -> str:
        """Return the format, the file, and the numbers of records read so far, as one line."""
        return (
            f"{self.kind} region features, {self.path.name}: {len(self._read_ids)} images read, "
            f"{self.width} numbers per region, {len(self.refusals)} records refused"
        )

    @property
    def _index(self) -> dict[str, Entry]:
        if self._known is None:
            self._known = {normalized_id(entry.name): entry for entry in self._unique()}
        return self._known

    def _unique(self) -> Iterator[Entry]:
        seen: set[str] = set()
        for entry in self._entries():
            if not entry.name:
                self._refuse(entry.where, "missing image id")
            elif normalized_id(entry.name) in seen:
                self._refuse(entry.where, f"duplicate image {entry.name}; the first record is kept")
            else:
                seen.add(normalized_id(entry.name))
                yield entry

    def _read(self, entry: Entry) -> RegionFeatures:
        found = region_features(self._fields(entry), entry.name)
        width = found.features.shape[1]
        if self.width and width != self.width:
            raise BadRecord(f"features must have {self.width} numbers per region as in the first record, got {width}")
        self._read_ids.add(entry.name)
        return found

    def _refuse(self, where: str, reason: str) -> None:
        refusal = Refusal(self.path.name, where, reason)
        if refusal not in self._refused:
            self._refused.add(refusal)
            self.refusals.append(refusal)
