"""The region encoder: boxes are encoded independently, from the pixels inside them alone."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from vlaudit.datasets.scenes.dataset import Scenes
from vlaudit.errors import CheckpointError, DataError
from vlaudit.models.bundled import bundled_checkpoint
from vlaudit.models.precision import exact_float32
from vlaudit.models.region_encoder import RegionEncoder, load_encoder
from vlaudit.models.region_encoder.network import RegionConfig, RegionNet
from vlaudit.perturbations import Blank, Cover, Grayscale, Mirror, apply
from vlaudit.samples import Box, Image

CONFIG = RegionConfig(16, (4, 4, 8), 12, ("background", "dog", "hat"), ("none", "red"))
some = settings(max_examples=25, deadline=None)


def fresh(memory=0):
    """An encoder with weights as they are drawn."""
    torch.manual_seed(0)
    return RegionEncoder(RegionNet(CONFIG), lambda: "drawn", memory)


@pytest.fixture(scope="module")
def bundled():
    return load_encoder(memory=0)


@pytest.fixture(scope="module")
def scenes():
    return list(Scenes(seed=3, limit=60))


def picture(seed, width=40, height=30):
    return Image.from_array(np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8))


def boxes_in(width, height):
    def box(corner):
        return Box(corner[0], corner[1], min(corner[0] + corner[2], width), min(corner[1] + corner[3], height))

    sides = st.floats(0.5, max(width, height), width=16)
    return st.tuples(st.floats(0, width - 1, width=16), st.floats(0, height - 1, width=16), sides, sides).map(box)


def alike(one, other):
    for name in ("features", "classes", "attributes", "confidence"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=2e-5, err_msg=name)


def the_same(one, other):
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in vars(one))


@some
@given(st.lists(st.lists(boxes_in(40, 30), max_size=4), min_size=1, max_size=4))
def test_a_region_is_encoded_alone_as_in_a_batch(requested):
    """Neither the other boxes of its image nor other images matter; an image may have no boxes."""
    encoder = fresh()
    images = [(picture(seed), boxes) for seed, boxes in enumerate(requested)]
    for (image, boxes), together in zip(images, encoder.encode_many(images), strict=True):
        assert len(together.features) == len(boxes)
        for row, box in enumerate(boxes):
            alone = encoder.encode(image, [box])
            np.testing.assert_allclose(alone.features[0], together.features[row], atol=2e-5)
            np.testing.assert_allclose(alone.classes[0], together.classes[row], atol=2e-5)


@some
@given(boxes_in(40, 30), st.integers(0, 99))
def test_only_pixels_inside_the_box_matter(box, seed):
    """Everything outside it replaced, one pixel off included: the answer is the same to the bit."""
    image, other = picture(seed), picture(seed + 1).pixels().copy()
    rows = slice(int(box.top), int(np.ceil(box.bottom)))
    columns = slice(int(box.left), int(np.ceil(box.right)))
    other[rows, columns] = image.pixels()[rows, columns]
    encoder = fresh()
    assert the_same(encoder.encode(image, [box]), encoder.encode(Image.from_array(other), [box]))


@some
@given(boxes_in(40, 30), st.integers(0, 99), st.integers(0, 50), st.integers(0, 50))
def test_the_place_of_the_box_and_the_image_size_do_not_matter(box, seed, across, down):
    """The same pixels in an image of another size, at another place."""
    image = picture(seed)
    larger = picture(seed + 1, 40 + across, 30 + down).pixels().copy()
    larger[down:, across:] = image.pixels()
    encoder = fresh()
    there = Image.from_array(larger)
    assert the_same(encoder.encode(image, [box]), encoder.encode(there, [box.shifted(across, down)]))


@some
@given(st.lists(boxes_in(40, 30), min_size=1, max_size=5))
def test_encodings_are_features_after_a_relu_and_log_probabilities(boxes):
    """Of the sizes and in the order of its words; the confidence is of the likeliest label but the first."""
    encoder = fresh()
    stated = encoder.encode(picture(0), boxes)
    assert stated.features.shape == (len(boxes), encoder.width)
    assert (stated.features >= 0).all()
    assert stated.features.dtype == np.float32
    for logs, words in ((stated.classes, encoder.labels), (stated.attributes, encoder.attributes)):
        assert logs.shape == (len(boxes), len(words))
        np.testing.assert_allclose(np.exp(logs).sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(stated.confidence, np.exp(stated.classes[:, 1:]).max(axis=1), rtol=1e-5)


def counted(image):
    """The image, and how often it was read."""
    reads = []

    def read():
        reads.append(1)
        return image.read()

    return replace(image, read=read), reads


def test_a_region_that_comes_again_is_remembered_and_its_image_not_read():
    encoder = fresh(memory=3)
    image, reads = counted(picture(0))
    boxes = [Box(0, 0, 9, 9), Box(3, 3, 20, 20)]
    first = encoder.encode(image, boxes)
    assert the_same(encoder.encode(image, boxes[::-1]), encoder.encode(image, boxes[::-1]))
    assert the_same(encoder.encode(image, boxes), first)
    assert len(reads) == 1


def test_the_memory_is_bounded():
    encoder = fresh(memory=2)
    image, reads = counted(picture(0))
    boxes = [Box(0, 0, side, side) for side in (5, 6, 7)]
    first = encoder.encode(image, boxes)
    alike(encoder.encode(image, boxes), first)
    assert len(reads) == 2  # the first box had been forgotten


def test_boxes_of_two_images_are_not_mistaken_for_each_other():
    encoder = fresh(memory=100)
    box = Box(2, 2, 12, 12)
    one, other = (encoder.encode(picture(seed), [box]) for seed in (0, 1))
    assert not the_same(one, other)
    again = encoder.encode_many([(picture(1), [box]), (picture(0), [box])])
    assert the_same(again[0], other)
    assert the_same(again[1], one)


@pytest.mark.parametrize("box", [Box(40, 0, 50, 9), Box(5, 5, 5, 9), Box(9, 9, 3, 12), Box(-9, 0, -1, 5)])
def test_a_box_that_holds_no_pixel_is_refused(box):
    with pytest.raises(DataError, match="must hold pixels of its image of 40 x 30"):
        fresh().encode(picture(0), [box])


def test_a_box_is_cut_where_it_leaves_its_image():
    encoder = fresh()
    assert the_same(encoder.encode(picture(0), [Box(-5, -5, 20, 99)]), encoder.encode(picture(0), [Box(0, 0, 20, 30)]))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device here")
def test_a_gpu_and_the_cpu_give_equal_encodings():
    """Crops are cut on the CPU for both: torch resizes 8-bit images there alone."""
    torch.manual_seed(0)
    there = RegionEncoder(RegionNet(CONFIG).to("cuda"), lambda: "drawn", 0)
    boxes = [Box(2, 2, 12, 12), Box(0, 0, 40, 30)]
    with exact_float32():
        alike(there.encode(picture(0), boxes), fresh().encode(picture(0), boxes))


# What the bundled weights have learned.


def likeliest(encoder, sample, region_id=None):
    regions = [sample.region(region_id)] if region_id else sample.regions
    stated = encoder.encode(sample.image, [region.box for region in regions])
    return [encoder.labels[number] for number in stated.classes.argmax(axis=1)]


def accuracy(encoder, samples):
    right = [
        label == region.label
        for sample in samples
        for region, label in zip(sample.regions, likeliest(encoder, sample), strict=True)
    ]
    return np.mean(right)


def test_it_knows_every_label_that_scenes_show(bundled, scenes):
    assert {region.label for sample in scenes for region in sample.regions} < set(bundled.labels)
    assert bundled.labels[0] == "background"
    assert bundled.attributes[0] == "none"


def test_most_of_what_scenes_show_is_named_and_most_colours_are_seen(bundled, scenes):
    """Far more often than by the commonest answer, in colour, in a mirror and in grey."""
    names = [region.label for sample in scenes for region in sample.regions]
    commonest = max(names.count(name) for name in set(names)) / len(names)
    for shown in (scenes, mirror_images(scenes), [apply([Grayscale()], sample, 0) for sample in scenes]):
        assert accuracy(bundled, shown) > (1 + commonest) / 2
    right = []
    for sample in scenes:
        stated = bundled.encode(sample.image, [region.box for region in sample.regions]).attributes.argmax(axis=1)
        for region, number in zip(sample.regions, stated, strict=True):
            colors = set(region.attributes) & set(bundled.attributes)
            right += [bundled.attributes[number] in colors] if colors else []
    assert np.mean(right) > 0.9


def mirror_images(scenes):
    return [apply([Mirror()], sample, 0) for sample in scenes]


def test_a_covered_thing_is_background_and_its_neighbours_are_as_they_were(bundled, scenes):
    """Covering reaches a region-feature model by its pixels: nothing is left to be named."""
    seen = []
    for sample in scenes[:30]:
        thing = next(region for region in sample.regions if region.id != "scenery")
        covered = apply([Cover((thing.id,))], sample, 0)
        seen += likeliest(bundled, covered, thing.id)
        for region in sample.regions:
            if region.box.intersection(thing.box).area == 0:
                before, after = (bundled.encode(each.image, [region.box]) for each in (sample, covered))
                assert the_same(before, after)
    assert seen.count("background") == len(seen)


def test_all_of_a_blank_is_background_with_one_feature_vector(bundled, scenes):
    blank = apply([Blank()], scenes[0], 0)
    assert set(likeliest(bundled, blank)) == {"background"}
    features = bundled.encode(blank.image, [region.box for region in blank.regions]).features
    np.testing.assert_allclose(features, features[:1].repeat(len(features), axis=0), atol=1e-5)


def test_features_are_of_unit_scale(bundled, scenes):
    stated = bundled.encode_many([(sample.image, [region.box for region in sample.regions]) for sample in scenes])
    assert 0.5 < np.sqrt(np.mean(np.concatenate([each.features for each in stated]) ** 2)) < 2


# Its weights file.


def test_the_fingerprint_is_the_hash_of_the_weights(bundled):
    assert len(bundled.fingerprint) == 64


def copied(folder):
    path = bundled_checkpoint("regions")
    tensors, config = load_file(path), json.loads((path.parent / "config.json").read_text(encoding="utf-8"))
    return tensors, config, folder / "model.safetensors"


def written(tensors, config, path):
    save_file(tensors, path)
    (path.parent / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return path


def test_another_file_can_be_named(tmp_path, bundled, scenes):
    encoder = load_encoder(written(*copied(tmp_path)), memory=0)
    boxes = [region.box for region in scenes[0].regions]
    assert the_same(encoder.encode(scenes[0].image, boxes), bundled.encode(scenes[0].image, boxes))


def test_a_file_that_lacks_a_tensor_is_refused_and_nothing_loaded(tmp_path):
    tensors, config, path = copied(tmp_path)
    del tensors["label.bias"]
    with pytest.raises(CheckpointError, match=r"those of the region encoder(?s:.*)missing: label.bias"):
        load_encoder(written(tensors, config, path))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"labels": ["dog", "background"]}, "labels must be different words, the first of them 'background'"),
        ({"labels": ["background", "dog", "dog"]}, "labels must be different words"),
        ({"attributes": []}, "attributes must be different words, the first of them 'none'"),
        ({"crop": 20}, "crop must be a multiple of 8"),
        ({"channels": [8, 8]}, "three channels"),
        ({"width": 32}, "wrong shapes"),
        ({"labels": None}, "config.json must state"),
    ],
)
def test_an_invalid_config_is_an_error(tmp_path, change, message):
    tensors, config, path = copied(tmp_path)
    with pytest.raises(CheckpointError, match=message):
        load_encoder(written(tensors, config | change, path))


def test_an_empty_config_is_an_error(tmp_path):
    tensors, _, path = copied(tmp_path)
    with pytest.raises(CheckpointError, match=r"config\.json must state crop, channels, width, labels and attributes"):
        load_encoder(written(tensors, {}, path))


def test_the_config_comes_back_from_json():
    assert RegionConfig.from_json(json.loads(json.dumps(CONFIG.to_json()))) == CONFIG
