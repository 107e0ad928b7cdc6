"""Synthetic scenes with captions and exact ground truth, generated from a seed without downloads.

A `Scene` is a value. `draw`, `boxes` and `describe` are functions of it. An edit (`recolored`, `moved`, ...) is a
function from scene to scene, so that two images can differ in exactly one thing. `sample` returns a complete sample.
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
