"""Our networks hold exactly the published keys and shapes, and tensors that are tied there are tied here."""

import pytest
import torch
from volta_cases import CASES, DUAL, SINGLE, golden_config, network_of, published

from vlaudit.models.meta_device import build_on_meta
from vlaudit.models.volta.config import PUBLISHED, VoltaConfig
from vlaudit.models.volta.network import VoltaNetwork, aliases


def full_size(name):
    with build_on_meta():
        return VoltaNetwork(VoltaConfig.published(name))


@pytest.mark.parametrize("name", PUBLISHED)
def test_full_size_network_has_the_published_keys_and_shapes(name):
    ours = {key: list(tensor.shape) for key, tensor in full_size(name).published_state_dict().items()}
    assert ours == published(name)["state_dict"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_as_many_tensors_have_two_names_as_in_the_published_file(name):
    known, second = published(name)["aliased_keys"], aliases(full_size(name))
    groups = known["first"] if isinstance(known, dict) else known
    assert len(second) == (known["count"] if isinstance(known, dict) else len(known))
    assert {later: first for first, later in groups}.items() <= second.items()


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_number_is_counted_once(name):
    """The official count of parameters."""
    assert sum(p.numel() for p in full_size(name).parameters()) == published(name)["num_parameters_unique"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_is_written_fills_an_official_model(name):
    """`published_state_dict` returns the golden checkpoint, under all of its names."""
    stored = torch.load(CASES[name].checkpoint, weights_only=True)
    written = network_of(name).published_state_dict()
    assert written.keys() == stored.keys()
    assert all(torch.equal(written[key], tensor) for key, tensor in stored.items())


@pytest.mark.parametrize("name", SINGLE)
def test_single_stream_models_declare_one_softmax_over_both(name):
    layout = network_of(name).layout
    assert (layout.architecture, layout.joint_softmax) == ("single-stream", True)
    assert set(layout.attention.values()) == {(0, 1, 2)}
    assert len(layout.attention) == 4


@pytest.mark.parametrize("name", DUAL)
def test_two_stream_models_declare_where_each_attention_is(name):
    layout = network_of(name).layout
    assert (layout.architecture, layout.joint_softmax) == ("two-stream", False)
    across, among = layout.attention["text", "image"], layout.attention["image", "image"]
    assert across == layout.attention["image", "text"]
    assert not set(across) & set(among)


def test_vilbert_has_no_region_states_in_its_text_layers():
    layout = network_of("ctrl_vilbert").layout
    assert layout.states == {"text": (0, 1, 2, 3, 4, 5, 6), "image": (0, 3, 4, 5, 6)}


def test_captions_leave_room_for_the_positions_of_vl_berts_regions():
    """Its regions take the two positions after the caption."""
    for name, room in (("ctrl_uniter", 20), ("ctrl_vl-bert", 18)):
        config = golden_config(name).model_copy(update={"max_position_embeddings": 20})
        assert VoltaNetwork(config).layout.max_length == room
        assert VoltaNetwork(golden_config(name)).layout.max_length == 38


def test_weights_to_train_from_are_small_and_repeatable():
    """Matrices and tables of the config's deviation, biases 0, norms 1; the same for the same seed."""
    drawn = []
    for _ in range(2):
        torch.manual_seed(0)
        network = VoltaNetwork(golden_config("ctrl_vl-bert"))
        network.initialise()
        drawn.append(network.state_dict())
    assert all(torch.equal(drawn[0][key], tensor) for key, tensor in drawn[1].items())
    words = drawn[0]["bert.embeddings.word_embeddings.weight"]
    assert abs(words.std().item() - 0.02) < 0.001
    assert not any(drawn[0][key].any() for key in drawn[0] if key.endswith("bias"))
    assert all((drawn[0][key] == 1).all() for key in drawn[0] if "LayerNorm.weight" in key)
