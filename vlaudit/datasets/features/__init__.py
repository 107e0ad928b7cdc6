"""Precomputed region features of a detector: TSV, HDF5 and LMDB files, read one record at a time.

Importing this package reads no files. h5py, lmdb and msgpack (the extra `features`) are imported when needed.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from vlaudit.datasets.features.base import FeatureFile, RegionFeatures, normalized_id, require_shared
from vlaudit.errors import DataError

__all__ = ["FeatureFile", "RegionFeatures", "normalized_id", "open_features", "require_shared"]

_HDF5 = b"\x89HDF\r\n\x1a\n"
_LMDB = b"\xde\xc0\xef\xbe"  # after a page header of 16 bytes, little-endian


def open_features(path: str | Path) -> FeatureFile:
    """Return the region features of a TSV, HDF5 or LMDB file (or LMDB folder); its content determines the format.

    Reads one record. Raises `DataError` if the format is unknown or no record is valid, and `UsageError` if a required
    package is not installed.
    """
    path = Path(path)
    module, opener = _reader(path)
    opened: FeatureFile = getattr(import_module(f"{__name__}.{module}"), opener)(path)
    return opened


def _reader(path: Path) -> tuple[str, str]:
    if path.is_dir():
        return "lmdb", "open_lmdb"
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as reason:
        raise DataError(f"{path}: the feature file cannot be read: {reason.strerror}") from reason
    if head.startswith(_HDF5):
        return "hdf5", "Hdf5Features"
    if head[16:20] == _LMDB:
        return "lmdb", "open_lmdb"
    if head and b"\t" not in head:
        raise DataError(f"{path}: a file of region features must be HDF5, LMDB or text with tabs; it is none of these")
    return "tsv", "TsvFeatures"
