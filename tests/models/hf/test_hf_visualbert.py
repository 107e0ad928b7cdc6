"""VisualBERT through transformers: one stack, one softmax, four slices of one map."""

import shutil

import pytest
import torch
from hf_folders import CPU, VOCABULARY, close, edited, made, padded, written
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import VisualBertConfig, VisualBertForPreTraining

import vlaudit
from vlaudit.errors import CheckpointError, RequestError
from vlaudit.models.base import ForwardRequest, LoadOptions
from vlaudit.models.checks import check_adapter
from vlaudit.models.hf.folder import load_network, model_type
from vlaudit.models.hf.visualbert import VISUAL_BERT
from vlaudit.models.probe_samples import probe_samples
from vlaudit.models.streams.contract import Inputs, RegionHead, Wanted
from vlaudit.traces import Match

WIDTH = 6
CONFIG = VisualBertConfig(
    vocab_size=len(VOCABULARY),
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=20,
    max_position_embeddings=24,
    layer_norm_eps=0.01,
    visual_embedding_dim=WIDTH,
)
BOTH = ("text", "image")
ALL = Wanted(
    frozenset((asks, answers, layer) for asks in BOTH for answers in BOTH for layer in range(2)),
    frozenset((who, stage) for who in BOTH for stage in range(3)),
)
LENGTHS = st.lists(st.tuples(st.integers(2, 8), st.integers(1, 5)), min_size=1, max_size=3)


@pytest.fixture(scope="session")
def reference():
    return made(VisualBertForPreTraining, CONFIG)


@pytest.fixture(scope="session")
def kept(reference, tmp_path_factory):
    """A folder that no test changes."""
    return written(reference, tmp_path_factory.mktemp("visualbert"))


@pytest.fixture(scope="session")
def network(kept):
    return load_network(VISUAL_BERT, LoadOptions(kept, CPU))[0]


@pytest.fixture(scope="session")
def adapter(kept):
    return vlaudit.load("visualbert", checkpoint=kept, device="cpu")


def batch(lengths):
    """Return inputs of captions and regions of these lengths, padded with zeros."""
    ids, mask = padded([text for text, _ in lengths])
    _, present = padded([regions for _, regions in lengths])
    features = torch.randn(*present.shape, WIDTH).relu() * present[..., None]
    return Inputs(ids, mask, features, torch.zeros(*present.shape, 4), present)


def truth(model, inputs):
    with torch.inference_mode():
        return model(
            inputs.ids,
            attention_mask=inputs.mask,
            visual_embeds=inputs.features,
            visual_attention_mask=inputs.present,
            output_attentions=True,
            output_hidden_states=True,
        )


@settings(max_examples=15)
@given(lengths=LENGTHS)
def test_every_reading_is_what_the_class_computes(network, reference, lengths):
    inputs = batch(lengths)
    expected, real = truth(reference, inputs), torch.cat([inputs.mask, inputs.present], 1)
    with torch.inference_mode():
        streams = network(inputs, ALL)
        words, match = network.word_logits(streams.text), network.match_logits(streams)
    assert close(words, expected.prediction_logits[:, : words.shape[1]], where=inputs.mask)
    assert close(match, expected.seq_relationship_logits[:, [1, 0]])
    for stage, state in enumerate(expected.hidden_states):
        joined = torch.cat([streams.states[who, stage] for who in BOTH], 1)
        assert close(joined, state, where=real)
    for layer, attention in enumerate(expected.attentions):
        rows = [torch.cat([streams.attention[asks, answers, layer] for answers in BOTH], -1) for asks in BOTH]
        assert close(torch.cat(rows, -2), attention)


def test_label_0_is_the_matching_pair(network, reference):
    """As the class documents `sentence_image_labels`: its loss for label 0 is that of "these belong together"."""
    inputs = batch([(5, 3)])
    with torch.inference_mode():
        logits = network.match_logits(network(inputs, Wanted()))
        labelled = [
            reference(
                inputs.ids,
                attention_mask=inputs.mask,
                visual_embeds=inputs.features,
                visual_attention_mask=inputs.present,
                labels=torch.full((1, 8), 1),
                sentence_image_labels=torch.tensor([label]),
            ).loss
            for label in (0, 1)
        ]
    assert close(logits[0].log_softmax(-1)[1] - logits[0].log_softmax(-1)[0], labelled[1] - labelled[0])


def test_reading_inside_changes_no_answer_and_only_what_is_wanted_comes_back(network):
    inputs, some = batch([(7, 2), (3, 4)]), Wanted(frozenset({("text", "image", 1)}), frozenset({("image", 0)}))
    with torch.inference_mode():
        bare, read = network(inputs, Wanted()), network(inputs, some)
    assert torch.equal(bare.text, read.text)
    assert (set(bare.attention), set(bare.states)) == (set(), set())
    assert (set(read.attention), set(read.states)) == ({("text", "image", 1)}, {("image", 0)})


def test_boxes_are_not_read(network):
    inputs = batch([(4, 3)])
    moved = Inputs(inputs.ids, inputs.mask, inputs.features, torch.rand(1, 3, 4), inputs.present)
    with torch.inference_mode():
        assert torch.equal(network(inputs, Wanted()).text, network(moved, Wanted()).text)


def test_it_keeps_what_it_declares(adapter):
    check_adapter(adapter)
    capabilities = adapter.capabilities
    assert (capabilities.architecture, capabilities.joint_softmax) == ("single-stream", True)
    assert (capabilities.visual_unit, capabilities.region_width) == ("region", WIDTH)


def test_match_is_the_log_odds_of_belonging_together(adapter, reference):
    sample = probe_samples(adapter)[0]
    answer = adapter.forward([ForwardRequest(sample, frozenset({Match()}))])[0][Match()]
    ids = [VOCABULARY.index(piece) for piece in ("[CLS]", *sample.caption.split(), "[SEP]")]
    features = torch.stack([torch.as_tensor(region.features, dtype=torch.float32) for region in sample.regions])
    inputs = Inputs(
        torch.tensor([ids]), torch.ones(1, len(ids)).long(), features[None], present=torch.ones(1, 3).long()
    )
    matching, random = truth(reference, inputs).seq_relationship_logits[0]
    assert close(answer, matching - random)


def test_it_reads_regions_and_has_no_head_that_names_them(network):
    inputs = batch([(4, 3)])
    assert not isinstance(network, RegionHead)
    with pytest.raises(RequestError, match="reads regions"):
        network(Inputs(inputs.ids, inputs.mask), Wanted())


def test_a_folder_is_recognized_by_its_config(kept, tmp_path):
    assert model_type(kept) == model_type(kept / "model.safetensors") == "visual_bert"
    assert model_type(tmp_path) is None
    (tmp_path / "config.json").write_text('{"v_feature_size": 2048}', encoding="utf-8")
    assert model_type(tmp_path) is None


@pytest.mark.parametrize(
    "config, part",
    [
        ({"bypass_transformer": True}, "bypass_transformer must be false"),
        ({"visual_embedding_dim": 7}, "wrong shapes"),
        ({"num_attention_heads": 3}, "transformers cannot build a VisualBertForPreTraining"),
    ],
)
def test_a_setting_that_does_not_fit_is_refused(kept, tmp_path, config, part):
    folder = edited(shutil.copytree(kept, tmp_path / "changed"), config=config)
    with pytest.raises(CheckpointError, match=part):
        vlaudit.load("visualbert", checkpoint=folder, device="cpu")


def test_another_folder_is_not_taken_for_it(kept, tmp_path):
    folder = edited(shutil.copytree(kept, tmp_path / "changed"), config={"model_type": "bert"})
    with pytest.raises(CheckpointError, match="VisualBERT needs model_type 'visual_bert', got 'bert'"):
        load_network(VISUAL_BERT, LoadOptions(folder, CPU))
