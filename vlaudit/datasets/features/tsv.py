r"""Region features as text: one image per line, fields separated by tabs, arrays in base64 (little-endian).

There is no header; the number of fields determines the layout:
- 6 (peteanderson80/bottom-up-attention, tools/generate_tsv.py): image_id, image_w, image_h, num_boxes, boxes,
  features. Width before height.
- 10 (airsplay/py-bottom-up-attention, demo/data; e-bug/volta, features_extraction/large_tsv_to_h5.py): img_id,
  img_h, img_w, objects_id, objects_conf, attrs_id, attrs_conf, num_boxes, boxes, features. Height before width.
- 13 (e-bug/volta, data/flickr30k/extract_flickr30k_image.py): the same, then cls_prob, attrs, classes. `attrs`
  (attribute scores) and `classes` (class scores of the regressed boxes) are not read.

Ids are int64, other arrays float32. The lines are written by Python's csv module, end with `\r\n` and have no quotes.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

from vlaudit.datasets.features.records import MAX_BYTES, BadRecord, Entry, Fields, Records
from vlaudit.errors import DataError

_TEN = (
    "img_id",
    "img_h",
    "img_w",
    "objects_id",
    "objects_conf",
    "attrs_id",
    "attrs_conf",
    "num_boxes",
    "boxes",
    "features",
)
LAYOUTS: dict[int, tuple[str, ...]] = {
    6: ("img_id", "img_w", "img_h", "num_boxes", "boxes", "features"),
    10: _TEN,
    13: (*_TEN, "cls_prob", "attrs", "classes"),
}
"""Field names by number of fields."""

_MAX_ID_BYTES = 1024


class TsvFeatures(Records):
    """A memory-mapped TSV of region features, in which records are located by searching for line ends.

    All lines must have as many fields as the first. Empty lines are skipped. Raises `DataError` if the file is empty,
    has an unknown number of fields, or has no valid record.
    """

    kind = "TSV"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        if not path.stat().st_size:
            raise DataError(f"{path}: the file is empty")
        with path.open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        first = self._bytes.find(b"\n", 0, MAX_BYTES)
        if first < 0 and len(self._bytes) > MAX_BYTES:
            raise DataError(f"{path}: lines must have at most {MAX_BYTES} bytes, the first has more")
        count = 1 + self._bytes[: first if first >= 0 else len(self._bytes)].count(b"\t")
        if count not in LAYOUTS:
            known = ", ".join(f"{number} ({' '.join(names)})" for number, names in LAYOUTS.items())
            raise DataError(
                f"{path}: a TSV of region features must have {known} fields separated by tabs, "
                f"got {count} in the first line"
            )
        self._layout = LAYOUTS[count]
        self._check_start()

    def _entries(self) -> Iterator[Entry]:
        start, number = 0, 0
        while start < len(self._bytes):
            number += 1
            found = self._bytes.find(b"\n", start)
            end = found if found >= 0 else len(self._bytes)
            if self._bytes[end - 1 : end] == b"\r":
                end -= 1
            if end > start:
                tab = self._bytes.find(b"\t", start, min(end, start + _MAX_ID_BYTES))
                name = self._bytes[start : max(tab, start)].decode("utf-8", "replace")
                yield Entry(name, f"line {number}{f' ({name})' if name else ''}", (start, end))
            start = (found if found >= 0 else len(self._bytes)) + 1

    def _fields(self, entry: Entry) -> Fields:
        start, end = entry.key
        if end - start > MAX_BYTES:
            raise BadRecord(f"the line must have at most {MAX_BYTES} bytes")
        values = self._bytes[start:end].split(b"\t")
        if len(values) != len(self._layout):
            raise BadRecord(f"the line must have {len(self._layout)} fields as the first line, got {len(values)}")
        return dict(zip(self._layout, values, strict=True))
