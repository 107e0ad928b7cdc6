"""LXMERT through transformers: layers by depth, and the attention that the class does not hand out."""

import shutil

import pytest
import torch
from hf_folders import CPU, VOCABULARY, close, edited, made, padded, written
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LxmertConfig, LxmertForPreTraining

import vlaudit
from vlaudit.errors import CheckpointError, RequestError
from vlaudit.models.base import ForwardRequest, LoadOptions
from vlaudit.models.check import check_adapter
from vlaudit.models.hf.lxmert import LxmertNetwork, open_lxmert
from vlaudit.models.lxmert.config import LxmertConfig as OwnConfig
from vlaudit.models.lxmert.network import Lxmert
from vlaudit.models.specimens import specimens
from vlaudit.models.streams.contract import Inputs, Wanted
from vlaudit.traces import Match, RegionClasses

WIDTH, CLASSES = 6, 7
TEXT, IMAGE, CROSS = 3, 1, 2  # layers; uneven, so that a number counted in the wrong stack shows
CONFIG = LxmertConfig(
    vocab_size=len(VOCABULARY),
    hidden_size=16,
    num_attention_heads=4,
    intermediate_size=20,
    max_position_embeddings=24,
    l_layers=TEXT,
    r_layers=IMAGE,
    x_layers=CROSS,
    visual_feat_dim=WIDTH,
    num_object_labels=CLASSES,
    num_attr_labels=5,
    num_qa_labels=3,
)
DEPTHS = {"text": (0, 1, 2, 3, 4), "image": (0, 3, 4)}
ALL = Wanted(
    frozenset((who, who, layer) for who, layers in DEPTHS.items() for layer in layers)
    | {(*pair, layer) for pair in (("text", "image"), ("image", "text")) for layer in (3, 4)},
    frozenset((who, stage) for who, layers in DEPTHS.items() for stage in (0, *(i + 1 for i in layers))),
)
LENGTHS = st.lists(st.tuples(st.integers(2, 8), st.integers(1, 5)), min_size=1, max_size=3)


@pytest.fixture(scope="session")
def reference():
    return made(LxmertForPreTraining, CONFIG)


@pytest.fixture(scope="session")
def kept(reference, tmp_path_factory):
    """A folder that no test changes."""
    return written(reference, tmp_path_factory.mktemp("lxmert"))


@pytest.fixture(scope="session")
def network(kept):
    return open_lxmert(LoadOptions(kept, CPU))[0]


@pytest.fixture(scope="session")
def adapter(kept):
    return vlaudit.load("lxmert", checkpoint=kept, device="cpu")


def batch(lengths):
    """Return inputs of captions and regions of these lengths, padded with zeros."""
    ids, mask = padded([text for text, _ in lengths])
    _, present = padded([regions for _, regions in lengths])
    features = torch.randn(*present.shape, WIDTH).relu() * present[..., None]
    return Inputs(ids, mask, features, torch.rand(*present.shape, 4) * present[..., None], present)


def arguments(inputs):
    return {
        "input_ids": inputs.ids,
        "visual_feats": inputs.features,
        "visual_pos": inputs.boxes,
        "attention_mask": inputs.mask,
        "visual_attention_mask": inputs.present,
    }


def truth(model, inputs):
    with torch.inference_mode():
        return model(**arguments(inputs), output_attentions=True, output_hidden_states=True)


@settings(max_examples=15)
@given(lengths=LENGTHS)
def test_every_reading_is_what_the_class_computes(network, reference, lengths):
    inputs = batch(lengths)
    expected = truth(reference, inputs)
    with torch.inference_mode():
        streams = network(inputs, ALL)
        words, match = network.word_logits(streams.text), network.match_logits(streams)
    assert close(words, expected.prediction_logits, where=inputs.mask)
    assert close(match, expected.cross_relationship_score)
    for stage, state in zip(range(1, 6), expected.language_hidden_states, strict=True):
        assert close(streams.states["text", stage], state, where=inputs.mask)
    for stage, state in zip((1, 4, 5), expected.vision_hidden_states, strict=True):
        assert close(streams.states["image", stage], state, where=inputs.present)
    for layer, attention in enumerate(expected.language_attentions):
        assert close(streams.attention["text", "text", layer], attention)
    for layer, attention in enumerate(expected.vision_attentions):
        assert close(streams.attention["image", "image", layer], attention)
    for layer, attention in enumerate(expected.cross_encoder_attentions, start=TEXT):
        assert close(streams.attention["text", "image", layer], attention)


def test_stage_0_enters_the_first_layers(network, reference):
    inputs = batch([(5, 3)])
    with torch.inference_mode():
        states = network(inputs, ALL).states
        text = reference.lxmert.embeddings(inputs.ids, torch.zeros_like(inputs.ids))
        image = reference.lxmert.encoder.visn_fc(inputs.features, inputs.boxes)
    assert close(states["text", 0], text)
    assert close(states["image", 0], image)


def test_attention_inside_a_cross_layer_is_that_of_its_parts(network, reference):
    """The class hands out text on image alone: the rest is computed here from what enters each part."""
    inputs = batch([(5, 3)])
    layer = reference.lxmert.encoder.x_layers[1]
    with torch.inference_mode():
        streams = network(inputs, ALL)
        text, image = streams.states["text", 4], streams.states["image", 4]
        across, asked = layer.visual_attention.att(image, text, output_attentions=True)
        seen = layer.visual_attention(text, image)[0]
        read = layer.visual_attention.output(across, image)
        own = {"text": layer.lang_self_att(seen, None, True)[1], "image": layer.visn_self_att(read, None, True)[1]}
    assert close(streams.attention["image", "text", 4], asked)
    assert close(streams.attention["text", "text", 4], own["text"])
    assert close(streams.attention["image", "image", 4], own["image"])


def test_region_classes_are_those_of_the_object_head(network, reference):
    inputs = batch([(5, 3)])
    with torch.inference_mode():
        streams = network(inputs, Wanted())
        logits = network.region_logits(streams.image)
        expected = reference.obj_predict_head(streams.image)["obj"]
    assert logits.shape == (1, 3, CLASSES)
    assert torch.equal(logits, expected)


def test_label_1_is_the_matching_pair(network, reference):
    """As the class documents `matched_label`: its loss for label 1 is that of a matching pair."""
    inputs = batch([(5, 3)])
    with torch.inference_mode():
        logits = network.match_logits(network(inputs, Wanted()))[0].log_softmax(-1)
        losses = [reference(**arguments(inputs), matched_label=torch.tensor([label])).loss for label in (0, 1)]
    assert close(-logits, torch.stack([loss.squeeze() for loss in losses]))


def test_reading_inside_changes_no_answer_and_leaves_no_hook(network):
    inputs, some = batch([(7, 2), (3, 4)]), Wanted(frozenset({("image", "text", 4)}), frozenset({("image", 4)}))
    with torch.inference_mode():
        bare, read, again = network(inputs, Wanted()), network(inputs, some), network(inputs, Wanted())
    assert torch.equal(bare.text, read.text)
    assert (set(read.attention), set(read.states)) == ({("image", "text", 4)}, {("image", 4)})
    assert (set(again.attention), set(again.states)) == (set(), set())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def test_it_keeps_what_it_declares(adapter):
    check_adapter(adapter)
    capabilities = adapter.capabilities
    assert (capabilities.architecture, capabilities.joint_softmax) == ("two-stream", False)
    assert (capabilities.visual_unit, capabilities.region_width) == ("region", WIDTH)
    assert capabilities.attention["text", "text"].layers == (0, 1, 2, 3, 4)
    assert capabilities.attention["image", "image"].layers == (0, 3, 4)
    assert capabilities.attention["image", "text"].layers == (3, 4)
    assert dict(capabilities.hidden) == {"text": (0, 1, 2, 3, 4, 5), "image": (0, 1, 4, 5)}


def test_match_and_classes_are_read_through_the_adapter(adapter, reference):
    sample = specimens(adapter)[0]
    trace = adapter.forward([ForwardRequest(sample, frozenset({Match(), RegionClasses()}))])[0]
    ids = [VOCABULARY.index(piece) for piece in ("[CLS]", *sample.caption.split(), "[SEP]")]
    features = torch.stack([torch.as_tensor(region.features, dtype=torch.float32) for region in sample.regions])
    sides = torch.tensor([sample.image.width, sample.image.height] * 2)
    boxes = torch.tensor([tuple(region.box) for region in sample.regions]) / sides
    inputs = Inputs(
        torch.tensor([ids]), torch.ones(1, len(ids)).long(), features[None], boxes[None], torch.ones(1, 3).long()
    )
    expected = truth(reference, inputs)
    random, matching = expected.cross_relationship_score[0]
    assert close(trace[Match()], matching - random)
    with torch.inference_mode():
        classes = reference.obj_predict_head(expected.vision_hidden_states[-1])["obj"][0].log_softmax(-1)
    assert close(trace[RegionClasses()], classes)


@settings(max_examples=5)
@given(lengths=LENGTHS)
def test_our_own_network_computes_the_same_from_the_same_weights(network, reference, lengths):
    """A second answer that shares no code: all states, all four kinds of attention, all heads."""
    sizes = OwnConfig(len(VOCABULARY), 16, TEXT, IMAGE, CROSS, 4, 20, WIDTH, CLASSES, 5, answers=3, max_positions=24)
    own = Lxmert(sizes).eval()
    own.load_state_dict({name.replace("lxmert.", "bert.", 1): v for name, v in reference.state_dict().items()})
    inputs = batch(lengths)
    with torch.inference_mode():
        one, other = own(inputs, ALL), network(inputs, ALL)
        assert close(own.match_logits(one), network.match_logits(other))
        words = (n.word_logits(streams.text) for n, streams in ((own, one), (network, other)))
        regions = (n.region_logits(streams.image) for n, streams in ((own, one), (network, other)))
        assert close(*words, where=inputs.mask)
        assert close(*regions, where=inputs.present)
    real = {"text": inputs.mask, "image": inputs.present}
    for who, stage in ALL.states:
        assert close(one.states[who, stage], other.states[who, stage], where=real[who])
    for asks, answers, layer in ALL.attention:
        maps = (streams.attention[asks, answers, layer].transpose(1, 2) for streams in (one, other))
        assert close(*maps, where=real[asks])
    assert own.layout == network.layout


def test_more_region_layers_than_language_layers_do_not_share_numbers_with_cross_layers():
    config = LxmertConfig(**(CONFIG.to_dict() | {"l_layers": 1, "r_layers": 3, "x_layers": 1}))
    network = LxmertNetwork(made(LxmertForPreTraining, config))
    layout, inputs = network.layout, batch([(4, 2)])
    assert layout.attention["text", "text"] == (0, 3)
    assert layout.attention["image", "image"] == (0, 1, 2, 3)
    assert layout.attention["text", "image"] == (3,)
    wanted = Wanted(
        frozenset((*pair, layer) for pair, layers in layout.attention.items() for layer in layers),
        frozenset((who, stage) for who, stages in layout.states.items() for stage in stages),
    )
    with torch.inference_mode():
        streams = network(inputs, wanted)
    assert (set(streams.attention), set(streams.states)) == (set(wanted.attention), set(wanted.states))
    assert torch.equal(streams.states["text", 4], streams.text)
    assert torch.equal(streams.states["image", 4], streams.image)


def test_a_folder_without_the_object_head_names_no_regions(tmp_path):
    config = LxmertConfig(**(CONFIG.to_dict() | {"task_obj_predict": False, "task_qa": False}))
    network = open_lxmert(LoadOptions(written(made(LxmertForPreTraining, config), tmp_path), CPU))[0]
    assert network.layout.classes is None


def test_regions_are_needed(network):
    ids, mask = padded((4,))
    with pytest.raises(RequestError, match="reads regions"):
        network(Inputs(ids, mask), Wanted())


@pytest.mark.parametrize(
    "config, part",
    [
        ({"visual_pos_dim": 5}, "visual_pos_dim must be 4"),
        ({"x_layers": 3}, "missing: lxmert.encoder.x_layers.2"),
        ({"task_qa": False}, "unexpected: answer_head"),
        ({"num_attention_heads": 3}, "transformers cannot build a LxmertForPreTraining"),
    ],
)
def test_a_setting_that_does_not_fit_is_refused(kept, tmp_path, config, part):
    folder = edited(shutil.copytree(kept, tmp_path / "changed"), config=config)
    with pytest.raises(CheckpointError, match=part):
        vlaudit.load("lxmert", checkpoint=folder, device="cpu")
