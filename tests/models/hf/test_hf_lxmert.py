"""Folders of transformers' LXMERT load into our own network, which equals the class."""

import shutil

import pytest
import torch
from hf_folders import VOCABULARY, close, edited, made, padded, written
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LxmertConfig, LxmertForPreTraining

import vlaudit
from vlaudit.errors import CheckpointError
from vlaudit.models.base import ForwardRequest
from vlaudit.models.checks import check_adapter
from vlaudit.models.probe_samples import probe_samples
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
def adapter(kept):
    return load(kept)


@pytest.fixture(scope="session")
def network(adapter):
    return adapter.network


def load(path):
    return vlaudit.load("lxmert", checkpoint=path, device="cpu")


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
    """The class returns text on image alone: the rest is computed here from the inputs of each part."""
    inputs = batch([(5, 3)])
    layer = reference.lxmert.encoder.x_layers[1]
    with torch.inference_mode():
        streams = network(inputs, ALL)
        text, image = streams.states["text", 4], streams.states["image", 4]
        across, requested = layer.visual_attention.att(image, text, output_attentions=True)
        seen = layer.visual_attention(text, image)[0]
        read = layer.visual_attention.output(across, image)
        own = {"text": layer.lang_self_att(seen, None, True)[1], "image": layer.visn_self_att(read, None, True)[1]}
    assert close(streams.attention["image", "text", 4], requested)
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
    sample = probe_samples(adapter)[0]
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


def test_more_region_layers_than_language_layers_do_not_share_numbers_with_cross_layers(tmp_path):
    config = LxmertConfig(**(CONFIG.to_dict() | {"l_layers": 1, "r_layers": 3, "x_layers": 1}))
    network = load(written(made(LxmertForPreTraining, config), tmp_path)).network
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


def test_a_folder_without_heads_for_regions_names_no_regions(tmp_path):
    config = LxmertConfig(**(CONFIG.to_dict() | {"task_obj_predict": False, "task_qa": False}))
    adapter = load(written(made(LxmertForPreTraining, config), tmp_path))
    assert adapter.network.layout.classes is None
    assert RegionClasses not in adapter.capabilities.readings
    check_adapter(adapter)


def test_the_older_names_of_norms_are_read(kept, tmp_path, network):
    def older(held):
        return {name.replace("LayerNorm.weight", "LayerNorm.gamma"): tensor for name, tensor in held.items()}

    other = load(edited(shutil.copytree(kept, tmp_path / "older"), tensors=older)).network
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize(
    "config, part",
    [
        ({"x_layers": 3}, "x_layers = 3, but the checkpoint's tensors have 2"),
        ({"num_attention_heads": 3}, "num_attention_heads must be a whole number that divides"),
    ],
)
def test_a_setting_that_does_not_fit_is_refused(kept, tmp_path, config, part):
    with pytest.raises(CheckpointError, match=part):
        load(edited(shutil.copytree(kept, tmp_path / "changed"), config=config))


def test_missing_and_unexpected_tensors_are_named(kept, tmp_path):
    lost = "lxmert.encoder.x_layers.1.visual_attention.att.query.bias"

    def renamed(held):
        return {("surplus" if name == lost else name): tensor for name, tensor in held.items()}

    with pytest.raises(CheckpointError, match=r"missing: bert\.encoder\.x_layers\.1.*\n.*unexpected: surplus"):
        load(edited(shutil.copytree(kept, tmp_path / "changed"), tensors=renamed))
