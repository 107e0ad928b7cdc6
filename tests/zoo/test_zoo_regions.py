"""Training, figures and card of the region encoder."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from fixtures.zoo.__main__ import main
from fixtures.zoo.card import HERE
from fixtures.zoo.recipe import RECIPES
from fixtures.zoo.regions.card import read_figures, tables, write_region_card
from fixtures.zoo.regions.evaluation import COLUMNS, evaluate_regions
from fixtures.zoo.regions.examples import LEFT_OUT, examples
from fixtures.zoo.regions.labels import ATTRIBUTES, CATEGORY_OF_LABEL, LABELS, attribute_of
from fixtures.zoo.regions.recipe import read_region_recipe
from fixtures.zoo.regions.training import RegionJob, RegionRun, scale_features, train_regions
from vlaudit.datasets.scenes.dataset import Scenes
from vlaudit.errors import UsageError
from vlaudit.models.region_encoder import load_encoder
from vlaudit.samples import PHRASE_TYPES, Box, Region

PATH = RECIPES / "regions.toml"
TEXT = PATH.read_text(encoding="utf-8")
FOLDER = HERE / "weights" / "regions"
NOTHING = {"covered": 0, "covered_with_noise": 0, "blank": 0, "grayscale": 0, "luminance_noise": 0}


def recipe(**shares):
    """Return the bundled recipe with few scenes per step; only the given `shares` of them are perturbed."""
    bundled = read_region_recipe(PATH)
    perturbed = bundled.perturbed.model_copy(update={**NOTHING, **shares})
    return bundled.model_copy(update={"scenes": 4, "steps": 4, "perturbed": perturbed})


def test_every_region_of_a_scene_has_a_label_and_a_category():
    shown = {region.label for sample in Scenes(0, 50) for region in sample.regions}
    assert shown < set(LABELS)
    assert set(CATEGORY_OF_LABEL.values()) == set(PHRASE_TYPES)


def test_a_regions_attribute_is_its_colour_and_not_its_side():
    def colored(*words):
        return ATTRIBUTES[attribute_of(Region("a", Box(0, 0, 1, 1), "hat", words))]

    assert [colored("left", "red"), colored("gray"), colored("right"), colored()] == ["red", "gray", "none", "none"]


def test_the_examples_of_a_step_depend_on_seed_and_step_only():
    """Not on earlier steps."""
    whole = recipe(covered=0.5, grayscale=0.5)
    first, again = examples(whole, 3, 1), examples(whole, 3, 1)
    others = [examples(whole, 3, 2), examples(whole, 4, 1)]
    assert torch.equal(first.crops, again.crops)
    assert torch.equal(first.labels, again.labels)
    assert not any(torch.equal(first.crops[:9], other.crops[:9]) for other in others)


def test_unperturbed_scenes_have_every_label_and_no_background():
    seen = examples(recipe(), 0, 0)
    assert (seen.labels > 0).all()
    assert (seen.attributes != LEFT_OUT).all()


def test_blank_images_have_background_targets():
    seen = examples(recipe(blank=1), 0, 0)
    assert not seen.labels.any()
    assert not seen.attributes.any()
    assert (seen.crops == 128).all()


def test_gray_images_have_labels_but_no_colour_targets():
    seen = examples(recipe(grayscale=1), 0, 0)
    assert (seen.labels > 0).all()
    assert (seen.attributes == LEFT_OUT).all()
    assert (seen.crops.max(dim=1).values == seen.crops.min(dim=1).values).all()


@pytest.mark.parametrize("share", ["covered", "covered_with_noise"])
def test_covered_regions_are_background_and_half_covered_ones_have_no_target(share):
    whole = recipe(**{share: 1}).model_copy(update={"jittered": 0.0, "scenes": 16})
    seen = examples(whole, 0, 0)
    gone = seen.labels == 0
    assert gone.sum() >= 16  # one per scene, and regions inside it
    assert (seen.attributes[seen.labels == LEFT_OUT] == LEFT_OUT).all()
    if share == "covered":  # covered with one colour, so those crops are flat
        flat = seen.crops.flatten(2).float().std(dim=2).amax(dim=1)
        assert flat[gone].median() == 0
        assert flat[~gone].median() > 0


def test_an_interrupted_run_ends_with_the_same_weights(tmp_path):
    whole = RegionJob(recipe(covered=0.3), 0, tmp_path / "whole")
    train_regions(whole)
    half = replace(whole, folder=tmp_path / "half", stop_after=2)
    train_regions(half)
    train_regions(replace(half, stop_after=None, resume=True))
    one, other = (load_file(job.folder / "model.safetensors") for job in (whole, half))
    assert all(torch.equal(one[name], other[name]) for name in one)
    with pytest.raises(UsageError, match="add --resume, or name another folder"):
        train_regions(whole)
    with pytest.raises(UsageError, match="the run has another recipe or seed"):
        train_regions(replace(whole, seed=1, resume=True))


def test_scaling_the_features_keeps_all_outputs(tmp_path):
    run = RegionRun(RegionJob(recipe(), 0, tmp_path))
    crops = examples(recipe(), 0, 0).crops
    before = run.network(crops)
    scale_features(run.network, crops)
    after = run.network(crops)
    assert float(after.features.square().mean().sqrt().detach()) == pytest.approx(1, abs=1e-4)
    assert torch.allclose(before.labels, after.labels, atol=1e-4)
    assert torch.allclose(before.attributes, after.attributes, atol=1e-4)


def test_the_rate_rises_and_falls():
    whole = read_region_recipe(PATH)
    rates = [whole.rate_at(step) for step in range(whole.steps)]
    assert max(rates) == whole.rate
    assert 0 < rates[-1] < whole.rate / 50
    assert 0 < rates[0] < whole.rate / 10


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("jitter = ", "gitter = ", "Field required"),
        ("blank = ", "black = 0.1\nblank = ", "perturbed.black: Extra inputs are not permitted, got 0.1"),
        ("mirrored = 0.5", "mirrored = 1.5", "mirrored: Input should be less than or equal to 1, got 1.5"),
        ("grayscale = ", "grayscale = 0.9 # ", "the shares must sum to at most 1"),
        ("crop = ", "crop = 1", "network.crop: Input should be a multiple of 8"),
        ("[network]", "[network", "cannot read the file"),
    ],
)
def test_an_invalid_recipe_is_an_error_with_file_and_field(tmp_path, old, new, message):
    path = tmp_path / "wrong.toml"
    path.write_text(re.sub(f"^{re.escape(old)}", new, TEXT, count=1, flags=re.MULTILINE), encoding="utf-8")
    with pytest.raises(UsageError, match=re.escape(message)) as caught:
        read_region_recipe(path)
    assert str(path) in str(caught.value)


@pytest.fixture(scope="module")
def measured():
    return evaluate_regions(None, seed=5, scenes=12)


def test_every_region_is_counted_once_in_the_confusion(measured):
    counts = np.array(measured.confusion)
    assert counts.shape == (len(PHRASE_TYPES), len(COLUMNS))
    assert counts.sum() == measured.regions == sum(len(sample.regions) for sample in Scenes(5, 12))


def test_a_label_that_is_right_is_of_the_right_category(measured):
    """Per category, label accuracy is at most category accuracy; the total is their weighted mean."""
    counts = np.array(measured.confusion)
    for row, name in enumerate(PHRASE_TYPES):
        if counts[row].sum():
            assert measured.label_accuracy[name] <= counts[row, row] / counts[row].sum() + 1e-9
    right = sum(measured.label_accuracy.get(name, 0) * counts[row].sum() for row, name in enumerate(PHRASE_TYPES))
    assert measured.label_accuracy["all"] == pytest.approx(right / measured.regions)
    assert sum(count for *_, count in measured.mistaken) <= round(measured.regions - right)


def test_the_card_states_the_measured_figures(tmp_path):
    figures = read_figures(FOLDER / "card.json")
    text = (FOLDER / "card.md").read_text(encoding="utf-8")
    assert tables(figures) in text
    assert figures.fingerprint == load_encoder().fingerprint
    assert figures.training == json.loads((FOLDER / "training.json").read_text(encoding="utf-8"))
    (tmp_path / "card.json").write_bytes((FOLDER / "card.json").read_bytes())
    assert write_region_card(tmp_path, HERE / "cards" / "regions.md").read_text(encoding="utf-8") == text


def test_it_was_trained_by_the_recipe_on_separate_scenes():
    training = json.loads((FOLDER / "training.json").read_text(encoding="utf-8"))
    whole = read_region_recipe(PATH)
    assert training["scenes"] == whole.steps * whole.scenes
    assert load_encoder().config == whole.network.config()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "regions", "--recipe", "nowhere.toml"], "nowhere.toml: cannot read the file"),
        (["evaluate", "regions", "--scenes", "1"], "--scenes must be at least 5, got 1"),
        (["evaluate", "regions", "--checkpoint", "nowhere.safetensors"], "nowhere.safetensors"),
    ],
)
def test_wrong_usage_is_reported_in_one_line(capsys, arguments, message):
    assert main(arguments) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert message in printed
