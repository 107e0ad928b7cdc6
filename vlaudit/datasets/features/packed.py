"""Records of UNITER's image files: msgpack with numpy arrays, or npz if compressed.

Format: ChenRocks/UNITER, scripts/convert_imgdir.py and data/data.py (lz4 is used for text files only), and
lebedov/msgpack-numpy for arrays: a map with nd, type, shape, data, and kind in newer versions. Arrays of kind `O`
contain a pickle and are refused.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vlaudit.datasets.features.records import MAX_BYTES, BadRecord, import_optional
from vlaudit.datasets.features.unpickle import UnsafePickle, plain_array, plain_dtype

ARRAYS = ("features", "norm_bb", "conf", "soft_labels")
"""Arrays of an image. Compressed files also contain an option of numpy as an array, which is not read."""


def unpack(data: bytes, path: Path) -> Mapping[str, Any]:
    """Return the arrays of one record; raise `BadRecord` if the format is unknown or an array is not numeric."""
    compressed = data.startswith(b"PK\x03\x04")
    msgpack = None if compressed else import_optional("msgpack", path)
    try:
        held = _from_npz(data) if compressed else _from_msgpack(data, msgpack)
    except (UnsafePickle, ValueError, TypeError, KeyError, OSError, zipfile.BadZipFile, RecursionError) as reason:
        raise BadRecord(f"cannot be read: {reason}") from reason
    wrong = [name for name in held if name in ARRAYS and not isinstance(held[name], np.ndarray)]
    if wrong:
        raise BadRecord(f"{wrong[0]} must be an array, got {type(held[wrong[0]]).__name__}")
    return held


def _from_npz(data: bytes) -> Mapping[str, Any]:
    with zipfile.ZipFile(io.BytesIO(data)) as listed:
        largest = max((member.file_size for member in listed.infolist()), default=0)
    if largest > MAX_BYTES:
        raise BadRecord(f"an array must have at most {MAX_BYTES} bytes, got {largest}")
    with np.load(io.BytesIO(data), allow_pickle=False) as held:
        return {name: held[name] for name in ARRAYS if name in held}


def _from_msgpack(data: bytes, msgpack: Any) -> Mapping[str, Any]:
    try:
        held = msgpack.unpackb(data, raw=False, strict_map_key=False, object_hook=_array)
    except (ValueError, msgpack.exceptions.UnpackException) as reason:
        raise BadRecord(f"not msgpack, or truncated: {reason or type(reason).__name__}") from reason
    if not isinstance(held, dict):
        raise BadRecord(f"the record must be a map of arrays, got {type(held).__name__}")
    return held


def _array(packed: dict[Any, Any]) -> Any:
    named = {key.decode("latin-1") if isinstance(key, bytes) else key: value for key, value in packed.items()}
    if "nd" not in named:
        return packed
    dtype = plain_dtype(named.get("type"))
    if named.get("kind") not in (None, b"", ""):
        raise UnsafePickle("arrays must be numeric, got an array of objects or records")
    return plain_array(named.get("data"), dtype, named.get("shape", ()) if named["nd"] else ())
