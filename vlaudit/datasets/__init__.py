"""Data sets: read an annotation format, or draw synthetic scenes, into samples.

`open("coco:DIR")` opens a data set by name. Importing this package reads no files.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points

from vlaudit.datasets.base import Dataset, Refusal
from vlaudit.errors import UsageError, nearest

__all__ = ["Dataset", "Refusal", "names", "open"]

_BUILT_IN = {
    "scenes": "vlaudit.datasets.scenes",
    "coco": "vlaudit.datasets.coco",
    "flickr30k-entities": "vlaudit.datasets.flickr30k",
    "visual-genome": "vlaudit.datasets.visual_genome",
}
"""Module of each built-in data set, with a function `from_spec(text) -> Dataset` for the text after the colon."""


def open(spec: str) -> Dataset:  # noqa: A001 - read as `datasets.open`; nothing here calls the built-in
    """Return the data set `NAME` or `NAME:REST`; `REST` is specific to the data set (a folder, options).

    Raises `UsageError` for an unknown name or invalid options, and `DataError` if the data set cannot be opened.
    """
    name, _, rest = spec.partition(":")
    if name in _BUILT_IN:
        from_spec: Callable[[str], Dataset] = import_module(_BUILT_IN[name]).from_spec
        return from_spec(rest)
    for entry in entry_points(group="vlaudit.datasets", name=name):
        return _checked(name, entry.load())(rest)
    raise UsageError(f"--data {spec}: unknown data set {name!r}{nearest(name, names())}")


def names() -> tuple[str, ...]:
    """Return the names of the built-in data sets, then those of installed packages (group `vlaudit.datasets`)."""
    return tuple(dict.fromkeys([*_BUILT_IN, *sorted(entry_points(group="vlaudit.datasets").names)]))


def _checked(name: str, loaded: object) -> Callable[[str], Dataset]:
    if not callable(loaded):
        raise UsageError(
            f"the entry point {name!r} of group vlaudit.datasets must name a function that takes the text after the "
            f"colon and returns a data set, got {type(loaded).__name__}"
        )
    return loaded
