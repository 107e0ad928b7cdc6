"""Annotations of Flickr30k Entities: one XML file per image, with the boxes of its coreference chains."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from xml.etree import ElementTree as ET
from xml.parsers import expat

from vlaudit.datasets.flickr30k.sentences import Malformed
from vlaudit.samples import Box

MAX_BYTES = 1 << 20
"""Maximum size of an annotation file; published ones are about a hundredth of this."""

_CORNERS = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True)
class Annotation:
    """Annotation of an image: its size in pixels, and its boxes with the coreference chains that each shows.

    Objects with equal boxes are merged. `unboxed` lists the chains that are marked as a scene or as having no box.
    `faults` lists invalid objects as (location in the file, reason).
    """

    width: int
    height: int
    boxes: tuple[tuple[Box, tuple[str, ...]], ...]
    unboxed: tuple[str, ...]
    faults: tuple[tuple[str, str], ...]


def read_annotation(path: Path) -> Annotation:
    """Read an annotation file; raise `Malformed` with the reason if it is invalid.

    Corners in the file are inclusive and count from 1; they are converted to half-open boxes from 0. For instance,
    xmin 53, ymin 45, xmax 110, ymax 203 is `Box(52, 44, 110, 203)`, 58 x 159 pixels. Boxes are clipped to the image.
    """
    root = _checked(path)
    width, height = _size(root)
    boxes: dict[Box, dict[str, None]] = {}
    unboxed: dict[str, None] = {}
    faults = []
    for number, part in enumerate(root.iterfind("object"), start=1):
        try:
            box, names = _object(part, width, height)
        except Malformed as reason:
            faults.append((f"object {number}", str(reason)))
            continue
        if box is None:
            unboxed.update(dict.fromkeys(names))
        else:
            boxes.setdefault(box, {}).update(dict.fromkeys(names))
    return Annotation(
        width, height, tuple((box, tuple(names)) for box, names in boxes.items()), (*unboxed,), (*faults,)
    )


def _checked(path: Path) -> ET.Element:
    """Return the root element; raise `Malformed` for a document type, whose entities may expand without limit."""
    if path.stat().st_size > MAX_BYTES:
        raise Malformed(f"the file must have at most {MAX_BYTES} bytes")
    content = path.read_bytes()
    guard = expat.ParserCreate()
    guard.StartDoctypeDeclHandler = _refuse_doctype
    try:
        guard.Parse(content, True)
        root = ET.fromstring(content)  # noqa: S314 - no document type, hence no entity
    except (expat.ExpatError, ET.ParseError, ValueError, LookupError) as reason:
        raise Malformed(f"must be valid XML: {reason}") from reason
    if root.tag != "annotation":
        raise Malformed(f"the root must be <annotation>, got <{root.tag}>")
    return root


def _refuse_doctype(*_declaration: object) -> None:
    raise Malformed("document type declarations are not allowed, because entities may expand without limit")


def _size(root: ET.Element) -> tuple[int, int]:
    texts = [(root.findtext(f"size/{side}") or "").strip() for side in ("width", "height")]
    if not all(text.isascii() and text.isdigit() and 0 < int(text[:9]) < 10**8 for text in texts):
        raise Malformed(f"<size> must hold a width and a height in pixels, got {' and '.join(map(repr, texts))}")
    return int(texts[0]), int(texts[1])


def _object(part: ET.Element, width: int, height: int) -> tuple[Box | None, tuple[str, ...]]:
    names = tuple(name for found in part.iterfind("name") if (name := (found.text or "").strip()))
    if not names:
        raise Malformed("missing <name>")
    corners = part.find("bndbox")
    if corners is not None:
        return _box(corners, width, height), names
    flags = {flag: (part.findtext(flag) or "").strip() for flag in ("scene", "nobndbox")}
    if "1" not in flags.values():
        raise Malformed("must have a <bndbox>, or <scene> or <nobndbox> equal to 1")
    return None, names


def _box(corners: ET.Element, width: int, height: int) -> Box:
    texts = [corners.findtext(name) for name in _CORNERS]
    try:
        numbers = [float(text or "") for text in texts]
    except ValueError:
        numbers = []
    if not numbers or not all(map(isfinite, numbers)):
        raise Malformed(f"<bndbox> must hold {', '.join(_CORNERS)} as numbers, got {texts}")
    left, top, right, bottom = numbers
    if right < left or bottom < top:
        raise Malformed(f"<bndbox> must have xmin <= xmax and ymin <= ymax, got {texts}")
    box = Box(left - 1, top - 1, right, bottom).intersection(Box(0.0, 0.0, float(width), float(height)))
    if not box.inside(width, height):
        raise Malformed(f"<bndbox> {texts} is outside the image of {width} x {height} pixels")
    return box
