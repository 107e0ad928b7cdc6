"""Location of the files of Flickr30k Entities in a folder."""

from __future__ import annotations

from pathlib import Path

from vlaudit.errors import DataError

PLACES = ("images", "flickr30k-images", "flickr30k_images", "")
"""Usual folders of the photos, relative to the folder with Sentences/ and Annotations/."""


def image_stems(spec: str, folder: Path, split: str) -> tuple[str, ...]:
    """Return the file stems of the images: those of a split file in its order, or all with sentences by name.

    Raises `DataError` if the folder or its files do not exist.
    """
    if not folder.is_dir():
        raise DataError(f"{spec}: the folder does not exist")
    for place, kind in (("Sentences", "txt"), ("Annotations", "xml")):
        if not list((folder / place).glob(f"*.{kind}")):
            raise DataError(
                f"{spec}: not a Flickr30k Entities folder: looked for Sentences/*.txt and Annotations/*.xml, "
                f"found no {place}/*.{kind}"
            )
    if split:
        return _of_split(spec, folder, split)
    return tuple(sorted(file.stem for file in (folder / "Sentences").glob("*.txt")))


def _of_split(spec: str, folder: Path, split: str) -> tuple[str, ...]:
    path = folder / (split if split.endswith(".txt") else f"{split}.txt")
    if not path.is_file():
        raise DataError(f"{spec}: split={split} must name an existing file of image ids; not found: {path}")
    stems = tuple(dict.fromkeys(path.read_text(encoding="utf-8-sig", errors="replace").split()))
    if not any((folder / "Sentences" / f"{stem}.txt").is_file() for stem in stems if _is_plain(stem)):
        raise DataError(f"{spec}: none of the {len(stems)} images of {path.name} has a file in Sentences")
    return stems


def _is_plain(stem: str) -> bool:
    return Path(stem).name == stem


def unrelated_captions(folder: Path) -> frozenset[tuple[str, int]]:
    """Return (image, line number from 1) of the captions in UNRELATED_CAPTIONS; empty if the file does not exist."""
    path = folder / "UNRELATED_CAPTIONS"
    if not path.is_file():
        return frozenset()
    rows = (line.split() for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines())
    return frozenset((row[0], int(row[1])) for row in rows if len(row) == 2 and row[1].isdecimal())
