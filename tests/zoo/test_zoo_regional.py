"""Training of models with region features: batches, losses, resuming, and loading of the exported weights."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import vlaudit
from fixtures.zoo.images import BLANK
from fixtures.zoo.recipe import read_recipe, recipe_path
from fixtures.zoo.regional import objectives, task
from fixtures.zoo.regional.batches import Row, batch_of, encode_regions
from fixtures.zoo.regional.networks import BUILDERS
from fixtures.zoo.regional.task import RegionTask
from fixtures.zoo.texts import PAD, SEP, SPECIAL
from fixtures.zoo.training import Job, Run, train
from fixtures.zoo.views import shard_of, show, unseen
from vlaudit.datasets.scenes import boxes, compose, sample, vocabulary
from vlaudit.datasets.scenes.view import regions_of
from vlaudit.datasets.scenes.words import COLORS, HAIR
from vlaudit.errors import UsageError
from vlaudit.models.base import ForwardRequest
from vlaudit.models.region_encoder import RegionEncoder, load_encoder
from vlaudit.models.region_encoder.network import RegionConfig, RegionNet
from vlaudit.models.streams import find_encoder as encoders
from vlaudit.models.streams.contract import Wanted
from vlaudit.traces import Match, Words

WITH_REGIONS = [family for family in BUILDERS if family != "bert"]
SMALL = {
    "hidden_size": 32,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "pooler_size": 24,
    "num_hidden_layers": 2,
    "text_layers": 1,
    "blocks": 1,
    "l_layers": 2,
    "r_layers": 1,
    "x_layers": 1,
}


@pytest.fixture(scope="module")
def eyes(tmp_path_factory):
    """An encoder with random weights, read from a file."""
    torch.manual_seed(0)
    labels = ("background", *(f"thing {number}" for number in range(6)))
    config = RegionConfig(crop=8, channels=(4, 4, 4), width=16, labels=labels, attributes=("none", "red"))
    folder = tmp_path_factory.mktemp("regions")
    save_file(RegionNet(config).state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config.to_json()), encoding="utf-8")
    return folder / "model.safetensors"


@pytest.fixture(autouse=True)
def bundled_eyes(eyes, monkeypatch):
    def load(checkpoint=None, device=None, *, memory=0) -> RegionEncoder:
        return load_encoder(eyes, device, memory=memory)

    monkeypatch.setattr(task, "load_encoder", load)
    monkeypatch.setattr(encoders, "_shared", lambda device: load(device=device))


def small(family):
    recipe = read_recipe(recipe_path(family))
    network = recipe.network | {name: size for name, size in SMALL.items() if name in recipe.network}
    stages = tuple(replace(stage, steps=2, scenes=4, captions=2) for stage in recipe.stages)
    return replace(recipe, network=network, stages=stages)


def located(encoder, pixels):
    """Return boxes in pixels as networks receive them."""
    return encoder.located(np.array(pixels, np.float32) / 96).tolist()


def views(count, **shares):
    stage = replace(small("uniter").stages[0], **({"gray": 0.0, "covered": 0.0, "blank": 0.0} | shares))
    rng = np.random.default_rng(0)
    return [show(compose(5, number), stage, rng, mirror=bool(number % 2)) for number in range(count)]


@pytest.mark.parametrize("family", BUILDERS)
def test_every_loss_of_every_stage_is_weighed_and_finite_and_reaches_the_network(family, tmp_path):
    run = Run(Job(small(family), seed=0, folder=tmp_path))
    touched = set()
    for stage in run.job.recipe.stages:
        found = run.task.losses(run.trainee, stage, 0, 0, 0)
        assert set(found) == set(stage.losses)
        total = sum(found.values())
        assert torch.isfinite(total)
        total.backward()
        touched |= {name for name, each in run.trainee.named_parameters() if each.grad is not None and each.grad.any()}
    unread = {name for name, _ in run.trainee.named_parameters()} - touched
    spare = ("feat_regress", "mask_embedding", "position_embeddings_visual", "object_mask", "key.bias")
    spare += ("false_words",) if family == "bert" else ()
    assert not [name for name in unread if not any(part in name for part in spare)]


@pytest.mark.parametrize("family", ["uniter", "bert"])
def test_a_run_interrupted_in_each_stage_ends_with_the_same_weights(family, tmp_path):
    recipe = small(family)
    whole = train(Job(recipe, seed=3, folder=tmp_path / "whole"))
    job = Job(recipe, seed=3, folder=tmp_path / "killed", resume=True)
    job.folder.mkdir()
    for stop_after in range(1, 2 * len(recipe.stages), 2):
        run = Run(replace(job, stop_after=stop_after))
        if job.checkpoint.exists():
            run.restore()
        run.finish()
        run.save()
    train(job)
    expected, got = (load_file(folder / "model.safetensors") for folder in (whole, job.folder))
    assert expected.keys() == got.keys()
    assert all(torch.equal(expected[name], got[name]) for name in expected)


@pytest.mark.parametrize("family", BUILDERS)
def test_exported_weights_load_and_answer_as_the_trained_network(family, tmp_path, eyes):
    recipe = replace(small(family), stages=small(family).stages[-1:])
    job = Job(replace(recipe, stages=(replace(recipe.stages[0], steps=1),)), seed=1, folder=tmp_path)
    run = Run(job)
    run.finish()
    model = vlaudit.load(family, checkpoint=tmp_path / "model.safetensors", device="cpu")
    drawn = sample(0, 0)
    readings = {Words()} | ({Match()} if family != "bert" else set())
    trace = model.forward([ForwardRequest(drawn.hiding(drawn.slots[0]), frozenset(readings))])[0]
    assert trace[Words()].shape == (1, len(model.vocabulary))
    expected = {name: value.half().float() for name, value in run.trainee.network.state_dict().items()}
    got = model.network.state_dict()
    assert all(torch.equal(expected[name], got[name]) for name in expected)
    assert model.provenance.family in (family, f"ctrl_{family}")
    if family != "bert":
        digest = hashlib.sha256(eyes.read_bytes()).hexdigest()
        assert digest in (tmp_path / "config.json").read_text(encoding="utf-8")


def test_regions_of_a_mirrored_view_are_mirrored_and_shuffled(eyes):
    shown = views(6)
    encoder = load_encoder(eyes)
    found = encode_regions(shown, encoder, np.random.default_rng(1))
    shuffled = False
    for view, regions in zip(shown, found, strict=True):
        expected = [[box.left, box.top, box.right, box.bottom] for box in boxes(view.scene).values()]
        if view.mirror:
            expected = [[96 - right, top, 96 - left, bottom] for left, top, right, bottom in expected]
        expected = located(encoder, expected)
        got = regions.boxes.tolist()
        assert sorted(got) == sorted(expected)
        shuffled |= got != expected
        torch.testing.assert_close(regions.classes.sum(dim=1), torch.ones(len(expected)))
    assert shuffled


def test_words_of_regions_are_those_that_the_view_shows(eyes):
    """Mirrored views swap sides, gray ones have no colours, and views that are not clear have no words."""
    ids = {word: number for number, word in enumerate((*SPECIAL, *vocabulary()))}
    encoder = load_encoder(eyes)
    for view, regions in zip(views(6), encode_regions(views(6), encoder, np.random.default_rng(1)), strict=True):
        expected = []
        for region in regions_of(view.scene):
            box = region.box.mirrored(96) if view.mirror else region.box
            turned = {"left": "right", "right": "left"} if view.mirror else {}
            expected_words = (region.label, *(turned.get(word, word) for word in region.attributes))
            expected.append((*located(encoder, [box])[0], tuple(ids[word] for word in expected_words)))
        got = [(*box, known) for box, known in zip(regions.boxes.tolist(), regions.words, strict=True)]
        assert sorted(got) == sorted(expected)
    (gray,) = encode_regions(views(1, gray=1.0), encoder, np.random.default_rng(1))
    colors = {ids[word] for word in (*COLORS, *HAIR)}
    assert not colors & {word for known in gray.words for word in known}
    (covered,) = encode_regions(views(1, covered=1.0), encoder, np.random.default_rng(1))
    assert not any(covered.words)


def test_the_loss_of_region_words_is_lowest_for_equal_probabilities(eyes):
    encoder = load_encoder(eyes)
    network = RegionTask(small("uniter"), "cpu", encoder).trainee(0).network
    regions = encode_regions(views(1), encoder, np.random.default_rng(1))
    rows = [Row(views(1)[0].describe(0), (), 0)]
    network.cls = torch.nn.ModuleDict({"predictions": torch.nn.Identity()})
    logits = torch.full((1, len(regions[0].words), len(SPECIAL) + len(vocabulary())), -30.0)
    for place, known in enumerate(regions[0].words):
        logits[0, place, list(known)] = 0.0
    text = torch.zeros(1, 1, logits.shape[2])
    named = objectives._region_word_loss(network, objectives.Streams(text, logits), rows, regions)
    lowest = np.mean([np.log(len(known)) for known in regions[0].words])
    assert float(named) == pytest.approx(lowest, abs=1e-4)
    unsure = objectives._region_word_loss(network, objectives.Streams(text, torch.zeros_like(logits)), rows, regions)
    assert float(unsure) == pytest.approx(np.log(logits.shape[2]), abs=1e-4)


def test_false_words_are_labelled_false(eyes):
    head = torch.nn.Linear(1, 1).requires_grad_(requires_grad=False)
    head.weight.fill_(1.0)
    head.bias.zero_()
    rows = list(objectives._pair_rows(views(8), range(8), np.random.default_rng(2)))
    states = torch.zeros(len(rows), 30, 1)
    for number, row in enumerate(rows):
        for place, (word, true) in enumerate(zip(row.text.words, row.true_text.words, strict=False)):
            states[number, place + 1] = 30.0 if word != true else -30.0
    assert float(objectives._false_word_loss(head, states, rows)) == pytest.approx(0, abs=1e-6)
    assert float(objectives._false_word_loss(head, -states, rows)) > 20


@pytest.mark.parametrize("family", WITH_REGIONS)
def test_a_masked_region_is_zero_and_has_the_classes_of_the_network(family, eyes):
    encoder = load_encoder(eyes)
    layout = RegionTask(small(family), "cpu", encoder).trainee(0).network.layout
    shown = views(2)
    regions = encode_regions(shown, encoder, np.random.default_rng(1))
    hidden = np.zeros(len(regions[0].boxes), dtype=bool)
    hidden[[0, 2]] = True
    rows = [Row(shown[0].describe(0), (), 0, hidden), Row(shown[1].describe(0), {1}, 1)]
    batch = batch_of(rows, regions, layout, "cpu")
    inputs, first = batch.inputs, int(layout.global_region)
    assert inputs.hidden.sum() == 2
    assert (inputs.features[inputs.hidden] == 0).all()
    assert torch.equal(inputs.hidden[0, first : first + len(hidden)], torch.from_numpy(hidden))
    if layout.global_region:
        kept = regions[0].features.masked_fill(torch.from_numpy(hidden)[:, None], 0)
        torch.testing.assert_close(inputs.features[0, 0], kept.mean(dim=0))
        assert inputs.boxes[0, 0].tolist() == [0, 0, 1, 1]
    assert inputs.present.sum(dim=1).tolist() == [len(each.boxes) + first for each in regions]
    assert batch.classes.shape == (2, layout.classes)
    torch.testing.assert_close(batch.classes.sum(dim=1), torch.ones(2))
    known = regions[0].classes[torch.from_numpy(hidden)][:, -layout.classes :]
    torch.testing.assert_close(batch.classes, known / known.sum(dim=1, keepdim=True))
    ends = inputs.mask.sum(dim=1) - 1
    assert (inputs.ids[torch.arange(2), ends] == SEP).all()
    assert ((inputs.ids != PAD) == inputs.mask.bool()).all()


def test_the_loss_of_masked_regions_is_zero_only_for_the_probabilities_of_the_encoder(eyes):
    encoder = load_encoder(eyes)
    echo = RegionTask(small("uniter"), "cpu", encoder).trainee(0).network
    echo.region_classifier = torch.nn.Identity()
    layout = echo.layout
    regions = encode_regions(views(1), encoder, np.random.default_rng(1))
    hidden = np.ones(len(regions[0].boxes), dtype=bool)
    batch = batch_of([Row(views(1)[0].describe(0), (), 0, hidden)], regions, layout, "cpu")
    states = batch.classes.log()[None]
    text = torch.zeros(1, 1, layout.classes)
    same = objectives.region_loss(echo, objectives.Streams(text, states), batch)
    other = objectives.region_loss(echo, objectives.Streams(text, torch.zeros_like(states)), batch)
    assert float(same) == pytest.approx(0, abs=1e-5)
    entropy = -(batch.classes * batch.classes.log()).sum(dim=1).mean()
    assert float(other) == pytest.approx(np.log(layout.classes) - float(entropy), abs=1e-5)


def test_each_clear_view_has_its_true_caption_and_two_false_ones():
    shown = views(8)
    rows = list(objectives._pair_rows(shown, range(8), np.random.default_rng(2)))
    assert len(rows) == 8 * objectives.EACH
    one_word = 0
    for number, view in enumerate(shown):
        true, one, other = (row.text.words for row in rows[3 * number : 3 * number + 3])
        assert true in [view.describe(variant).words for variant in range(8)]
        assert true not in (one, other)
        one_word += len(one) == len(true) and sum(a != b for a, b in zip(true, one, strict=True)) == 1
    assert one_word >= 6
    assert list(objectives._pair_rows(shown, [3], np.random.default_rng(2))) == []


def test_a_hint_never_exceeds_the_length_of_the_network():
    stage = replace(small("lxmert").stages[0], hinted=1.0, captions=4)
    shown = views(10)
    rows = list(objectives._word_rows(shown, 18, stage, np.random.default_rng(0)))
    assert max(len(row.text.words) for row in rows) <= 18
    longer = list(objectives._word_rows(shown, 30, stage, np.random.default_rng(0)))
    assert max(len(row.text.words) for row in longer) > 18


def test_blank_views_mask_no_regions_and_unseen_ones_have_no_pixels():
    stage = replace(small("uniter").stages[0])
    blank = views(3, blank=1.0)
    assert all((view.pixels == BLANK).all() and view.blank and not view.clear for view in blank)
    assert list(objectives._region_rows(blank, [5] * 3, stage, np.random.default_rng(0))) == []
    rows = list(objectives._region_rows(views(3), [5] * 3, stage, np.random.default_rng(0)))
    assert [bool(row.hidden.any()) for row in rows] == [True] * 3
    assert unseen(compose(5, 0)).pixels.size == 0


def test_the_text_only_network_is_given_captions_alone():
    recipe = small("bert")
    network = RegionTask(recipe, "cpu").trainee(0).network
    shard = shard_of(recipe.stages[0], 0, 0, 0)
    rows = list(objectives._word_rows([unseen(s) for s in shard.scenes], 30, recipe.stages[0], shard.rng))
    batch = batch_of(rows, [], network.layout, "cpu")
    assert batch.inputs.features is None
    assert network.forward(batch.inputs, Wanted()).text.shape[0] == len(rows)


@pytest.mark.parametrize("family", BUILDERS)
def test_muon_trains_matrices_of_layers_and_nothing_else(family):
    made = RegionTask(small(family), "cpu")
    parameters = dict(made.trainee(0).named_parameters())
    muon = {name for name, parameter in parameters.items() if made.is_block_matrix(name, parameter)}
    assert any("query.weight" in name for name in muon)
    assert not any(word in name for name in muon for word in ("embed", "pooler", "predict", "visn_fc", "relationship"))
    inside = [name for name, p in parameters.items() if p.ndim == 2 and "layer" in name and "encoder" in name]
    assert muon == set(inside)


def test_a_recipe_of_an_unknown_family_is_an_error(tmp_path):
    with pytest.raises(UsageError, match=r"albef or one of uniter, .*got 'uniterr'"):
        train(Job(replace(small("uniter"), name="uniterr"), seed=0, folder=tmp_path))
