"""Visual Genome (`visual-genome:DIR`): region descriptions, the objects that they name, and their relations.

Format: Krishna et al. 2017, "Visual Genome": `region_graphs.json`, `objects.json` and `relationships.json` as
published. See docs/data.md for refusals.
"""

from __future__ import annotations

from pathlib import Path

from vlaudit.datasets.base import parse_options
from vlaudit.datasets.visual_genome.dataset import VisualGenome
from vlaudit.errors import UsageError

__all__ = ["VisualGenome", "from_spec"]


def from_spec(text: str) -> VisualGenome:
    """Return the data set `DIR[,images=DIR][,features=FILE[,names=FILE]]`; options are relative to the first DIR.

    Raises `UsageError` for unknown options, and `DataError` if the folder does not contain the data set.
    """
    folder, options = parse_options(text, ("images", "features", "names"))
    if not folder:
        raise UsageError(
            "--data visual-genome:DIR requires the folder with objects.json and region_graphs.json, got none"
        )
    return VisualGenome(Path(folder), **options)
