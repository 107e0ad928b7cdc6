r"""Region features as lines of text: one image a line, fields between tabs, arrays in base64 (little-endian).

There is no header, so the number of fields says what they are:
- 6 (peteanderson80/bottom-up-attention, tools/generate_tsv.py): image_id, image_w, image_h, num_boxes, boxes,
  features. Width before height.
- 10 (airsplay/py-bottom-up-attention, demo/data; e-bug/volta, features_extraction/large_tsv_to_h5.py): img_id,
  img_h, img_w, objects_id, objects_conf, attrs_id, attrs_conf, num_boxes, boxes, features. Height before width.
- 13 (e-bug/volta, data/flickr30k/extract_flickr30k_image.py): these, then cls_prob, attrs, classes. `attrs` and
  `classes` (the scores behind attrs_conf and the box-regressed class scores) are not read.

Ids are int64, all else float32. Python's csv module wrote the lines, with `\r\n` at their ends and no quotes.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

from vlaudit.datasets.features.records import LARGEST, BadRecord, Entry, Fields, Records
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
"""Number of fields to their names."""

_LONGEST_ID = 1024


class TsvFeatures(Records):
    """A TSV of region features, mapped into memory: finding a record reads no more than where its line ends.

    The first line says how many fields every line has. Lines without any text are skipped.
    Raises `DataError` where the file is empty, has another number of fields, or holds no record that can be read.
    """

    kind = "TSV"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        if not path.stat().st_size:
            raise DataError(f"{path}: the file is empty")
        with path.open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        first = self._bytes.find(b"\n", 0, LARGEST)
        if first < 0 and len(self._bytes) > LARGEST:
            raise DataError(f"{path}: its first line takes more than {LARGEST} bytes, no record does")
        count = 1 + self._bytes[: first if first >= 0 else len(self._bytes)].count(b"\t")
        if count not in LAYOUTS:
            known = ", ".join(f"{number} ({' '.join(names)})" for number, names in LAYOUTS.items())
            raise DataError(
                f"{path}: its first line has {count} fields between tabs; a TSV of region features has {known}"
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
                tab = self._bytes.find(b"\t", start, min(end, start + _LONGEST_ID))
                name = self._bytes[start : max(tab, start)].decode("utf-8", "replace")
                yield Entry(name, f"line {number}{f' ({name})' if name else ''}", (start, end))
            start = (found if found >= 0 else len(self._bytes)) + 1

    def _fields(self, entry: Entry) -> Fields:
        start, end = entry.key
        if end - start > LARGEST:
            raise BadRecord(f"the line takes more than {LARGEST} bytes")
        values = self._bytes[start:end].split(b"\t")
        if len(values) != len(self._layout):
            raise BadRecord(f"it has {len(values)} fields, the first line has {len(self._layout)}")
        return dict(zip(self._layout, values, strict=True))
