"""ViLT through transformers: equal to the class without its shuffling of patches, for images of any shape."""

import json
import shutil

import numpy as np
import pytest
import torch
from hf_folders import VOCABULARY, close, made, written
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import ViltConfig, ViltForImageAndTextRetrieval, ViltForMaskedLM, ViltForQuestionAnswering
from transformers.models.vilt.image_processing_pil_vilt import ViltImageProcessorPil

import vlaudit
from vlaudit.errors import CheckpointError
from vlaudit.models.base import ForwardRequest
from vlaudit.models.checks import check_adapter
from vlaudit.models.streams.pixels import HALF, PixelLayout, preprocess
from vlaudit.samples import Box, Image, Sample, words_of
from vlaudit.traces import Attention, Hidden, HiddenPieces, Match, Words

CONFIG = ViltConfig(
    vocab_size=len(VOCABULARY),
    hidden_size=16,
    num_hidden_layers=3,
    num_attention_heads=2,
    intermediate_size=20,
    max_position_embeddings=24,
    layer_norm_eps=0.01,  # large, so that another epsilon would show
    image_size=32,
    patch_size=8,
    attn_implementation="eager",
)
BOTH = ("text", "image")
STATES = {who: Hidden(who) for who in BOTH}
MAPS = {(queries, keys): Attention(queries, keys) for queries in BOTH for keys in BOTH}
WITHIN = frozenset([*STATES.values(), *MAPS.values()])
SIDES = st.tuples(st.integers(8, 90), st.integers(8, 90))
CAPTIONS = st.sampled_from(["red dog", "a man holds green cup near a tree", "blue ball under sky"])


@pytest.fixture(scope="session")
def words(tmp_path_factory):
    """The class with the word head, and its folder."""
    model = made(ViltForMaskedLM, CONFIG)
    return model, written(model, tmp_path_factory.mktemp("vilt"))


@pytest.fixture(scope="session")
def ranking(tmp_path_factory):
    """The class that ranks, and its folder."""
    model = made(ViltForImageAndTextRetrieval, CONFIG)
    return model, written(model, tmp_path_factory.mktemp("vilt"))


@pytest.fixture(scope="session")
def adapters(words, ranking):
    return {"words": load(words[1]), "ranking": load(ranking[1])}


def load(path):
    return vlaudit.load("vilt", checkpoint=path, device="cpu")


def sample(caption, width, height, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Sample(f"s{seed}", f"i{seed}", Image.from_array(pixels), caption)


def processor():
    return ViltImageProcessorPil(size={"shortest_edge": 32}, size_divisor=8)


def truth(model, of, ids=None):
    """Run the class on one sample with its own preprocessing, and undo its shuffling of the patches."""
    given = processor()(of.image.pixels(), return_tensors="pt")
    pieces = ["[CLS]", *of.caption.split(), "[SEP]"]
    ids = torch.tensor([[VOCABULARY.index(piece) for piece in pieces]]) if ids is None else ids
    order = []
    real = torch.multinomial

    def in_order(weights, count, *, replacement=False):
        order.append(count)
        return torch.arange(count)

    torch.multinomial = in_order
    try:
        with torch.inference_mode():
            out = model(ids, **given, output_attentions=True, output_hidden_states=True)
    finally:
        torch.multinomial = real
    assert order, "the class no longer samples patches"
    return out, ids.shape[1]


@settings(max_examples=12)
@given(caption=CAPTIONS, sides=SIDES)
def test_every_reading_is_what_the_class_computes(words, adapters, caption, sides):
    one = sample(caption, *sides)
    adapter = adapters["words"]
    if adapter.refusal(ForwardRequest(one, WITHIN)):
        assert max(sides) > 6 * min(sides)  # only a very narrow image is refused
        return
    expected, length = truth(words[0], one)
    trace = adapter.forward([ForwardRequest(one, WITHIN)])[0]
    states = torch.cat([trace[STATES[who]] for who in BOTH], dim=1)
    assert close(states, torch.cat(expected.hidden_states))
    rows = [torch.cat([trace[MAPS[queries, keys]] for keys in BOTH], dim=-1) for queries in BOTH]
    assert close(torch.cat(rows, dim=-2), torch.cat(expected.attentions))
    assert len(trace.text) == length


@settings(max_examples=8)
@given(shapes=st.lists(st.tuples(CAPTIONS, SIDES), min_size=2, max_size=4))
def test_batches_of_images_of_several_shapes_are_the_images_alone(adapters, shapes):
    adapter = adapters["words"]
    samples = [sample(caption, *sides, seed=number) for number, (caption, sides) in enumerate(shapes)]
    requests = [ForwardRequest(each, WITHIN) for each in samples]
    requests = [request for request in requests if not adapter.refusal(request)]
    for together, request in zip(adapter.forward(requests), requests, strict=True):
        alone = adapter.forward([request])[0]
        assert all(close(together[reading], alone[reading]) for reading in WITHIN)


def test_the_hidden_word_has_the_probability_that_the_class_gives_it(words, adapters):
    one = sample("a red dog runs near a tree", 50, 40)
    hidden = Sample("s", "i", one.image, one.caption).hiding(words_of(one.caption)[2])
    trace = adapters["words"].forward([ForwardRequest(hidden, frozenset({Words(), HiddenPieces()}))])[0]
    pieces = ["[CLS]", "a", "red", "[MASK]", "runs", "near", "a", "tree", "[SEP]"]
    expected, _ = truth(words[0], one, torch.tensor([[VOCABULARY.index(piece) for piece in pieces]]))
    expected = expected.logits[0, 3].log_softmax(-1)
    assert close(trace[Words()][0], expected)
    assert close(trace[HiddenPieces()][0], expected[VOCABULARY.index("dog")])


def test_the_ranking_head_is_a_score_and_words_compare_filled_captions(ranking, adapters):
    adapter = adapters["ranking"]
    assert (adapter.capabilities.match, adapter.capabilities.word_probability) == ("score", "candidates")
    one = sample("red dog runs", 50, 40)
    assert close(adapter.forward([ForwardRequest(one, frozenset({Match()}))])[0][Match()], score(ranking[0], one))
    choices = ("dog", "ball", "cat")
    requested = ForwardRequest(one.hiding(words_of(one.caption)[1]), frozenset({Words(choices)}))
    filled = torch.stack([score(ranking[0], sample(f"red {word} runs", 50, 40)) for word in choices])
    assert close(adapter.forward([requested])[0][Words(choices)][0], filled.log_softmax(-1))


def score(model, of):
    return truth(model, of)[0].logits[0, 0]


@pytest.mark.parametrize("name", ["words", "ranking"])
def test_it_keeps_what_it_declares(adapters, name):
    check_adapter(adapters[name])
    capabilities = adapters[name].capabilities
    assert (capabilities.architecture, capabilities.joint_softmax) == ("single-stream", True)
    assert capabilities.visual_unit == "patch"


def test_patches_are_boxes_of_the_original_image(adapters):
    wide = sample("red dog", 100, 60)  # resized to 53 x 32, rounded down to 48 x 32: 4 rows of 6 patches
    axis = adapters["words"].forward([ForwardRequest(wide, frozenset({Hidden("image")}))])[0].image
    assert axis.boxes[0] is None
    assert len(axis) == 25
    assert axis.boxes[1] == pytest.approx(Box(0, 0, 100 / 6, 15))
    assert axis.boxes[2] == pytest.approx(Box(100 / 6, 0, 200 / 6, 15))
    assert axis.boxes[-1] == pytest.approx(Box(500 / 6, 45, 100, 60))


@settings(max_examples=30)
@given(sides=SIDES)
def test_images_are_preprocessed_as_by_the_class(sides):
    one = sample("red", *sides).image
    layout = PixelLayout(32, 8, HALF, HALF, keep_aspect=True)
    if 0 in layout.grid(one):
        return
    expected = processor()(one.pixels(), return_tensors="pt")["pixel_values"][0]
    ours = preprocess(one, layout)
    assert ours.shape == expected.shape
    assert float((ours - expected).abs().max()) < 1e-6


def test_an_image_thinner_than_a_patch_is_refused(adapters):
    reason = adapters["words"].refusal(ForwardRequest(sample("red dog", 200, 10), frozenset({Match()})))
    assert reason == adapters["words"].capabilities.lacks(Match())
    assert "too narrow" in adapters["words"].refusal(ForwardRequest(sample("red dog", 200, 10), WITHIN))


def test_the_older_name_of_the_bias_is_read(words, tmp_path):
    """As dandelin/vilt-b32-mlm is published."""
    from hf_folders import edited

    def older(held):
        return {name.replace("mlm_score.decoder.bias", "mlm_score.bias"): tensor for name, tensor in held.items()}

    folder = edited(shutil.copytree(words[1], tmp_path / "older"), tensors=older)
    one = ForwardRequest(sample("red dog", 40, 40).hiding(words_of("red dog")[1]), frozenset({Words()}))
    assert torch.equal(load(folder).forward([one])[0][Words()], load(words[1]).forward([one])[0][Words()])


def test_a_class_without_a_known_head_is_refused(tmp_path):
    folder = written(made(ViltForQuestionAnswering, CONFIG), tmp_path)
    with pytest.raises(CheckpointError, match="architectures must name ViltForMaskedLM or ViltForImageAndText"):
        load(folder)


@pytest.mark.parametrize(
    "settings, part",
    [
        ({"do_normalize": False}, "do_normalize must be true, got false"),
        ({"resample": 2}, "resample must be 3, got 2"),
        ({"size_divisor": 16}, "size_divisor must be 8, got 16"),
        ({"size": {"shortest_edge": "384"}}, "size must be one whole number"),
        ({"image_mean": [0.5]}, "image_mean"),
    ],
)
def test_other_preprocessing_is_refused(words, tmp_path, settings, part):
    with pytest.raises(CheckpointError, match=part):
        load(preprocessed(words[1], tmp_path, settings))


def test_stated_preprocessing_is_used(words, tmp_path):
    stated = {"size": {"shortest_edge": 48}, "image_mean": [0.1, 0.2, 0.3], "image_std": [1, 2, 3], "size_divisor": 8}
    layout = load(preprocessed(words[1], tmp_path, stated)).network.layout
    assert layout.pixels == PixelLayout(48, 8, (0.1, 0.2, 0.3), (1.0, 2.0, 3.0), keep_aspect=True)


def preprocessed(folder, tmp_path, settings):
    changed = shutil.copytree(folder, tmp_path / "changed")
    (changed / "preprocessor_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return changed
