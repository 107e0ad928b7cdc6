"""Find the files of Flickr30k Entities in a user's folder."""

from __future__ import annotations

from pathlib import Path

from vlaudit.errors import DataError

PLACES = ("images", "flickr30k-images", "flickr30k_images", "")
"""Where photos usually lie beside Sentences/ and Annotations/."""


def stems_of(spec: str, folder: Path, split: str) -> tuple[str, ...]:
    """Return the images to read: those of a split file in its order, else those with sentences, by name.

    `DataError` where the folder is none, or holds no such files.
    """
    if not folder.is_dir():
        raise DataError(f"{spec}: there is no such folder")
    for place, kind in (("Sentences", "txt"), ("Annotations", "xml")):
        if not list((folder / place).glob(f"*.{kind}")):
            raise DataError(
                f"{spec}: this is no folder of Flickr30k Entities: looked for Sentences/*.txt and Annotations/*.xml, "
                f"found no {place}/*.{kind}"
            )
    if split:
        return _of_split(spec, folder, split)
    return tuple(sorted(file.stem for file in (folder / "Sentences").glob("*.txt")))


def _of_split(spec: str, folder: Path, split: str) -> tuple[str, ...]:
    path = folder / (split if split.endswith(".txt") else f"{split}.txt")
    if not path.is_file():
        raise DataError(f"{spec}: split={split} names no file of image ids; there is no {path}")
    stems = tuple(dict.fromkeys(path.read_text(encoding="utf-8-sig", errors="replace").split()))
    if not any((folder / "Sentences" / f"{stem}.txt").is_file() for stem in stems if _is_plain(stem)):
        raise DataError(f"{spec}: none of the {len(stems)} images of {path.name} has a file in Sentences")
    return stems


def _is_plain(stem: str) -> bool:
    return Path(stem).name == stem


def unrelated(folder: Path) -> frozenset[tuple[str, int]]:
    """Return (image, sentence number from 1) of the captions that UNRELATED_CAPTIONS lists, where it is there."""
    path = folder / "UNRELATED_CAPTIONS"
    if not path.is_file():
        return frozenset()
    rows = (line.split() for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines())
    return frozenset((row[0], int(row[1])) for row in rows if len(row) == 2 and row[1].isdecimal())
