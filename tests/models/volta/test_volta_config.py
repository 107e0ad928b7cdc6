"""A VOLTA config is read whole or refused in one message; the shipped ones are the published ones."""

import pytest
from volta_cases import CASES, published

from vlaudit.errors import CheckpointError, UsageError
from vlaudit.models.volta.config import (
    PUBLISHED,
    VoltaConfig,
    lxmert_sublayers,
    published_fields,
    single_stream_sublayers,
    vilbert_sublayers,
)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_shipped_config_is_the_published_one(name):
    """Every field, also those that change nothing here."""
    assert published_fields(name) == published(name)["config"]
    assert VoltaConfig.published(name).mrc_num_classes == published(name)["num_region_classes"]


def test_a_name_that_is_not_shipped_is_offered_the_nearest():
    with pytest.raises(UsageError, match="ctrl_lxmert"):
        VoltaConfig.published("ctrl_lxmrt")


@pytest.mark.parametrize("name", PUBLISHED)
def test_written_content_is_read_again(name):
    config = VoltaConfig.from_json(CASES[name].config)
    assert VoltaConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("name", "published_stack", "golden_stack"),
    [
        *(
            (name, single_stream_sublayers(12), single_stream_sublayers(3))
            for name in ("ctrl_uniter", "ctrl_visualbert", "ctrl_vl-bert")
        ),
        ("ctrl_lxmert", lxmert_sublayers(9, 5, 5), lxmert_sublayers(3, 2, 2)),
        ("ctrl_vilbert", vilbert_sublayers(6, 6), vilbert_sublayers(2, 2)),
    ],
)
def test_stacks_of_other_depths_are_built_as_the_official_ones(name, published_stack, golden_stack):
    assert published_fields(name) | published_stack == published_fields(name)
    assert CASES[name].config | golden_stack == CASES[name].config


def test_a_layer_is_an_attention_sublayer_and_the_feed_forward_after_it():
    """12, 19 and 18 layers; regions enter ctrl_vilbert's seventh layer, the first of its six blocks."""
    assert [len(VoltaConfig.published(f"ctrl_{name}").layers) for name in ("uniter", "lxmert", "vilbert")] == [
        12,
        19,
        18,
    ]
    layers = VoltaConfig.published("ctrl_vilbert").layers
    assert [(layer.first, layer.last) for layer in layers[5:8]] == [(10, 11), (12, 13), (14, 15)]
    assert [len(layer.modalities) for layer in layers] == [1] * 6 + [2] * 12


@pytest.mark.parametrize(
    ("change", "stated"),
    [
        ({"hidden_size": "768"}, "hidden_size"),
        ({"hidden_size": 48.0}, "hidden_size"),
        ({"vocab_size": 0}, "vocab_size"),
        ({"intermediate_size": 10**12}, "intermediate_size"),
        ({"t_ff_sublayers": [1, 3, 10**12]}, "without a gap"),
        ({"num_attention_heads": 5, "v_num_attention_heads": 5}, "multiple of num_attention_heads"),
        ({"v_hidden_size": 1024}, "hidden_size and v_hidden_size must be equal"),
        ({"image_embeddings": "clip"}, "image_embeddings"),
        ({"hidden_act": "relu"}, "hidden_act"),
        ({"fusion_method": "sum"}, "fusion_method"),
        ({"add_global_imgfeat": "last"}, "add_global_imgfeat"),
        ({"visual_target_weights": {"2": 1.0}}, "visual_target_weights"),
        ({"image_head_ln": "yes"}, "image_head_ln"),
        ({"sublayer2attn_hidden_size": {"0": 12}}, "sublayer2attn_hidden_size must be empty"),
        ({"tt_attn_sublayers": [0, 2, -4]}, "tt_attn_sublayers"),
        ({"tt_attn_sublayers": "0"}, "tt_attn_sublayers"),
        ({"t_ff_sublayers": [0, 3, 5]}, "attention or feed-forward, not both"),
        ({"t_ff_sublayers": [1, 3, 7], "v_ff_sublayers": [1, 3]}, "without a gap"),
        ({"tt_attn_sublayers": [0, 2]}, "share one softmax"),
        ({"tt_attn_sublayers": [0], "tv_attn_sublayers": [0]}, "queries of every modality that it has keys of"),
    ],
)
def test_an_invalid_field_is_an_error_with_its_name(change, stated):
    with pytest.raises(CheckpointError, match=stated):
        VoltaConfig.from_json(CASES["ctrl_uniter"].config | change)


@pytest.mark.parametrize(
    ("change", "stated"), [({"v_coordinate_embeddings_dim": 5}, "eighth"), ({"type_vocab_size": 2}, "type 2")]
)
def test_vl_bert_needs_room_for_boxes_and_a_third_type(change, stated):
    with pytest.raises(CheckpointError, match=stated):
        VoltaConfig.from_json(CASES["ctrl_vl-bert"].config | change)


def test_everything_that_is_missing_is_named_at_once():
    config = {name: value for name, value in CASES["ctrl_uniter"].config.items() if not name.endswith("hidden_size")}
    with pytest.raises(CheckpointError, match=r"hidden_size is missing; .*v_hidden_size is missing"):
        VoltaConfig.from_json(config)
