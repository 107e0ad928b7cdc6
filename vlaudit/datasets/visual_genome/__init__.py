"""Visual Genome: descriptions of regions, the objects that they name, and relations between these.

Format: Krishna et al. 2017, "Visual Genome": `region_graphs.json`, `objects.json`, `relationships.json` as they are
published. `visual-genome:DIR` opens one; what is refused, and in which words: docs/data.md.
"""

from __future__ import annotations

from pathlib import Path

from vlaudit.datasets.base import parse_options
from vlaudit.datasets.visual_genome.dataset import VisualGenome
from vlaudit.errors import UsageError

__all__ = ["VisualGenome", "from_spec"]


def from_spec(text: str) -> VisualGenome:
    """Return the data set that `DIR[,images=DIR][,features=FILE[,names=FILE]]` names, relative to the first DIR.

    Raises `UsageError` for options that do not exist, `DataError` where the folder holds no such data set.
    """
    folder, options = parse_options(text, ("images", "features", "names"))
    if not folder:
        raise UsageError("--data visual-genome:DIR needs the folder that holds objects.json and the others, got none")
    return VisualGenome(Path(folder), **options)
