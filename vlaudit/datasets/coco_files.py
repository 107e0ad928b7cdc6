"""Find COCO's files in a user's folder, and read their JSON without trusting it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vlaudit.datasets.base import Refusal
from vlaudit.datasets.images import UnreadableImage, inside
from vlaudit.errors import DataError

Record = Mapping[str, Any]

Types = Mapping[str, type | tuple[type, ...]]
"""What each key of a record must hold."""

_FOLDERS = ("", "images", "{split}", "images/{split}")
_SPLITS = ("train2017", "val2017", "test2017", "train2014", "val2014")


def find_captions(folder: Path, chosen: str = "") -> Path:
    """Return the captions file of a folder: the chosen one, or the only captions_*.json there or in annotations/."""
    if not folder.is_dir():
        raise DataError(f"coco:{folder}: there is no such folder")
    if chosen:
        if not (folder / chosen).is_file():
            raise DataError(f"coco:{folder}: captions={chosen} names no file; there is no {folder / chosen}")
        return folder / chosen
    found = [*sorted(folder.glob("annotations/captions_*.json")), *sorted(folder.glob("captions_*.json"))]
    if not found:
        raise DataError(
            f"coco:{folder}: there is no captions file: looked for annotations/captions_*.json and captions_*.json; "
            "name another with ,captions=FILE"
        )
    if len(found) > 1:
        names = ", ".join(str(path.relative_to(folder)) for path in found)
        raise DataError(f"coco:{folder}: there are several captions files ({names}); choose one with ,captions=FILE")
    return found[0]


def find_instances(captions: Path) -> Path | None:
    """Return the instances file beside the captions file of the same split, where there is one."""
    beside = captions.with_name(captions.name.replace("captions_", "instances_", 1))
    return beside if beside != captions and beside.is_file() else None


def find_images(folder: Path, chosen: str, images: Sequence[Record], captions: Path) -> Path:
    """Return the folder that holds most of the images: the chosen one, DIR, DIR/images, DIR/val2017 and the like."""
    if chosen:
        if not (folder / chosen).is_dir():
            raise DataError(f"coco:{folder}: images={chosen} names no folder; there is no {folder / chosen}")
        return folder / chosen
    places = [pattern.format(split=split) for pattern in _FOLDERS for split in _SPLITS]
    candidates = [folder / place for place in dict.fromkeys(places) if (folder / place).is_dir()]
    held = {place: sum(_holds(names, place, record) for record in images) for place, names in _listed(candidates)}
    best = max(candidates, key=lambda place: held[place])
    if not held[best]:
        looked = ", ".join(str(place.relative_to(folder)) for place in candidates)
        raise DataError(
            f"coco:{folder}: none of the {len(images)} images that {captions.name} names is there; looked in {looked}; "
            "name another folder with ,images=DIR"
        )
    return best


def _listed(places: Sequence[Path]) -> Iterator[tuple[Path, frozenset[str]]]:
    for place in places:
        yield place, frozenset(entry.name for entry in os.scandir(place))


def _holds(listed: frozenset[str], place: Path, record: Record) -> bool:
    for name in names_of(record):
        if name in listed:
            return True
        if "/" in name:
            try:
                return inside(place, name).is_file()
            except UnreadableImage:
                return False
    return False


def names_of(record: Record) -> tuple[str, ...]:
    """Return the names that an image may have: the one stated, then those of the other years' style.

    >>> names_of({"file_name": "000000000009.jpg"})
    ('000000000009.jpg', 'COCO_train2014_000000000009.jpg', 'COCO_val2014_000000000009.jpg')
    """
    stated: str = record["file_name"]
    numbered = re.fullmatch(r"(?:COCO_(?:train|val)2014_)?(\d{12}\.jpg)", stated)
    if not numbered:
        return (stated,)
    styles = (numbered[1], f"COCO_train2014_{numbered[1]}", f"COCO_val2014_{numbered[1]}")
    return tuple(dict.fromkeys((stated, *styles)))


def load(path: Path) -> dict[str, Any]:
    """Return the JSON object of a file; `DataError` where it is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as reason:
        raise DataError(f"{path}: it must be JSON in UTF-8, but byte {reason.start} is not UTF-8") from reason
    except OSError as reason:
        raise DataError(f"{path}: it cannot be read: {reason.strerror}") from reason
    except (ValueError, RecursionError) as reason:
        raise DataError(f"{path}: it must be JSON, but it is not: {reason}") from reason
    if not isinstance(content, dict):
        raise DataError(f"{path}: it must hold a JSON object with images and annotations, got {_kind(content)}")
    return content


def records(content: Mapping[str, Any], key: str, path: Path, types: Types) -> tuple[list[Record], list[Refusal]]:
    """Return the records of one list that hold every key of `types` in its type, and a refusal for each other."""
    listed = content.get(key)
    if not isinstance(listed, list):
        came = f"{key!r} is {_kind(listed)}" if key in content else f"there is no {key!r}"
        raise DataError(f"{path}: it must hold a list under the key {key!r}, but {came}")
    good, refused = [], []
    for index, record in enumerate(listed):
        wrong = _wrong(record, types)
        if wrong:
            refused.append(Refusal(path.name, f"{key}[{index}]", wrong))
        else:
            good.append(record)
    return good, refused


def _wrong(record: object, types: Types) -> str:
    if not isinstance(record, dict):
        return f"it must be an object, got {_kind(record)}"
    for key, wanted in types.items():
        if key not in record:
            return f"it has no {key!r}"
        if not isinstance(record[key], wanted) or isinstance(record[key], bool):
            return f"its {key!r} must be {_named(wanted)}, got {_kind(record[key])}"
    return ""


_KINDS = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "an object",
    bool: "true or false",
}


def _kind(value: object) -> str:
    return "null" if value is None else _KINDS.get(type(value), type(value).__name__)


def _named(wanted: type | tuple[type, ...]) -> str:
    return " or ".join(_KINDS[one] for one in (wanted if isinstance(wanted, tuple) else (wanted,)))
