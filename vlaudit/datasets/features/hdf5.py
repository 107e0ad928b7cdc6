"""Region features in HDF5: a group for each image, its arrays as data sets.

Written by e-bug/volta, features_extraction/large_tsv_to_h5.py (and so by the extraction scripts beside it, which keep
j-min/VL-T5's format): the group is named by the image id and holds features (n, 2048), obj_id, obj_conf, attr_id,
attr_conf (n,), boxes (n, 4) in pixels, img_w, img_h. `cls_prob` (n, 1601) is read where a file has it.
The older layout with one array `features` for all images (the docstring of VOLTA's ImageFeaturesH5Reader) has no boxes
and cannot be used.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vlaudit.datasets.features.records import LARGEST, BadRecord, Entry, Fields, Records, needed
from vlaudit.errors import DataError

NAMES = {
    "img_w": "img_w",
    "img_h": "img_h",
    "obj_id": "objects_id",
    "obj_conf": "objects_conf",
    "attr_id": "attrs_id",
    "attr_conf": "attrs_conf",
    "boxes": "boxes",
    "features": "features",
    "cls_prob": "cls_prob",
}
"""What HDF5 files call a field, and what the TSV calls it."""


class Hdf5Features(Records):
    """An HDF5 file of region features.

    Raises `DataError` where it is no HDF5, has the layout without boxes, or holds no record that can be read.
    """

    kind = "HDF5"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._h5py = needed("h5py", path)
        try:
            self._file = self._h5py.File(path, "r")
        except OSError as reason:
            raise DataError(f"{path}: it cannot be opened as HDF5: {reason}") from reason
        if isinstance(self._file.get("features"), self._h5py.Dataset):
            raise DataError(f"{path}: it holds one array of features for all images and no boxes; boxes are needed")
        self._check_start()

    def _entries(self) -> Iterator[Entry]:
        for name in self._file:
            yield Entry(name, f"group {name}", name)

    def _fields(self, entry: Entry) -> Fields:
        try:
            group = self._file[entry.key]
            if not isinstance(group, self._h5py.Group):
                raise BadRecord("it must be a group that holds the arrays of one image")
            return {NAMES[name]: self._array(held, name) for name, held in group.items() if name in NAMES}
        except (OSError, RuntimeError, KeyError, ValueError) as reason:
            raise BadRecord(f"it cannot be read: {reason}") from reason

    def _array(self, stored: Any, name: str) -> Any:
        dtype = stored.dtype if isinstance(stored, self._h5py.Dataset) else None
        if dtype is None or dtype.kind not in "fiu":
            raise BadRecord(f"{name} must hold numbers, got {dtype or 'a group'}")
        if stored.size * dtype.itemsize > LARGEST:
            raise BadRecord(f"{name} must not take more than {LARGEST} bytes, got the shape {stored.shape}")
        return stored[...]
