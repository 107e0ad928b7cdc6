"""From the fields of one record to region features, and what all feature files do alike.

Fields are named as in the TSV of airsplay/py-bottom-up-attention (`img_id`, `img_h`, ...), whatever a file calls them.
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
from vlaudit.datasets.features.base import RegionFeatures, same_image
from vlaudit.datasets.features.unpickle import shown
from vlaudit.errors import DataError, RefusedSample, UsageError

Fields = Mapping[str, Any]
"""Field name to its value: text or bytes as they were written, or an array or a number."""

LARGEST = 1 << 28
"""Bytes that one array of a record may take: 36 boxes take 0.3 MB, and a file may claim anything."""

_PIXEL = 1.0
_HALF = 2.0**-9
"""How far a box may leave its image: a pixel, or, as a share of the image, what half precision rounds away."""


class BadRecord(Exception):  # noqa: N818 - becomes a refusal, nobody sees it as an error
    """A record that gives no regions; the text is the reason of the refusal."""


def needed(package: str, path: Path) -> ModuleType:
    """Import a package of the extra `features`; `UsageError` that says what to install where it is missing."""
    try:
        return import_module(package)
    except ImportError as reason:
        raise UsageError(
            f"{path}: reading it needs the package {package}, which is not installed: pip install 'vlaudit[features]'"
        ) from reason


def numbers(fields: Fields, name: str, dtype: type[np.generic]) -> Shaped[np.ndarray, "..."] | None:
    """Return a field as an array of this type, flat where it was base64; None where it is missing or empty."""
    value = fields.get(name)
    if value is None or (isinstance(value, str | bytes) and not value):
        return None
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in ("iu" if np.issubdtype(dtype, np.integer) else "fiu"):
            raise BadRecord(f"{name} must hold {np.dtype(dtype)} numbers, got the type {value.dtype}")
        with np.errstate(all="ignore"):  # what overflows is found to be not finite, and refused
            return value.astype(dtype, copy=False)
    if not isinstance(value, str | bytes):
        raise BadRecord(f"{name} must be base64 or an array, got {type(value).__name__}")
    try:
        decoded = binascii.a2b_base64(value, strict_mode=True)
    except ValueError as reason:
        raise BadRecord(f"{name} is no base64, or was cut short: {reason}") from None
    size = np.dtype(dtype).itemsize
    if len(decoded) % size:
        raise BadRecord(f"{name} holds {len(decoded)} bytes, which is no whole number of {size}-byte numbers")
    return np.frombuffer(decoded, np.dtype(dtype).newbyteorder("<")).astype(dtype, copy=False)


def whole(fields: Fields, name: str) -> int:
    """Return a field as a whole number, 1 to a million."""
    value = fields.get(name, "nothing")
    try:
        number = int(value.item() if isinstance(value, np.ndarray) else value)
    except (TypeError, ValueError, OverflowError):
        raise BadRecord(f"{name} must be a whole number, got {shown(value)}") from None
    if not 1 <= number <= 1_000_000:
        raise BadRecord(f"{name} must be 1 to 1000000, got {number}")
    return number


def region_features(fields: Fields, image_id: str) -> RegionFeatures:
    """Return the regions of one record; `BadRecord` with the reason where its fields contradict each other.

    Where the record has class probabilities and no labels or confidences, both are those of the likeliest class that
    is not the background, which is how e-bug/volta's extraction wrote them (data/flickr30k/extract_flickr30k_image.py).
    """
    width, height = whole(fields, "img_w"), whole(fields, "img_h")
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
        raise BadRecord("it has no features")
    arrays = (
        boxes,
        features,
        classes,
        labels,
        confidence,
        _column(fields, "attrs_id", len(boxes), np.int64),
        _column(fields, "attrs_conf", len(boxes), np.float32),
    )
    return RegionFeatures(image_id, width, height, *map(_frozen, arrays))


def _frozen(array: Any) -> Any:
    if array is not None:
        array.setflags(write=False)
    return array


def _boxes(fields: Fields, width: int, height: int) -> Float32[np.ndarray, "n 4"]:
    boxes = numbers(fields, "boxes", np.float32)
    if boxes is None:
        raise BadRecord("it has no regions")
    if boxes.size % 4 or (boxes.ndim == 2 and boxes.shape[1] != 4):
        raise BadRecord(f"boxes must hold four numbers each, got the shape {boxes.shape}")
    boxes = boxes.reshape(-1, 4)
    if "num_boxes" in fields and whole(fields, "num_boxes") != len(boxes):
        raise BadRecord(f"num_boxes says {whole(fields, 'num_boxes')}, boxes holds {len(boxes)}")
    if not len(boxes):
        raise BadRecord("it has no regions")
    _check_finite("boxes", boxes)
    sides = np.array([width, height, width, height], np.float32)
    slack = _PIXEL if (width, height) != (1, 1) else _HALF
    inside = np.asarray(((boxes >= -slack) & (boxes <= sides + slack)).all(1))
    _check_each(inside, boxes, f"lies outside its image of {width} x {height}")
    clipped: Float32[np.ndarray, "n 4"] = np.clip(boxes, np.float32(0), sides)
    rising = np.asarray((clipped[:, 2:] > clipped[:, :2]).all(1))
    _check_each(rising, boxes, "has no area: x1 y1 x2 y2 must rise")
    return clipped


def _check_each(good: Bool[np.ndarray, "n"], boxes: Float32[np.ndarray, "n 4"], wrong: str) -> None:
    if not good.all():
        index = int(np.argmin(good))
        raise BadRecord(f"box {index} of {len(boxes)} {wrong}: {', '.join(f'{number:g}' for number in boxes[index])}")


def _check_finite(name: str, array: Shaped[np.ndarray, "..."]) -> None:
    if not np.isfinite(array).all():
        raise BadRecord(f"{name} hold {int((~np.isfinite(array)).sum())} numbers that are not finite")


def _check_probabilities(classes: Float32[np.ndarray, "n c"] | None) -> None:
    if classes is None:
        return
    if classes.min() < 0 or abs(classes.sum(1) - 1).max() > 0.01:
        raise BadRecord("cls_prob must hold probabilities that sum to 1 for each region")


def _rows(fields: Fields, name: str, count: int, dtype: type[np.generic]) -> Float32[np.ndarray, "n d"] | None:
    array = numbers(fields, name, dtype)
    if array is None:
        return None
    if not array.size or array.size % count or (array.ndim > 1 and array.shape[0] != count):
        raise BadRecord(f"{name} must hold a row for each of {count} regions, got the shape {array.shape}")
    _check_finite(name, array)
    return array.reshape(count, -1)


def _column(
    fields: Fields, name: str, count: int, dtype: type[np.generic]
) -> Float32[np.ndarray, "n"] | Int64[np.ndarray, "n"] | None:
    array = numbers(fields, name, dtype)
    if array is None:
        return None
    if array.size != count:
        raise BadRecord(f"{name} must hold a number for each of {count} regions, got {array.size}")
    _check_finite(name, array)
    if array.min() < 0:
        raise BadRecord(f"{name} must not be negative, got {array.min()}")
    return array.reshape(count)


class Entry(NamedTuple):
    """A record that was found and not yet read: the image's id in the file's spelling, where it stands, and its key."""

    name: str
    where: str
    key: Any


class Records(ABC):
    """A feature file as a list of entries, each read when it is asked for (see `FeatureFile`).

    The list itself is walked once, at the first question that needs it; iterating from the start needs none.
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
        """Give every record's entry in the file's order, duplicates included."""

    @abstractmethod
    def _fields(self, entry: Entry) -> Fields:
        """Read one record; `BadRecord` where that fails."""

    def _check_start(self) -> None:
        """Read the first good record, which fixes the width; `DataError` where no record is good."""
        first = next(iter(self), None)
        if first is None:
            reason = f"; the first: {self.refusals[0]}" if self.refusals else ""
            raise DataError(f"{self.path}: none of its {len(self.refusals)} records can be read{reason}")
        self.width = first.features.shape[1]

    def ids(self) -> Sequence[str]:
        """Return the ids as the file spells them, in its order."""
        return [entry.name for entry in self._index.values()]

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, image_id: object) -> bool:
        return isinstance(image_id, str) and same_image(image_id) in self._index

    def __iter__(self) -> Iterator[RegionFeatures]:
        """Give the good records in the file's order, and refuse the others."""
        for entry in self._unique() if self._known is None else self._known.values():
            try:
                yield self._read(entry)
            except BadRecord as reason:
                self._refuse(entry.where, str(reason))

    def get(self, image_id: str) -> RegionFeatures:
        """Read one record by any spelling of its id; `RefusedSample` where there is none or it is broken."""
        entry = self._index.get(same_image(image_id))
        if entry is None:
            raise RefusedSample(image_id, f"{self.path.name} has no region features of it")
        try:
            return self._read(entry)
        except BadRecord as reason:
            self._refuse(entry.where, str(reason))
            raise RefusedSample(image_id, f"{self.path.name}: {entry.where}: {reason}") from None

    def describe(self) -> str:
        """Return what was read so far."""
        return (
            f"{self.kind} region features, {self.path.name}: {len(self._read_ids)} images read, "
            f"{self.width} numbers a region, {len(self.refusals)} records refused"
        )

    @property
    def _index(self) -> dict[str, Entry]:
        if self._known is None:
            self._known = {same_image(entry.name): entry for entry in self._unique()}
        return self._known

    def _unique(self) -> Iterator[Entry]:
        seen: set[str] = set()
        for entry in self._entries():
            if not entry.name:
                self._refuse(entry.where, "it has no image id")
            elif same_image(entry.name) in seen:
                self._refuse(entry.where, f"the image {entry.name} is there twice; the first record is kept")
            else:
                seen.add(same_image(entry.name))
                yield entry

    def _read(self, entry: Entry) -> RegionFeatures:
        found = region_features(self._fields(entry), entry.name)
        width = found.features.shape[1]
        if self.width and width != self.width:
            raise BadRecord(f"its features have {width} numbers a region, the file's first record has {self.width}")
        self._read_ids.add(entry.name)
        return found

    def _refuse(self, where: str, reason: str) -> None:
        refusal = Refusal(self.path.name, where, reason)
        if refusal not in self._refused:
            self._refused.add(refusal)
            self.refusals.append(refusal)
