"""LXMERT files are loaded completely or not at all, with an error that names the fault."""

import json
from dataclasses import replace

import pytest
import torch
from parity.cases import GOLDENS
from parity.regional import write_model

import vlaudit
from vlaudit.errors import CheckpointError
from vlaudit.models.lxmert.network import PREFIX

DECODER = f"{PREFIX}cls.predictions.decoder.weight"


@pytest.fixture
def written(small, tmp_path):
    """Write the small network, or another, as a trainer does, with its tensors changed first."""

    def write(change=lambda tensors: tensors, network=small):
        path = write_model(tmp_path / "model", network)
        torch.save(change(torch.load(path, weights_only=True)), path)
        return path

    return write


def test_a_network_of_ones_own_comes_back(small, batch, written):
    """Written as its trainer writes it, it answers the same; heads and sizes come from tensors and config."""
    model = vlaudit.load("lxmert", checkpoint=written())
    assert model.network.config == small.config
    assert torch.equal(model.network(batch).text, small(batch).text)
    assert "3 language, 1 relation and 2 cross layers of 3 heads" in model.provenance.layout


def test_it_keeps_the_contract_of_adapters(written):
    """Every answer that it declares has the promised shape, and does not depend on order or padding."""
    vlaudit.check_adapter(vlaudit.load("lxmert", checkpoint=written()))


def test_a_network_without_heads_that_audits_do_not_read_is_restored(make, small, batch, written):
    """The network lacks the heads that the file lacks."""
    bare = make(replace(small.config, attributes=None, answers=None, regresses=False))
    network = vlaudit.load("lxmert", checkpoint=written(network=bare)).network
    assert network.config == bare.config
    assert torch.equal(network.region_logits(network(batch).image), bare.region_logits(bare(batch).image))


def test_names_without_the_wrapping_are_read_too(small, batch, written):
    """The official training prefixed names with `module.`; a name may not occur with and without it."""
    path = written(lambda tensors: {name.removeprefix(PREFIX): tensor for name, tensor in tensors.items()})
    assert torch.equal(vlaudit.load("lxmert", checkpoint=path).network(batch).text, small(batch).text)
    path = written(lambda tensors: tensors | {DECODER.removeprefix(PREFIX): tensors[DECODER]})
    with pytest.raises(CheckpointError, match=r"both with and without the prefix 'module\.'"):
        vlaudit.load("lxmert", checkpoint=path)


def test_the_second_name_of_the_word_table_may_be_absent(small, batch, written):
    """If present, it must agree."""
    path = written(lambda tensors: {name: tensor for name, tensor in tensors.items() if name != DECODER})
    network = vlaudit.load("lxmert", checkpoint=path).network
    assert torch.equal(network.word_logits(network(batch).text), small.word_logits(small(batch).text))
    path = written(lambda tensors: tensors | {DECODER: tensors[DECODER] + 1})
    with pytest.raises(CheckpointError, match="name one tensor, but their values differ"):
        vlaudit.load("lxmert", checkpoint=path)


@pytest.mark.parametrize(("family", "looks"), [("uniter", "UNITER"), ("ctrl_lxmert", r"a VOLTA model \(ctrl_\*\)")])
def test_the_error_for_a_file_of_another_family_names_the_family(family, looks):
    """One message, before anything is loaded."""
    path = GOLDENS / family / "case_a" / "checkpoint.pth"
    with pytest.raises(CheckpointError, match=f"not a checkpoint in the layout of LXMERT: .* looks like {looks}"):
        vlaudit.load("lxmert", checkpoint=path)


@pytest.mark.parametrize("name", ["bert.encoder.r_layers.0.output.dense.bias", "answer_head.logit_fc.2.weight"])
def test_a_file_that_lacks_a_tensor_is_refused(written, name):
    """A head is complete or absent."""
    path = written(lambda tensors: {n: t for n, t in tensors.items() if n != PREFIX + name})
    with pytest.raises(CheckpointError, match=rf"missing: {name}"):
        vlaudit.load("lxmert", checkpoint=path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_attention_heads": None}, "number of heads cannot be read off the tensors"),
        ({"x_layers": 4}, "the config says x_layers = 4, but the checkpoint's tensors have 2"),
        ({"num_qa_labels": 9500}, "the config says num_qa_labels = 9500"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(written, change, message):
    path = written()
    stored = path.parent / "config.json"
    stated = json.loads(stored.read_text(encoding="utf-8")) | change
    stored.write_text(json.dumps({name: value for name, value in stated.items() if value is not None}))
    with pytest.raises(CheckpointError, match=message):
        vlaudit.load("lxmert", checkpoint=path)


@pytest.mark.parametrize("longest", [20, 30])
def test_the_longest_caption_is_that_of_the_training(small, written, make, longest):
    """The published 20 tokens, unless max_seq_length in config.json states another length."""
    network = make(replace(small.config, longest=longest, max_positions=40))
    assert vlaudit.load("lxmert", checkpoint=written(network=network)).network.layout.max_length == longest


def test_an_invalid_length_is_an_error(written):
    path = written()
    config = path.parent / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"max_seq_length": "twenty"}))
    with pytest.raises(CheckpointError, match="max_seq_length must be a whole number of at least 3, got 'twenty'"):
        vlaudit.load("lxmert", checkpoint=path)
