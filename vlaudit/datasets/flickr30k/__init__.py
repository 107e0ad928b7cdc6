"""Flickr30k Entities (`flickr30k-entities:DIR`): five captions per image, with phrases and their boxes.

Format: Plummer et al. 2015, "Flickr30k Entities": `Sentences/<image>.txt` and `Annotations/<image>.xml` as in
BryanPlummer/flickr30k_entities. See docs/data.md for refusals.
"""

from __future__ import annotations

from pathlib import Path

from vlaudit.datasets.base import parse_options
from vlaudit.datasets.flickr30k.dataset import Flickr30kEntities
from vlaudit.errors import UsageError

__all__ = ["Flickr30kEntities", "from_spec"]


def from_spec(text: str) -> Flickr30kEntities:
    """Return the data set `DIR[,split=NAME][,images=DIR][,features=FILE[,names=FILE]]`.

    All options are relative to the first DIR; `names` lists the detector's classes. Raises `UsageError` for unknown
    options, and `DataError` if the folder does not contain the data set.
    """
    folder, options = parse_options(text, ("split", "images", "features", "names"))
    if not folder:
        raise UsageError("--data flickr30k-entities:DIR requires the folder with Sentences and Annotations, got none")
    return Flickr30kEntities(Path(folder), **options)
