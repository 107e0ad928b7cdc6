"""UNITER files are loaded completely or not at all, with an error that names the fault."""

import json
from dataclasses import replace

import pytest
import torch
from parity.cases import GOLDENS
from parity.regional import random_inputs, write_model, write_vocabulary

import vlaudit
from vlaudit.errors import CheckpointError
from vlaudit.models.uniter.config import UniterConfig
from vlaudit.models.uniter.network import ALIASES, Uniter


@pytest.fixture
def written(small, tmp_path):
    """Write the small network as a trainer does, with its tensors changed first."""

    def write(change=lambda tensors: tensors):
        path = write_model(tmp_path / "model", small)
        torch.save(change(torch.load(path, weights_only=True)), path)
        return path

    return write


def test_a_network_of_ones_own_comes_back(small, batch, written):
    """Written as its trainer writes it, it answers the same; heads and sizes come from tensors and config."""
    model = vlaudit.load("uniter", checkpoint=written())
    assert model.network.config == small.config
    assert torch.equal(model.network(batch).text, small(batch).text)
    assert model.provenance.keys.aliases == tuple(ALIASES)
    assert "3 layers of 3 heads" in model.provenance.layout


def test_it_keeps_the_contract_of_adapters(written):
    """Every answer that it declares has the promised shape, and does not depend on order or padding."""
    vlaudit.check_adapter(vlaudit.load("uniter", checkpoint=written()))


@pytest.mark.parametrize("name", ALIASES)
def test_second_names_may_be_absent(small, batch, written, name):
    """Of tensors that are one, the file may hold the first name alone; safetensors cannot hold both."""
    path = written(lambda tensors: {n: t for n, t in tensors.items() if n != name})
    network = vlaudit.load("uniter", checkpoint=path).network
    ours, theirs = network(batch), small(batch)
    assert torch.equal(network.word_logits(ours.text), small.word_logits(theirs.text))
    assert torch.equal(network.region_features(ours.image), small.region_features(theirs.image))


def test_second_names_must_agree(written):
    path = written(lambda tensors: tensors | {"feat_regress.weight": tensors["feat_regress.weight"] + 1})
    with pytest.raises(CheckpointError, match="name one tensor, but their values differ"):
        vlaudit.load("uniter", checkpoint=path)


@pytest.mark.parametrize(("family", "looks"), [("lxmert", "LXMERT"), ("ctrl_uniter", r"a VOLTA model \(ctrl_\*\)")])
def test_the_error_for_a_file_of_another_family_names_the_family(family, looks):
    """One message, before anything is loaded."""
    path = GOLDENS / family / "case_a" / "checkpoint.pth"
    with pytest.raises(CheckpointError, match=f"not a checkpoint in the layout of UNITER: .* looks like {looks}"):
        vlaudit.load("uniter", checkpoint=path)


@pytest.mark.parametrize("name", ["uniter.encoder.layer.1.output.dense.bias", "itm_output.weight"])
def test_a_file_that_lacks_a_tensor_is_refused(written, name):
    path = written(lambda tensors: {n: t for n, t in tensors.items() if n != name})
    with pytest.raises(CheckpointError, match=rf"missing: {name}"):
        vlaudit.load("uniter", checkpoint=path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_attention_heads": None}, "number of heads cannot be read off the tensors"),
        ({"num_attention_heads": 5}, "whole number that divides hidden_size = 24, got 5"),
        ({"num_attention_heads": True}, "got True"),
        ({"num_hidden_layers": 4}, "the config says num_hidden_layers = 4, but the checkpoint's tensors have 3"),
        ({"hidden_act": "relu"}, "hidden_act must be 'gelu'"),
        ({"layer_norm_eps": 0}, "layer_norm_eps must be a positive number"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(written, change, message):
    path = written()
    stored = path.parent / "config.json"
    stated = json.loads(stored.read_text(encoding="utf-8")) | change
    stored.write_text(json.dumps({name: value for name, value in stated.items() if value is not None}))
    with pytest.raises(CheckpointError, match=message):
        vlaudit.load("uniter", checkpoint=path)


def test_heads_of_the_published_width_need_no_config(tmp_path):
    """The published files have no config: 64 components per head."""
    config = UniterConfig(40, 128, layers=1, heads=2, intermediate=8, region_width=6, classes=5)
    network = Uniter(config).eval()
    network.initialise(std=0.2)
    path = write_model(tmp_path / "wide", network)
    (path.parent / "config.json").unlink()
    assert vlaudit.load("uniter", checkpoint=path).network.config == replace(config, heads=2)


def test_a_bare_cased_vocabulary_keeps_capitals(written):
    """bert-base-cased comes as a vocab.txt alone, whose capitals must not be folded away."""
    path = written()
    stored = path.parent / "vocab.txt"
    stored.write_text(stored.read_text(encoding="utf-8").replace("aab", "Aaa"), encoding="utf-8")
    model = vlaudit.load("uniter", checkpoint=path)
    assert [piece.id for piece in model._vocabulary.pieces("Aaa aaa")] == [6, 5]


def test_half_precision_answers_nearly_the_same(small, written):
    """All but rounding; the published features are stored in half precision too."""
    torch.manual_seed(2)
    inputs = random_inputs(small)
    network = vlaudit.load("uniter", checkpoint=written(), dtype="bfloat16").network
    rounded = replace(inputs, features=inputs.features.bfloat16(), boxes=inputs.boxes.bfloat16())
    real = inputs.mask[..., None]
    difference = (network(rounded).text.float() - small(inputs).text) * real
    assert difference.abs().mean() < 0.1


def test_the_vocabulary_must_fit(written, tmp_path):
    path = written()
    (path.parent / "vocab.txt").unlink()
    write_vocabulary(tmp_path, 61)
    with pytest.raises(vlaudit.errors.VocabularyError, match=r"61 entries, .* 60 rows; .* bert-base-cased"):
        vlaudit.load("uniter", checkpoint=path, tokenizer=str(tmp_path))
