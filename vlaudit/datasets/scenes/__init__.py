"""The scene world: drawn scenes with captions and exact truth, from a seed, with nothing to download.

A `Scene` is a value; `draw`, `boxes` and `describe` are functions of it, and an edit (`recolored`, `moved`, ...) is a
function from scene to scene, so that two images can differ in exactly one thing. `sample` puts it together.
"""

from vlaudit.datasets.scenes.captions import captions, describe, side_of
from vlaudit.datasets.scenes.compose import compose
from vlaudit.datasets.scenes.dataset import Scenes, World, batch, from_spec, redrawn, sample, sample_of, scene_of
from vlaudit.datasets.scenes.drawing import boxes, draw
from vlaudit.datasets.scenes.pairs import copy_hint_for, foils, hint_for, is_sideless
from vlaudit.datasets.scenes.text import Caption
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
    "World",
    "batch",
    "boxes",
    "candidates",
    "captions",
    "compose",
    "copy_hint_for",
    "describe",
    "draw",
    "exchangeable",
    "foils",
    "from_spec",
    "hint_for",
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
    "with_scenery",
    "without",
]
