"""Images for training: changes of the pixels, and the words that each patch shows."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.zoo import images
from vlaudit.datasets.scenes import boxes, compose, draw
from vlaudit.models.streams.pixels import PixelLayout, preprocess
from vlaudit.samples import Box, Image

indices = st.integers(0, 10_000)
few = settings(max_examples=30)


def test_images_are_normalised_as_the_model_reads_them():
    pixels = [draw(compose(6, number)) for number in range(3)]
    expected = torch.stack([preprocess(Image.from_array(each), PixelLayout(96, 8)) for each in pixels])
    torch.testing.assert_close(images.normalised(pixels, torch.device("cpu")), expected)


@few
@given(indices)
def test_a_mirrored_image_shows_the_mirrored_words(index):
    scene = compose(6, index)
    plain, bag = images.patch_words(scene, 8, mirror=False)
    mirrored, mirrored_bag = images.patch_words(scene, 8, mirror=True)
    sided = np.array([bool({"left", "right"} & set(label.split())) for label in images.LABELS])
    grid = plain.reshape(12, 12, -1)[:, ::-1]
    assert (mirrored.reshape(12, 12, -1)[..., ~sided] == grid[..., ~sided]).all()
    rows = {label: row for row, label in enumerate(images.LABELS)}
    for what in ("hand", "side"):
        left, right = rows[f"left {what}"], rows[f"right {what}"]
        assert (mirrored.reshape(12, 12, -1)[..., left] == grid[..., right]).all()
        assert (mirrored_bag[left], mirrored_bag[right]) == (bag[right], bag[left])


@few
@given(indices)
def test_every_patch_shows_something_and_the_bag_holds_what_patches_show(index):
    scene = compose(6, index)
    patches, bag = images.patch_words(scene, 8, mirror=False)
    assert patches.any(axis=1).all()
    assert (bag >= patches.any(axis=0)).all()
    assert bag[images.LABELS.index(scene.scenery)]


@few
@given(indices)
def test_a_patch_inside_a_box_shows_its_word_and_one_far_outside_does_not(index):
    scene = compose(6, index)
    patches, _ = images.patch_words(scene, 8, mirror=False)
    grid, where = patches.reshape(12, 12, -1), boxes(scene)
    for thing in (each for each in scene.things if each.id in where):
        x, y = where[thing.id].center
        assert grid[min(int(y) // 8, 11), min(int(x) // 8, 11), images.LABELS.index(thing.kind)]


@few
@given(indices, st.integers(0, 60), st.integers(0, 60), st.integers(1, 35), st.integers(1, 35))
def test_covering_changes_the_box_alone_to_one_colour(index, left, top, width, height):
    scene = compose(6, index)
    pixels = draw(scene)
    box = Box(left, top, left + width, top + height)
    changed = images.covered(pixels, box)
    inside = np.zeros((96, 96), dtype=bool)
    inside[top : top + height, left : left + width] = True
    assert (changed[~inside] == pixels[~inside]).all()
    assert len(np.unique(changed[inside], axis=0)) == 1
