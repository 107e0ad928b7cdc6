"""Sizes come from a config, from a checkpoint's shapes, or from both; a contradiction is an error."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vlaudit.errors import CheckpointError
from vlaudit.models.albef.config import AlbefConfig, TextConfig, VisionConfig
from vlaudit.models.albef.network import Albef

small = st.integers(1, 4)


@st.composite
def configs(draw):
    """Draw uneven sizes that a network can be built with."""
    heads, text_heads, patch, layers = draw(small), draw(small), draw(small), draw(small)
    vision = VisionConfig(
        image_size=patch * draw(small),
        patch_size=patch,
        width=heads * draw(small),
        depth=draw(small),
        heads=heads,
        mlp_ratio=float(draw(st.sampled_from([1, 2, 4]))),
        layer_norm_eps=draw(st.sampled_from([1e-6, 1e-5])),
        in_channels=draw(small),
        qkv_bias=draw(st.booleans()),
    )
    text = TextConfig(
        vocab_size=draw(st.integers(5, 9)),
        width=text_heads * draw(small),
        layers=layers,
        heads=text_heads,
        intermediate=draw(small),
        fusion_layer=draw(st.integers(0, layers)),
        encoder_width=vision.width,
        max_positions=draw(small),
        type_vocab=draw(small),
        layer_norm_eps=draw(st.sampled_from([1e-12, 1e-5])),
        pad_id=draw(small),
    )
    layout = draw(st.sampled_from(["pretraining", "retrieval"]))
    return AlbefConfig(vision, text, projection=draw(small), queue_size=draw(small), layout=layout)


def shapes(config, **held):
    """Return the tensors of a network of these sizes, without memory."""
    with torch.device("meta"):
        return Albef(config, **held).state_dict()


@given(config=configs())
def test_json_round_trip(config):
    """The sizes read are the sizes written."""
    assert AlbefConfig.from_json(config.to_json()) == config


@given(config=configs())
@settings(max_examples=20)
def test_shapes_determine_all_sizes_except_heads_and_epsilons(config):
    """With those given, every other size is read from the tensors, for any sizes and layout."""
    stated = config.to_json()
    keep = {
        "vision": ("num_heads", "layer_norm_eps"),
        "bert": ("num_attention_heads", "layer_norm_eps", "pad_token_id"),
    }
    overrides = {part: {name: stated[part][name] for name in names} for part, names in keep.items()}
    assert AlbefConfig.from_tensors(shapes(config, queues=True), overrides) == config


@pytest.mark.parametrize("layout", ["pretraining", "retrieval"])
def test_published_shapes_determine_every_size(layout, layouts):
    """A published file needs no config file."""
    tensors = {key: torch.empty(shape, device="meta") for key, (shape, _) in layouts[layout].items()}
    assert AlbefConfig.from_tensors(tensors) == AlbefConfig.published(layout)


def test_queue_size_defaults_where_no_queue_is_stored():
    """A file of online weights only still has a queue size to build a training network with."""
    assert AlbefConfig.from_tensors(shapes(AlbefConfig.published())).queue_size == 65536


def test_goldens_read_the_same_both_ways(case):
    """The config next to a checkpoint and the checkpoint's shapes agree."""
    tensors = torch.load(case.checkpoint, weights_only=True)["model"]
    assert AlbefConfig.from_tensors(tensors, case.config) == AlbefConfig.from_json(case.config)


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("vision", "depth", 3),
        ("vision", "image_res", 32),
        ("vision", "mlp_ratio", 2.0),
        ("vision", "qkv_bias", False),
        ("bert", "vocab_size", 501),
        ("bert", "fusion_layer", 3),
        ("bert", "encoder_width", 48),
        (None, "embed_dim", 16),
        (None, "layout", "retrieval"),
    ],
)
def test_a_contradiction_names_both_values(tiny_even, part, name, value):
    """A config of another model is refused, with the values of config and tensors."""
    tensors = torch.load(tiny_even.checkpoint, weights_only=True)["model"]
    config = tiny_even.config
    wrong = config | ({part: config[part] | {name: value}} if part else {name: value})
    path = f"{part}.{name}" if part else name
    with pytest.raises(CheckpointError, match=rf"{path} = {value!r}, but the checkpoint's tensors have"):
        AlbefConfig.from_tensors(tensors, wrong)


def test_an_unknown_number_of_heads_is_an_error(tiny_even):
    """A width that is no multiple of the published head width needs a config."""
    tensors = torch.load(tiny_even.checkpoint, weights_only=True)["model"]
    with pytest.raises(CheckpointError, match=r"vision_width = 32 is no multiple of 64.*vision\.num_heads"):
        AlbefConfig.from_tensors(tensors)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("visual_encoder.pos_embed", "no tensor visual_encoder.pos_embed"),
        ("text_encoder.bert.embeddings.word_embeddings.weight", "no tensor text_encoder.bert.embeddings.word"),
        ("text_encoder.bert.encoder.layer.3.crossattention.self.key.weight", r"must be the last ones, got \[2\]"),
    ],
)
def test_another_layout_is_refused(tiny_even, key, message):
    """A tensor that sizes are read off, and that is missing, is named."""
    tensors = torch.load(tiny_even.checkpoint, weights_only=True)["model"]
    del tensors[key]
    with pytest.raises(CheckpointError, match=message):
        AlbefConfig.from_tensors(tensors, tiny_even.config)


@pytest.mark.parametrize(
    ("shape", "message"), [((1, 16, 32), "square grid of patches, got 16 rows"), ((17, 32), r"3 axes.*\(17, 32\)")]
)
def test_a_table_of_another_shape_is_refused(tiny_even, shape, message):
    """A position table that no square grid explains is not ours."""
    tensors = torch.load(tiny_even.checkpoint, weights_only=True)["model"]
    tensors["visual_encoder.pos_embed"] = torch.zeros(shape)
    with pytest.raises(CheckpointError, match=message):
        AlbefConfig.from_tensors(tensors, tiny_even.config)


@pytest.mark.parametrize(
    ("part", "name", "value", "message"),
    [
        ("bert", "hidden_act", "relu", "bert.hidden_act must be 'gelu'.*got 'relu'"),
        ("bert", "hidden_size", "48", "bert.hidden_size must be a whole number.*got '48'"),
        ("bert", "num_hidden_layers", True, "bert.num_hidden_layers must be a whole number.*got True"),
        ("bert", "layer_norm_eps", -1, "bert.layer_norm_eps must be a positive number, got -1"),
        ("bert", "layer_norm_eps", float("nan"), "bert.layer_norm_eps must be a positive number, got nan"),
        ("bert", "num_attention_heads", 5, "bert.hidden_size must be a multiple of bert.num_attention_heads"),
        ("bert", "fusion_layer", 5, "between 0 and bert.num_hidden_layers = 4, got 5"),
        ("bert", "encoder_width", 48, "must equal vision.vision_width"),
        ("vision", "num_heads", 0, "vision.vision_width must be a multiple of vision.num_heads, got 32 and 0"),
        ("vision", "patch_size", 15, "vision.image_res must be a multiple of vision.patch_size"),
        ("vision", "qkv_bias", 1, "vision.qkv_bias must be true or false, got 1"),
        (None, "layout", "vqa", "layout must be 'pretraining' or 'retrieval', got 'vqa'"),
        (None, "vision", [64], r"'vision' must be a table of sizes, got \[64\]"),
    ],
)
def test_a_bad_config_is_one_clear_message(tiny_even, part, name, value, message):
    """The message has the field, the rule, and the value."""
    config = tiny_even.config
    bad = config | ({part: config[part] | {name: value}} if part else {name: value})
    with pytest.raises(CheckpointError, match=message):
        AlbefConfig.from_json(bad)


def test_missing_sizes_are_named(tiny_even):
    """All that is missing, at once."""
    config = {name: value for name, value in tiny_even.config.items() if name != "embed_dim"}
    config["bert"] = {name: value for name, value in config["bert"].items() if name != "hidden_size"}
    with pytest.raises(CheckpointError, match=r"must state bert\.hidden_size, embed_dim"):
        AlbefConfig.from_json(config)


def test_a_patch_grid_follows_the_image_size():
    """The retrieval models read 384 px with the same patches."""
    vision = AlbefConfig.published("retrieval").vision
    assert (vision.grid, replace(vision, image_size=256).grid) == (24, 16)
