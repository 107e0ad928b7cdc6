"""The scene world: drawn scenes with captions and exact truth, from a seed, with nothing to download.

A `Scene` is a value; `draw`, `boxes` and `describe` are functions of it, and an edit (`recolored`, `moved`, ...) is a
function from scene to scene, so that two images can differ in exactly one thing. `sample` puts it together.
"""

from vlaudit.datasets.scenes.captions import Caption, captions, describe, side_of
from vlaudit.datasets.scenes.compose import compose
from vlaudit.datasets.scenes.dataset import Scenes, batch, image_of, redrawn, sample, sample_of
from vlaudit.datasets.scenes.drawing import boxes, draw
from vlaudit.datasets.scenes.pairs import (
    clauses_swapped,
    foils,
    hint_for,
    is_sideless,
    scene_of,
    with_copy_hint,
    with_hint,
    with_other_side,
    with_word,
)
from vlaudit.datasets.scenes.words import candidates, vocabulary
from vlaudit.datasets.scenes.world import (
    SIZE,
    Scene,
    Thing,
    exchangeable,
    moved,
    recolored,
    replaced,
    swapped_hand,
    with_scenery,
    without,
)

__all__ = [
    "SIZE",
    "Caption",
    "Scene",
    "Scenes",
    "Thing",
    "batch",
    "boxes",
    "candidates",
    "captions",
    "clauses_swapped",
    "compose",
    "describe",
    "draw",
    "exchangeable",
    "foils",
    "hint_for",
    "image_of",
    "is_sideless",
    "moved",
    "recolored",
    "redrawn",
    "replaced",
    "sample",
    "sample_of",
    "scene_of",
    "side_of",
    "swapped_hand",
    "vocabulary",
    "with_copy_hint",
    "with_hint",
    "with_other_side",
    "with_scenery",
    "with_word",
    "without",
]
