"""UNITER's network: the published keys, one softmax over both modalities, padding that changes nothing."""

import json
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from parity.cases import GOLDENS
from parity.regional import everything, row_alone
from parity.uniter import inputs_of, packed

from vlaudit.errors import CheckpointError, RequestError
from vlaudit.models import bert_layers
from vlaudit.models.meta_device import build_on_meta
from vlaudit.models.streams.contract import Wanted
from vlaudit.models.streams.recording import Recorder
from vlaudit.models.uniter.config import UniterConfig
from vlaudit.models.uniter.network import Uniter, seven_numbers

PUBLISHED = json.loads((GOLDENS / "uniter" / "published_layout.json").read_text(encoding="utf-8"))


@pytest.fixture
def full_size():
    """The published sizes, without memory for the weights."""
    with build_on_meta():
        return Uniter(UniterConfig.published())


def test_the_full_size_network_has_the_published_keys_and_shapes(full_size):
    """Exactly them, and as many parameters."""
    ours = {name: list(tensor.shape) for name, tensor in full_size.published_state_dict().items()}
    assert ours == PUBLISHED["state_dict"]
    assert sum(p.numel() for p in full_size.parameters()) == PUBLISHED["num_parameters_unique"]


def test_the_published_config_has_the_published_sizes(full_size):
    """The official config, and the sizes that are arguments there, read as our sizes."""
    stated = PUBLISHED["config"] | PUBLISHED["constructor"]
    assert UniterConfig.from_tensors(full_size.state_dict(), stated) == UniterConfig.published()
    ours = full_size.config.to_json()
    assert {name: ours[name] for name in ours.keys() & stated.keys()}.items() <= stated.items()
    assert {"hidden_size", "num_attention_heads", "img_dim"} <= ours.keys() & stated.keys()


def test_the_longest_caption_is_the_published_one():
    """60 pieces and [CLS] and [SEP]; fewer where the network has fewer positions."""
    assert UniterConfig.published().max_length == PUBLISHED["preprocessing"]["max_txt_len"] + 2
    assert replace(UniterConfig.published(), max_positions=40).max_length == 40


def test_tied_tensors_are_one(small):
    """The decoder is the word table, and features are predicted with the matrix that reads them."""
    state = small.state_dict()
    for one, other in PUBLISHED["aliased_keys"]:
        assert state[one].data_ptr() == state[other].data_ptr()


def test_a_row_does_not_depend_on_its_batch(small, batch):
    """Caption and regions padded within the batch equal the row alone, where both are packed."""
    together = small(batch, everything(small))
    for row in range(len(batch.ids)):
        alone = small(row_alone(batch, row), everything(small))
        lengths = {"text": alone.text.shape[1], "image": alone.image.shape[1]}
        torch.testing.assert_close(together.text[row, : lengths["text"]], alone.text[0])
        torch.testing.assert_close(together.image[row, : lengths["image"]], alone.image[0])
        for (queries, keys, layer), probabilities in together.attention.items():
            cut = probabilities[row, :, : lengths[queries], : lengths[keys]]
            torch.testing.assert_close(cut, alone.attention[queries, keys, layer][0])


def test_padded_equals_packed(case, network):
    """The layers run on embeddings packed by the official index and mask give what they give on padded ones."""
    given = case.inputs
    recorder = Recorder(Wanted(states=frozenset({("text", 0), ("image", 0)})))
    streams = network.uniter(inputs_of(given), recorder)
    entering = torch.cat([streams.states["text", 0], streams.states["image", 0]], dim=1)
    index = given["gather_index"][..., None].expand(-1, -1, entering.shape[-1])
    last = network.uniter.encoder(entering.gather(1, index), given["packed_attn_masks"], 0, Recorder(Wanted()))
    torch.testing.assert_close(packed(streams, given["gather_index"]), last, atol=1e-5, rtol=0)


def test_both_modalities_share_one_softmax(small, batch):
    """A query's slices sum to 1 together, and padding has a probability of exactly 0."""
    attention = small(batch, everything(small)).attention
    for layer in range(small.config.layers):
        for queries in ("text", "image"):
            on_text, on_image = attention[queries, "text", layer], attention[queries, "image", layer]
            torch.testing.assert_close(on_text.sum(-1) + on_image.sum(-1), torch.ones(on_text.shape[:3]))
            assert (on_text * (1 - batch.mask)[:, None, None]).abs().max() == 0
            assert (on_image * (1 - batch.present)[:, None, None]).abs().max() == 0


def test_only_what_is_wanted_is_kept_and_written_out(small, batch, monkeypatch):
    """The fused kernel runs in every layer whose attention is not read, and what it gives is the same."""
    requested = []
    attend = bert_layers.attend
    monkeypatch.setattr(
        bert_layers, "attend", lambda *args, weights: requested.append(weights) or attend(*args, weights=weights)
    )
    wanted = Wanted(frozenset({("image", "text", 1)}), frozenset({("text", 3), ("image", 0)}))
    streams = small(batch, wanted)
    assert requested == [False, True, False]
    assert (set(streams.attention), set(streams.states)) == (wanted.attention, wanted.states)
    torch.testing.assert_close(streams.text, small(batch).text)
    assert torch.equal(streams.states["text", 3], streams.text)


def test_the_layout_declares_every_output(small, batch):
    """Exactly the outputs that the layout declares are returned."""
    streams, layout = small(batch, everything(small)), small.layout
    assert (len(streams.attention), len(streams.states)) == (4 * 3, 2 * 4)
    assert (layout.joint_softmax, layout.architecture, layout.global_region) == (True, "single-stream", False)
    assert small.region_logits(streams.image).shape[-1] == layout.classes == 7
    assert small.word_logits(streams.text).shape[-1] == layout.vocabulary_size == 60
    assert small.region_features(streams.image).shape[-1] == layout.region_width == 10


def test_without_a_mask_every_region_is_attended(small, batch):
    """`present` of None is a mask of ones."""
    full = replace(batch, present=torch.ones_like(batch.present))
    assert torch.equal(small(replace(batch, present=None)).text, small(full).text)


@given(arrays.arrays("float32", (3, 2, 2), elements=st.floats(0, 1, width=16)))
def test_a_box_becomes_seven_numbers(edges):
    """The edges, then width, height and area computed from them."""
    edges.sort(axis=1)
    boxes = torch.from_numpy(edges.reshape(3, 4))
    left, top, right, bottom, width, height, area = seven_numbers(boxes).unbind(-1)
    assert torch.equal(torch.stack([left, top, right, bottom], -1), boxes)
    torch.testing.assert_close(left + width, right)
    torch.testing.assert_close(top + height, bottom)
    torch.testing.assert_close(width * height, area)
    assert (area >= 0).all()
    assert (area <= 1).all()


def test_the_whole_image_has_the_known_box():
    """Width, height and area of the whole image are 1."""
    assert seven_numbers(torch.tensor([0.0, 0.0, 1.0, 1.0])).tolist() == [0, 0, 1, 1, 1, 1, 1]


def test_words_or_regions_that_do_not_fit_are_refused(small, batch):
    """A caption longer than the position table, and a pass without regions."""
    with pytest.raises(RequestError, match="at most 20 tokens per caption, got 21"):
        small(replace(batch, ids=torch.ones(3, 21, dtype=torch.long), mask=torch.ones(3, 21, dtype=torch.long)))
    with pytest.raises(RequestError, match="features and boxes must be given"):
        small(replace(batch, features=None, boxes=None, present=None))


@pytest.mark.parametrize(("sizes", "message"), [({"heads": 5}, "multiple of heads"), ({"type_vocab": 1}, "at least 2")])
def test_sizes_that_no_network_has_are_refused(small, sizes, message):
    with pytest.raises(CheckpointError, match=message):
        replace(small.config, **sizes)


def test_first_weights_are_drawn_as_bert_draws_them():
    """Matrices and tables spread by `std`, biases 0, norms 1 and 0; the same again from the same seed."""
    config = UniterConfig(100, 64, layers=1, heads=1, intermediate=64, region_width=64)
    drawn = []
    for _ in range(2):
        torch.manual_seed(3)
        network = Uniter(config)
        network.initialise(std=0.05)
        drawn.append(network.state_dict())
    assert all(torch.equal(drawn[0][name], drawn[1][name]) for name in drawn[0])
    layer = network.uniter.encoder.layer[0]
    for matrix in (layer.attention.self.query.weight, network.uniter.embeddings.word_embeddings.weight):
        assert matrix.std().item() == pytest.approx(0.05, rel=0.1)
    assert layer.attention.self.query.bias.abs().max() == 0
    assert (layer.output.LayerNorm.weight == 1).all()
