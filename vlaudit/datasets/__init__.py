"""Data sets: read one annotation format, or draw one world, into samples.

`open("coco:DIR")` opens one by its name; importing this package reads nothing.
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
"""Name to module; each has `from_spec(text) -> Dataset` for what stands after the colon."""


def open(spec: str) -> Dataset:  # noqa: A001 - `datasets.open` is what it is; nothing here opens a file
    """Return the data set that `NAME` or `NAME:REST` names; `REST` is the data set's own (a folder, options).

    Raises `UsageError` for a name that nobody has or a rest that makes no sense, `DataError` where it cannot
    be opened.
    """
    name, _, rest = spec.partition(":")
    if name in _BUILT_IN:
        from_spec: Callable[[str], Dataset] = import_module(_BUILT_IN[name]).from_spec
        return from_spec(rest)
    for entry in entry_points(group="vlaudit.datasets", name=name):
        return _checked(name, entry.load())(rest)
    raise UsageError(f"--data {spec}: there is no data set named {name!r}{nearest(name, names())}")


def names() -> tuple[str, ...]:
    """Return the names that can be opened: ours, then those of installed packages (group `vlaudit.datasets`)."""
    return tuple(dict.fromkeys([*_BUILT_IN, *sorted(entry_points(group="vlaudit.datasets").names)]))


def _checked(name: str, loaded: object) -> Callable[[str], Dataset]:
    if not callable(loaded):
        raise UsageError(
            f"the entry point {name!r} of group vlaudit.datasets must name a function from the text after the "
            f"colon to a data set, got {type(loaded).__name__}"
        )
    return loaded
