"""Training: interrupted runs and several processes give the same weights, and exported weights load."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import vlaudit
from fixtures.zoo import losses
from fixtures.zoo.initial import CODE, initialise, position_code
from fixtures.zoo.stages import AlbefTask, Trainee, stage_losses
from fixtures.zoo.training import Job, Run, train
from fixtures.zoo.views import shard_of
from vlaudit.datasets.scenes import sample
from vlaudit.errors import UsageError
from vlaudit.models.albef.network import Albef
from vlaudit.models.base import ForwardRequest
from vlaudit.traces import Match, Words


def weights(folder):
    return load_file(folder / "model.safetensors")


@pytest.fixture
def trained(tiny, tmp_path):
    return train(Job(tiny, seed=3, folder=tmp_path / "whole"))


def test_a_run_interrupted_in_each_stage_ends_with_the_same_weights(tiny, tmp_path, trained):
    job = Job(tiny, seed=3, folder=tmp_path / "killed", resume=True)
    job.folder.mkdir()
    for stop_after in (1, 3, 5, 7):
        run = Run(replace(job, stop_after=stop_after))
        if job.checkpoint.exists():
            run.restore()
        run.finish()
        run.save()  # an interrupted run resumes from its last checkpoint
        assert run.progress.total == stop_after
    train(job)
    expected, got = weights(trained), weights(job.folder)
    assert expected.keys() == got.keys()
    assert all(torch.equal(expected[name], got[name]) for name in expected)


def test_two_processes_give_the_weights_of_one(tiny, tmp_path):
    """Equal up to the rounding of gradient sums in another order, after one step, before it grows."""
    tiny = replace(tiny, stages=tuple(replace(stage, steps=1) for stage in tiny.stages[:1]))
    one = weights(train(Job(tiny, seed=3, folder=tmp_path / "one")))
    two = weights(train(Job(tiny, seed=3, folder=tmp_path / "two", processes=2)))
    for name, tensor in one.items():
        torch.testing.assert_close(two[name].float(), tensor.float(), atol=2e-3, rtol=0, msg=name)


def test_exported_weights_load_by_the_public_function(trained):
    model = vlaudit.load("albef", checkpoint=trained / "model.safetensors", device="cpu")
    drawn = sample(0, 0)
    request = ForwardRequest(drawn.hiding(drawn.slots[0]), frozenset({Words(), Match()}))
    trace = model.forward([request])[0]
    assert trace[Words()].shape == (1, len(model.vocabulary))
    assert {path.name for path in trained.iterdir()} == {
        *("model.safetensors", "config.json", "vocab.txt", "training.json", "run.pt"),
    }


def test_a_run_does_not_resume_with_another_seed_or_recipe(tiny, trained):
    other = replace(tiny, stages=tiny.stages[1:])
    for job in (Job(tiny, seed=4, folder=trained, resume=True), Job(other, 3, trained, resume=True)):
        with pytest.raises(UsageError, match="seed 3; name another folder"):
            train(job)


def test_an_existing_run_is_not_overwritten(tiny, trained):
    with pytest.raises(UsageError, match="the folder contains a run"):
        train(Job(tiny, seed=3, folder=trained))


def test_processes_must_divide_the_shards(tiny, tmp_path):
    with pytest.raises(UsageError, match=r"must divide the 2 shards .* got 3"):
        train(Job(tiny, seed=3, folder=tmp_path / "run", processes=3))


def test_the_scenes_of_a_step_depend_on_seed_stage_step_and_shard_only(tiny):
    stage = tiny.stages[1]
    first, again = shard_of(stage, 3, 7, 1), shard_of(stage, 3, 7, 1)
    assert first.scenes == again.scenes
    assert first.rng.random() == again.rng.random()
    others = [(tiny.stages[2], 3, 7, 1), (stage, 4, 7, 1), (stage, 3, 8, 1), (stage, 3, 7, 0)]
    keys = {scene.key for scene in first.scenes}
    assert all(keys.isdisjoint(scene.key for scene in shard_of(*other).scenes) for other in others)


@pytest.mark.parametrize("number", range(4))
def test_losses_are_weighted_and_finite_and_train_the_image_encoder_unless_it_is_frozen(tiny, number):
    stage = replace(tiny.stages[number], image_frozen=0.5, covered=0.3, blank=0.2, gray=0.3, hinted=0.5)
    model = Albef(tiny.network.config(300))
    initialise(model, seed=0)
    trainee = Trainee(model)
    for done, learns in ((0.0, False), (0.5, True)):
        found = stage_losses(trainee, stage, shard_of(stage, 0, 0, 0), done)
        assert set(found) == set(stage.losses)
        total = sum(found.values())
        assert torch.isfinite(total)
        trainee.zero_grad()
        total.backward()
        assert (model.visual_encoder.patch_embed.proj.weight.grad is not None) == learns


def test_muon_trains_matrices_of_blocks_and_nothing_else(tiny):
    trainee = Trainee(Albef(tiny.network.config(300)))
    task = AlbefTask(tiny, "cpu")
    muon = {name for name, parameter in trainee.named_parameters() if task.is_block_matrix(name, parameter)}
    assert any("visual_encoder.blocks.0.attn.qkv.weight" in name for name in muon)
    assert any("encoder.layer.1.crossattention.self.key.weight" in name for name in muon)
    assert not any("embeddings" in name or ("proj.weight" in name and "attn" not in name) for name in muon)
    assert not any("patch_words" in name or "itm_head" in name or "predictions" in name for name in muon)


def test_the_first_heads_attend_to_a_neighbour(tiny):
    """The score of a query is highest for the key of the neighbouring position."""
    network = replace(tiny.network, patch_size=8, vision_width=128, vision_heads=4)
    model = Albef(network.config(300))
    initialise(model, seed=0)
    code, qkv = position_code(12), model.visual_encoder.blocks[0].attn.qkv.weight.detach()
    query, key = (code @ part[:32, 128 - CODE :].T for part in (qkv[:128], qkv[128:256]))
    best = (query @ key.T).argmax(dim=1)
    inner = torch.arange(144).view(12, 12)[1:-1, 1:-1].flatten()
    assert (best[inner] == inner - 12).all()


def test_the_contrastive_loss_is_zero_for_matched_pairs_and_log_n_for_equal_similarities():
    rows = torch.arange(4)
    assert losses.contrastive_loss(torch.zeros(4, 4), rows) == pytest.approx(np.log(4))
    assert losses.contrastive_loss(50 * torch.eye(4), rows) < 1e-6


def test_words_that_are_not_asked_are_ignored():
    logits, present = torch.tensor([[[3.0, -50.0]]]), torch.tensor([[[True, True]]])
    asked = torch.tensor([[True, False]])
    alone = losses.word_presence_loss(logits[..., :1], present[..., :1], asked[:, :1])
    assert losses.word_presence_loss(logits, present, asked) == pytest.approx(alone.item())
