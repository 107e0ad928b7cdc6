"""Region features in LMDB, in the formats of VOLTA and UNITER, which differ by the record that lists the keys.

VOLTA (e-bug/volta, data/flickr30k/convert_flickr30k_lmdb.py, features_extraction/h5_to_lmdb.py, read by
volta/datasets/_image_features_reader.py): `keys` is a pickled list of ids as bytes. Each value is a pickled dict with
the fields of the TSV as base64 text, or with the fields of the HDF5 file as arrays. The module `unpickle` reads pickles
without executing them. The LMDB of VOLTA's Conceptual Captions is in tensorpack's format and is not supported.

UNITER (ChenRocks/UNITER, scripts/convert_imgdir.py, data/data.py): `__keys__` is a JSON list of names like
`flickr30k_000000000036.npz`. Each value is packed (module `packed`) and contains features (n, 2048) in half precision,
norm_bb (n, 6) as x1 y1 x2 y2 width height in fractions of the image, conf (n,) and soft_labels (n, 1601). The image
size is not stored. Folders named feat_* contain the selected boxes only. Of a folder named `all`, the first rows are
kept: as many as have a confidence above 0.2, at least 10 and at most 100, which are the defaults of UNITER's reader.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from vlaudit.datasets.features import hdf5
from vlaudit.datasets.features.packed import ARRAYS, unpack
from vlaudit.datasets.features.records import BadRecord, Entry, Fields, Records, import_optional
from vlaudit.datasets.features.unpickle import UnsafePickle, load_plain, preview
from vlaudit.errors import DataError

MIN_CONFIDENCE, MIN_BOXES, MAX_BOXES = 0.2, 10, 100
"""The defaults of UNITER's reader for files with all boxes."""

_OPEN: WeakValueDictionary[Path, Any] = WeakValueDictionary()
"""Open environments by path: LMDB allows one per file and process."""


def open_lmdb(path: Path) -> Records:
    """Return the features of an LMDB file or folder, or of the only LMDB folder inside a folder.

    Raises `DataError` if there is none or more than one, or if the keys are in neither format.
    """
    path = _database(path)
    environment = _environment(path)
    with environment.begin() as transaction:
        pickled, listed = transaction.get(b"keys"), transaction.get(b"__keys__")
    if pickled is not None:
        return VoltaLmdb(path, environment, _volta_names(path, pickled))
    if listed is not None:
        return UniterLmdb(path, environment, _uniter_names(path, listed))
    raise DataError(f"{path}: must have a record `keys` (VOLTA) or `__keys__` (UNITER) that lists the images, has none")


def _database(path: Path) -> Path:
    if path.is_file() or (path / "data.mdb").is_file():
        return path
    inside = sorted(found.parent for found in path.glob("*/data.mdb"))
    if len(inside) != 1:
        names = ", ".join(folder.name for folder in inside) or "none"
        raise DataError(f"{path}: must be an LMDB folder (with data.mdb) or contain exactly one, found: {names}")
    return inside[0]


def _environment(path: Path) -> Any:
    lmdb = import_optional("lmdb", path)
    known = _OPEN.get(path.resolve())
    if known is not None:
        return known
    try:
        opened = lmdb.open(str(path), subdir=path.is_dir(), readonly=True, create=False, lock=False, readahead=False)
    except lmdb.Error as reason:
        raise DataError(f"{path}: cannot be opened as LMDB: {reason}") from reason
    _OPEN[path.resolve()] = opened
    return opened


def _volta_names(path: Path, pickled: bytes) -> list[str]:
    try:
        names = load_plain(pickled)
    except UnsafePickle as reason:
        raise DataError(f"{path}: the record `keys` is refused: {reason}") from reason
    if not isinstance(names, list) or not all(isinstance(name, bytes | str) for name in names):
        raise DataError(f"{path}: the record `keys` must be a list of image ids, got {preview(names)}")
    return [name.decode("utf-8", "replace") if isinstance(name, bytes) else name for name in names]


def _uniter_names(path: Path, listed: bytes) -> list[str]:
    try:
        names = json.loads(listed)
    except (ValueError, RecursionError) as reason:
        raise DataError(f"{path}: the record `__keys__` must be valid JSON: {reason}") from reason
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataError(f"{path}: the record `__keys__` must be a list of names, got {preview(names)}")
    return names


class _Lmdb(Records):
    def __init__(self, path: Path, environment: Any, names: list[str]) -> None:
        super().__init__(path)
        self._environment = environment
        self._names = names
        self._check_start()

    def _entries(self) -> Iterator[Entry]:
        for name in self._names:
            yield Entry(name, f"key {name}", name.encode("utf-8", "surrogatepass"))

    def _fields(self, entry: Entry) -> Fields:
        try:
            with self._environment.begin() as transaction:
                value = transaction.get(entry.key)
        except import_optional("lmdb", self.path).Error as reason:
            raise BadRecord(f"cannot be read: {reason}") from reason
        if value is None:
            raise BadRecord("listed in the keys, but the record does not exist")
        return self._decoded(value)

    @abstractmethod
    def _decoded(self, value: bytes) -> Fields:
        """Decode the fields of a record."""


class VoltaLmdb(_Lmdb):
    """An LMDB of pickled records, with base64 text or arrays."""

    kind = "VOLTA's LMDB"

    def _decoded(self, value: bytes) -> Fields:
        try:
            record = load_plain(value)
        except UnsafePickle as reason:
            raise BadRecord(str(reason)) from reason
        if not isinstance(record, dict):
            raise BadRecord(f"the record must be a dict of fields, got {type(record).__name__}")
        return {hdf5.NAMES.get(name, name): held for name, held in record.items() if isinstance(name, str)}


class UniterLmdb(_Lmdb):
    """An LMDB of packed records with boxes as fractions of the image (see `RegionFeatures.scaled_to`)."""

    kind = "UNITER's LMDB"

    def _decoded(self, value: bytes) -> Fields:
        record = unpack(value, self.path)
        missing = [name for name in ("features", "norm_bb") if name not in record]
        if missing:
            raise BadRecord(f"missing field {missing[0]}")
        if record["norm_bb"].ndim != 2 or record["norm_bb"].shape[1] < 6:
            raise BadRecord(f"norm_bb must have shape (regions, 6), got {record['norm_bb'].shape}")
        count = self._box_count(record)
        kept = {name: record[name][:count] for name in ARRAYS if name in record and record[name].ndim}
        return {
            "img_w": 1,
            "img_h": 1,
            "boxes": kept["norm_bb"][:, :4],
            "features": kept.get("features"),
            "objects_conf": kept.get("conf"),
            "cls_prob": kept.get("soft_labels"),
        }

    def _box_count(self, record: Mapping[str, Any]) -> int | None:
        if not self.path.name.startswith("all") or "conf" not in record:
            return None
        return int(np.clip((record["conf"] > MIN_CONFIDENCE).sum(), MIN_BOXES, MAX_BOXES))
