"""A VOLTA file is loaded completely, or refused with one message that names its family."""

import json

import pytest
import torch
from parity.regional import load_case, write_vocabulary
from volta_cases import CASES, network_of

import vlaudit
from vlaudit.errors import CheckpointError
from vlaudit.models.checks import check_adapter
from vlaudit.models.volta.config import PUBLISHED
from vlaudit.models.volta.network import aliases

CPU = {"device": "cpu"}


@pytest.fixture
def folder(tmp_path):
    """Return a function that writes the changed files of a case and returns the path of the checkpoint."""

    def write(name, tensors=None, config=None):
        write_vocabulary(tmp_path, 500)
        if config is not None:
            (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
        torch.save(stored(name) if tensors is None else tensors, tmp_path / "pytorch_model_9.bin")
        return tmp_path / "pytorch_model_9.bin"

    return write


def stored(name):
    return torch.load(CASES[name].checkpoint, weights_only=True)


@pytest.mark.parametrize("name", PUBLISHED)
def test_an_adapter_keeps_what_the_boundary_promises(name):
    check_adapter(load_case(CASES[name], "cpu"))


@pytest.mark.parametrize(
    ("typed", "name"), [("vilbert", "ctrl_vilbert"), ("vl-bert", "ctrl_vl-bert"), ("visualbert", "ctrl_visualbert")]
)
def test_short_names_mean_the_controlled_models(typed, name, folder):
    adapter = vlaudit.load(typed, checkpoint=folder(name, config=CASES[name].config), **CPU)
    assert adapter.name == name
    assert adapter.capabilities.architecture == network_of(name).layout.architecture


@pytest.mark.parametrize("name", PUBLISHED)
def test_second_names_may_be_left_out(name, folder):
    """A file that holds each tensor once is loaded to the same numbers."""
    once = {key: tensor for key, tensor in stored(name).items() if key not in aliases(network_of(name))}
    adapter = vlaudit.load(name, checkpoint=folder(name, once, CASES[name].config), **CPU)
    expected = network_of(name).state_dict()
    assert all(torch.equal(tensor, expected[key]) for key, tensor in adapter.network.state_dict().items())


def test_second_names_of_newer_code_and_of_several_gpus_are_known(folder):
    tensors = stored("ctrl_uniter")
    types = tensors["bert.embeddings.token_type_embeddings.weight"]
    tensors |= {"bert.embeddings.image_token_type_embeddings.weight": types}
    wrapped = {f"module.{key}": tensor for key, tensor in tensors.items()}
    vlaudit.load("ctrl_uniter", checkpoint=folder("ctrl_uniter", wrapped, CASES["ctrl_uniter"].config), **CPU)


def test_two_names_of_one_tensor_must_agree(folder):
    tensors = stored("ctrl_uniter")
    name = "bert.encoder.layer.0.attention_self.v_query.weight"
    tensors[name] = tensors[name] + 1
    with pytest.raises(CheckpointError, match=r"v_query[.]weight name one tensor, but their values differ"):
        vlaudit.load("ctrl_uniter", checkpoint=folder("", tensors, CASES["ctrl_uniter"].config), **CPU)


@pytest.mark.parametrize("held", PUBLISHED)
def test_a_file_of_another_controlled_model_is_called_by_its_name(held, folder):
    requested = "ctrl_vilbert" if held != "ctrl_vilbert" else "ctrl_lxmert"
    with pytest.raises(CheckpointError, match=f"give --model {held}"):
        vlaudit.load(requested, checkpoint=folder(held, config=CASES[held].config), **CPU)


def test_the_error_for_a_file_of_another_family_names_the_family(folder):
    other = {"uniter.embeddings.word_embeddings.weight": torch.ones(3, 2)}
    with pytest.raises(CheckpointError, match="It looks like UNITER"):
        vlaudit.load("ctrl_uniter", checkpoint=folder("", other), **CPU)


@pytest.mark.parametrize(
    ("config", "stated"),
    [
        (CASES["ctrl_lxmert"].config, "image_embeddings must be 'vilbert'.* got 'lxmert'"),
        (CASES["ctrl_lxmert"].config | {"image_embeddings": "vilbert"}, "got others for sublayers"),
        (CASES["ctrl_vilbert"].config | {"vocab_size": 400}, r"the word table, \(500, 48\)"),
        (CASES["ctrl_vilbert"].config | {"intermediate_size": 12}, "wrong shapes"),
        ({"hidden_size": 48}, "read by the config that came with it: .*image_embeddings is missing"),
        (None, "read by the published config of ctrl_vilbert, for it has none"),
    ],
)
def test_a_config_that_does_not_fit_is_one_message(config, stated, folder):
    with pytest.raises(CheckpointError, match=stated):
        vlaudit.load("ctrl_vilbert", checkpoint=folder("ctrl_vilbert", config=config), **CPU)


def test_the_number_of_classes_is_read_off_the_tensors(folder):
    """It is a constant of the official code and in no official config."""
    config = {key: value for key, value in CASES["ctrl_uniter"].config.items() if key != "mrc_num_classes"}
    adapter = vlaudit.load("ctrl_uniter", checkpoint=folder("ctrl_uniter", config=config), **CPU)
    assert adapter.network.layout.classes == 13


def test_a_region_head_without_classes_is_refused_for_its_shape(folder):
    tensors = stored("ctrl_uniter") | {"cls.imagePredictions.decoder_dict.0.weight": torch.tensor(1.0)}
    with pytest.raises(CheckpointError, match=r"wrong shapes.*cls\.imagePredictions\.decoder_dict\.0\.weight"):
        vlaudit.load("ctrl_uniter", checkpoint=folder("ctrl_uniter", tensors, CASES["ctrl_uniter"].config), **CPU)
