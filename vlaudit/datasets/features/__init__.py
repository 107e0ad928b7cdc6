"""Region features that a detector wrote beforehand: TSV, HDF5 and LMDB files, one record read at a time.

Importing this package reads nothing; h5py, lmdb and msgpack (the extra `features`) are imported by the files that
need them.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from vlaudit.datasets.features.base import FeatureFile, RegionFeatures, require_shared, same_image
from vlaudit.errors import DataError

__all__ = ["FeatureFile", "RegionFeatures", "open_features", "require_shared", "same_image"]

_HDF5 = b"\x89HDF\r\n\x1a\n"
_LMDB = b"\xde\xc0\xef\xbe"  # after a page header of 16 bytes, little-endian


def open_features(path: str | Path) -> FeatureFile:
    """Return the region features of a file by what it holds, whatever its name: TSV, HDF5, or LMDB (or its folder).

    One record is read, so that a file that is none of these, or that no record can be read from, says so at once.
    Raises `DataError` there, and `UsageError` where a package is missing.
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
        raise DataError(f"{path}: it is no file of region features: it is neither HDF5 nor LMDB nor text with tabs")
    return "tsv", "TsvFeatures"
