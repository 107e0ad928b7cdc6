"""Region features in HDF5: one group per image, with its arrays as data sets.

Format: e-bug/volta, features_extraction/large_tsv_to_h5.py and the extraction scripts in that folder, which use
the format of j-min/VL-T5. The name of a group is the image id; it contains features (n, 2048), obj_id, obj_conf,
attr_id, attr_conf (n,), boxes (n, 4) in pixels, img_w, img_h, and optionally cls_prob (n, 1601).
The older layout with one array `features` for all images (docstring of VOLTA's ImageFeaturesH5Reader) has no boxes and
is not supported.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vlaudit.datasets.features.records import MAX_BYTES, BadRecord, Entry, Fields, Records, import_optional
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
"""TSV field name by HDF5 field name."""


class Hdf5Features(Records):
    """An HDF5 file of region features.

    Raises `DataError` if the file is not HDF5, has the layout without boxes, or has no valid record.
    """

    kind = "HDF5"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._h5py = import_optional("h5py", path)
        try:
            self._file = self._h5py.File(path, "r")
        except OSError as reason:
            raise DataError(f"{path}: cannot be opened as HDF5: {reason}") from reason
        if isinstance(self._file.get("features"), self._h5py.Dataset):
            raise DataError(
                f"{path}: must have one group per image with boxes and features, got one array of features for all "
                "images without boxes; extract the features again with boxes"
            )
        self._check_start()

    def _entries(self) -> Iterator[Entry]:
        for name in self._file:
            yield Entry(name, f"group {name}", name)

    def _fields(self, entry: Entry) -> Fields:
        try:
            group = self._file[entry.key]
            if not isinstance(group, self._h5py.Group):
                raise BadRecord("the record must be a group with the arrays of one image")
            return {NAMES[name]: self._array(held, name) for name, held in group.items() if name in NAMES}
        except (OSError, RuntimeError, KeyError, ValueError) as reason:
            raise BadRecord(f"cannot be read: {reason}") from reason

    def _array(self, stored: Any, name: str) -> Any:
        dtype = stored.dtype if isinstance(stored, self._h5py.Dataset) else None
        if dtype is None or dtype.kind not in "fiu":
            raise BadRecord(f"{name} must hold numbers, got {dtype or 'a group'}")
        if stored.size * dtype.itemsize > MAX_BYTES:
            raise BadRecord(f"{name} must have at most {MAX_BYTES} bytes, got shape {stored.shape}")
        return stored[...]
