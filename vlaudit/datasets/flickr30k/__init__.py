"""Flickr30k Entities: five captions an image, their phrases, and the boxes of what the phrases name.

Format: Plummer et al. 2015, "Flickr30k Entities": `Sentences/<image>.txt` and `Annotations/<image>.xml` as in
BryanPlummer/flickr30k_entities. `flickr30k-entities:DIR` opens one; what is refused, and in which words: docs/data.md.
"""

from __future__ import annotations

from pathlib import Path

from vlaudit.datasets.base import parse_options
from vlaudit.datasets.flickr30k.dataset import Flickr30kEntities
from vlaudit.errors import UsageError

__all__ = ["Flickr30kEntities", "from_spec"]


def from_spec(text: str) -> Flickr30kEntities:
    """Return the data set that `DIR[,split=NAME][,images=DIR][,features=FILE[,names=FILE]]` names.

    All are relative to the first DIR, `names` are those of the detector's classes.
    Raises `UsageError` for options that do not exist, `DataError` where the folder holds no such data set.
    """
    folder, options = parse_options(text, ("split", "images", "features", "names"))
    if not folder:
        raise UsageError(
            "--data flickr30k-entities:DIR needs the folder that holds Sentences and Annotations, got none"
        )
    return Flickr30kEntities(Path(folder), **options)
