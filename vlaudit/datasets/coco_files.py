"""Location of COCO files in a folder, and validated reading of their JSON."""

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
"""Required keys of a record, with their types."""

_FOLDERS = ("", "images", "{split}", "images/{split}")
_SPLITS = ("train2017", "val2017", "test2017", "train2014", "val2014")


def find_captions(folder: Path, chosen: str = "") -> Path:
    """Return the captions file of a folder: the chosen one, or the only captions_*.json in it or in annotations/."""
    if not folder.is_dir():
        raise DataError(f"coco:{folder}: the folder does not exist")
    if chosen:
        if not (folder / chosen).is_file():
            raise DataError(
                f"coco:{folder}: captions={chosen} must name an existing file; not found: {folder / chosen}"
            )
        return folder / chosen
    found = [*sorted(folder.glob("annotations/captions_*.json")), *sorted(folder.glob("captions_*.json"))]
    if not found:
        raise DataError(
            f"coco:{folder}: no captions file found; looked for annotations/captions_*.json and captions_*.json; "
            "specify one with ,captions=FILE"
        )
    if len(found) > 1:
        names = ", ".join(str(path.relative_to(folder)) for path in found)
        raise DataError(f"coco:{folder}: found several captions files ({names}); choose one with ,captions=FILE")
    return found[0]


def find_instances(captions: Path) -> Path | None:
    """Return the instances file of the same split and folder as the captions file, or None."""
    instances = captions.with_name(captions.name.replace("captions_", "instances_", 1))
    return instances if instances != captions and instances.is_file() else None


def find_images(folder: Path, chosen: str, images: Sequence[Record], captions: Path) -> Path:
    """Return the image folder: the chosen one, or the one of DIR, DIR/images, DIR/val2017, ... with most images."""
    if chosen:
        if not (folder / chosen).is_dir():
            raise DataError(
                f"coco:{folder}: images={chosen} must name an existing folder; not found: {folder / chosen}"
            )
        return folder / chosen
    places = [pattern.format(split=split) for pattern in _FOLDERS for split in _SPLITS]
    candidates = [folder / place for place in dict.fromkeys(places) if (folder / place).is_dir()]
    held = {place: sum(_holds(names, place, record) for record in images) for place, names in _listed(candidates)}
    best = max(candidates, key=lambda place: held[place])
    if not held[best]:
        looked = ", ".join(str(place.relative_to(folder)) for place in candidates)
        raise DataError(
            f"coco:{folder}: none of the {len(images)} images listed in {captions.name} was found; looked in {looked}; "
            "specify another folder with ,images=DIR"
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
    """Return the possible file names of an image: the stated one, then the same in the styles of 2017 and 2014.

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
    """Return the JSON object of a file; raise `DataError` if the file contains none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as reason:
        raise DataError(f"{path}: must be JSON in UTF-8; byte {reason.start} is not valid UTF-8") from reason
    except OSError as reason:
        raise DataError(f"{path}: cannot be read: {reason.strerror}") from reason
    except (ValueError, RecursionError) as reason:
        raise DataError(f"{path}: must be valid JSON: {reason}") from reason
    if not isinstance(content, dict):
        raise DataError(f"{path}: must contain a JSON object with images and annotations, got {_type_name(content)}")
    return content


def records(content: Mapping[str, Any], key: str, path: Path, types: Types) -> tuple[list[Record], list[Refusal]]:
    """Return the records under `key` that have all keys of `types` with their types, and refusals of the others."""
    listed = content.get(key)
    if not isinstance(listed, list):
        found = f"{key!r} is {_type_name(listed)}" if key in content else f"there is no {key!r}"
        raise DataError(f"{path}: must contain a list under the key {key!r}, but {found}")
    valid, refused = [], []
    for index, record in enumerate(listed):
        problem = _problem(record, types)
        if problem:
            refused.append(Refusal(path.name, f"{key}[{index}]", problem))
        else:
            valid.append(record)
    return valid, refused


def _problem(record: object, types: Types) -> str:
    """Return why a record is invalid, or the empty string."""
    if not isinstance(record, dict):
        return f"the record must be an object, got {_type_name(record)}"
    for key, required in types.items():
        if key not in record:
            return f"missing key {key!r}"
        if not isinstance(record[key], required) or isinstance(record[key], bool):
            return f"{key!r} must be {_type_names(required)}, got {_type_name(record[key])}"
    return ""


_TYPE_NAMES = {
    str: "a string",
    int: "an integer",
    float: "a number",
    list: "a list",
    dict: "an object",
    bool: "a boolean",
}


def _type_name(value: object) -> str:
    return "null" if value is None else _TYPE_NAMES.get(type(value), type(value).__name__)


def _type_names(required: type | tuple[type, ...]) -> str:
    return " or ".join(_TYPE_NAMES[one] for one in (required if isinstance(required, tuple) else (required,)))
