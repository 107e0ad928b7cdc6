"""Region features in LMDB, as VOLTA and as UNITER write them; which of both is told by the record of the keys.

VOLTA (e-bug/volta, data/flickr30k/convert_flickr30k_lmdb.py, features_extraction/h5_to_lmdb.py, read by
volta/datasets/_image_features_reader.py): `keys` is a pickled list of ids as bytes; each value is a pickled dict, with
the fields of the TSV as base64 text, or those of the HDF5 file as arrays. Pickles are read by `unpickle`, which runs
nothing. The LMDB of its Conceptual Captions is tensorpack's and is not read.
UNITER (ChenRocks/UNITER, scripts/convert_imgdir.py, data/data.py): `__keys__` is a JSON list of names like
`flickr30k_000000000036.npz`; each value is packed (`packed`) and holds features (n, 2048) in half precision, norm_bb
(n, 6) as x1 y1 x2 y2 width height, all shares of the image, conf (n,) and soft_labels (n, 1601). The size of the image
is not there. A folder named feat_* was cut to its boxes when it was written; of `all` the first rows are kept, as many
as have a confidence above 0.2, at least 10 and at most 100, which are the defaults of its reader.
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
from vlaudit.datasets.features.packed import ARRAYS, unpacked
from vlaudit.datasets.features.records import BadRecord, Entry, Fields, Records, needed
from vlaudit.datasets.features.unpickle import Unsafe, shown, unpickled
from vlaudit.errors import DataError

CONFIDENT, FEWEST, MOST = 0.2, 10, 100
"""The defaults of UNITER's reader for files that keep every box."""

_OPEN: WeakValueDictionary[Path, Any] = WeakValueDictionary()
"""LMDB opens a file once a process, so two readers of one file share it."""


def open_lmdb(path: Path) -> Records:
    """Return the features of an LMDB file or folder, or of the only LMDB folder inside a folder.

    Raises `DataError` where there is none, or several, or its keys are in neither format.
    """
    path = _database(path)
    environment = _environment(path)
    with environment.begin() as transaction:
        pickled, listed = transaction.get(b"keys"), transaction.get(b"__keys__")
    if pickled is not None:
        return VoltaLmdb(path, environment, _volta_names(path, pickled))
    if listed is not None:
        return UniterLmdb(path, environment, _uniter_names(path, listed))
    raise DataError(f"{path}: it is an LMDB without the record `keys` (VOLTA) or `__keys__` (UNITER) that lists images")


def _database(path: Path) -> Path:
    if path.is_file() or (path / "data.mdb").is_file():
        return path
    inside = sorted(found.parent for found in path.glob("*/data.mdb"))
    if len(inside) != 1:
        names = ", ".join(folder.name for folder in inside) or "none"
        raise DataError(f"{path}: it must be an LMDB folder (with data.mdb) or hold one; inside it there are: {names}")
    return inside[0]


def _environment(path: Path) -> Any:
    lmdb = needed("lmdb", path)
    known = _OPEN.get(path.resolve())
    if known is not None:
        return known
    try:
        opened = lmdb.open(str(path), subdir=path.is_dir(), readonly=True, create=False, lock=False, readahead=False)
    except lmdb.Error as reason:
        raise DataError(f"{path}: it cannot be opened as LMDB: {reason}") from reason
    _OPEN[path.resolve()] = opened
    return opened


def _volta_names(path: Path, pickled: bytes) -> list[str]:
    try:
        names = unpickled(pickled)
    except Unsafe as reason:
        raise DataError(f"{path}: its record `keys` is refused: {reason}") from reason
    if not isinstance(names, list) or not all(isinstance(name, bytes | str) for name in names):
        raise DataError(f"{path}: its record `keys` must be a list of image ids, got {shown(names)}")
    return [name.decode("utf-8", "replace") if isinstance(name, bytes) else name for name in names]


def _uniter_names(path: Path, listed: bytes) -> list[str]:
    try:
        names = json.loads(listed)
    except (ValueError, RecursionError) as reason:
        raise DataError(f"{path}: its record `__keys__` must be JSON (UNITER), but it is not: {reason}") from reason
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataError(f"{path}: its record `__keys__` must be a list of names, got {shown(names)}")
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
        except needed("lmdb", self.path).Error as reason:
            raise BadRecord(f"it cannot be read: {reason}") from reason
        if value is None:
            raise BadRecord("the list of keys names it, but there is no such record")
        return self._decoded(value)

    @abstractmethod
    def _decoded(self, value: bytes) -> Fields:
        """Return the fields of a record's bytes."""


class VoltaLmdb(_Lmdb):
    """An LMDB of pickled records, base64 or arrays."""

    kind = "VOLTA's LMDB"

    def _decoded(self, value: bytes) -> Fields:
        try:
            record = unpickled(value)
        except Unsafe as reason:
            raise BadRecord(str(reason)) from reason
        if not isinstance(record, dict):
            raise BadRecord(f"it must hold a dict of fields, got {type(record).__name__}")
        return {hdf5.NAMES.get(name, name): held for name, held in record.items() if isinstance(name, str)}


class UniterLmdb(_Lmdb):
    """An LMDB of packed records with boxes as shares of the image (see `RegionFeatures.fitted`)."""

    kind = "UNITER's LMDB"

    def _decoded(self, value: bytes) -> Fields:
        record = unpacked(value, self.path)
        missing = [name for name in ("features", "norm_bb") if name not in record]
        if missing:
            raise BadRecord(f"it has no {missing[0]}")
        if record["norm_bb"].ndim != 2 or record["norm_bb"].shape[1] < 6:
            raise BadRecord(f"norm_bb must have the shape (regions, 6), got {record['norm_bb'].shape}")
        kept = {name: record[name][: self._keep(record)] for name in ARRAYS if name in record and record[name].ndim}
        return {
            "img_w": 1,
            "img_h": 1,
            "boxes": kept["norm_bb"][:, :4],
            "features": kept.get("features"),
            "objects_conf": kept.get("conf"),
            "cls_prob": kept.get("soft_labels"),
        }

    def _keep(self, record: Mapping[str, Any]) -> int | None:
        if not self.path.name.startswith("all") or "conf" not in record:
            return None
        return int(np.clip((record["conf"] > CONFIDENT).sum(), FEWEST, MOST))
