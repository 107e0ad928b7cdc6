"""BLIP through transformers: equal to the class, and words by filling captions."""

import shutil

import numpy as np
import pytest
import torch
from hf_folders import VOCABULARY, close, edited, made, written
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import BlipConfig, BlipForImageTextRetrieval
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

import vlaudit
from vlaudit.errors import CheckpointError, VocabularyError
from vlaudit.models.base import ForwardRequest
from vlaudit.models.checks import check_adapter
from vlaudit.samples import Image, Sample, words_of
from vlaudit.traces import Attention, Hidden, Match, Words

TEXT, IMAGE = 3, 2  # layers; uneven, so that a layer of the wrong encoder shows
CONFIG = BlipConfig(
    text_config={
        "vocab_size": len(VOCABULARY) + 2,
        "hidden_size": 16,
        "num_hidden_layers": TEXT,
        "num_attention_heads": 2,
        "intermediate_size": 20,
        "max_position_embeddings": 24,
    },
    vision_config={
        "hidden_size": 24,
        "num_hidden_layers": IMAGE,
        "num_attention_heads": 3,
        "intermediate_size": 28,
        "image_size": 32,
        "patch_size": 8,
        "layer_norm_eps": 0.01,  # large, so that another epsilon would show
    },
    image_text_hidden_size=6,
)
WITHIN = frozenset(
    {Hidden("text"), Hidden("image"), Attention("text", "text"), Attention("text", "image")}
    | {Attention("image", "image"), Match()}
)
SIDES = st.tuples(st.integers(8, 60), st.integers(8, 60))
CAPTIONS = st.sampled_from(["red dog", "a man holds green cup near a tree", "blue ball under sky"])


@pytest.fixture(scope="session")
def reference():
    return made(BlipForImageTextRetrieval, CONFIG)


@pytest.fixture(scope="session")
def kept(reference, tmp_path_factory):
    """A folder that no test changes."""
    return written(reference, tmp_path_factory.mktemp("blip"))


@pytest.fixture(scope="session")
def adapter(kept):
    return load(kept)


def load(path):
    return vlaudit.load("blip", checkpoint=path, device="cpu")


def sample(caption, width=50, height=40, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Sample(f"s{seed}", f"i{seed}", Image.from_array(pixels), caption)


def truth(model, of):
    """Run the class on one sample with its own preprocessing."""
    pixels = BlipImageProcessorPil(size={"height": 32, "width": 32})(of.image.pixels(), return_tensors="pt")
    ids = torch.tensor([[VOCABULARY.index(piece) for piece in ("[CLS]", *of.caption.split(), "[SEP]")]])
    wanted = {"output_attentions": True, "output_hidden_states": True}
    with torch.inference_mode():
        image = model.vision_model(**pixels, **wanted)
        text = model.text_encoder(ids, encoder_hidden_states=image.last_hidden_state, **wanted)
        return image, text, model(ids, **pixels).itm_score


@settings(max_examples=12)
@given(caption=CAPTIONS, sides=SIDES)
def test_every_reading_is_what_the_class_computes(reference, adapter, caption, sides):
    one = sample(caption, *sides)
    trace = adapter.forward([ForwardRequest(one, WITHIN)])[0]
    image, text, logits = truth(reference, one)
    assert close(trace[Hidden("image")], torch.cat(image.hidden_states))
    assert close(trace[Hidden("text")], torch.cat(text.hidden_states))
    assert close(trace[Attention("image", "image")], torch.cat(image.attentions))
    assert close(trace[Attention("text", "text")], torch.cat(text.attentions))
    assert close(trace[Attention("text", "image")], torch.cat(text.cross_attentions))
    assert close(trace[Match()], logits[0, 1] - logits[0, 0])


def test_the_states_are_one_more_than_the_layers(adapter):
    capabilities = adapter.capabilities
    assert dict(capabilities.hidden) == {"text": tuple(range(TEXT + 1)), "image": tuple(range(IMAGE + 1))}
    assert capabilities.attention["image", "image"].heads == 3
    assert capabilities.attention["text", "image"].heads == 2
    assert (capabilities.architecture, capabilities.visual_unit) == ("cross-attention", "patch")


def test_it_keeps_what_it_declares(adapter):
    check_adapter(adapter)


def test_words_compare_the_filled_captions(reference, adapter):
    assert (adapter.capabilities.match, adapter.capabilities.word_probability) == ("log-odds", "candidates")
    one = sample("red dog runs near tree")
    choices = ("dog", "ball", "cat")
    requested = ForwardRequest(one.hiding(words_of(one.caption)[1]), frozenset({Words(choices)}))
    logits = torch.cat([truth(reference, sample(f"red {word} runs near tree"))[2] for word in choices])
    expected = (logits[:, 1] - logits[:, 0]).log_softmax(-1)
    assert close(adapter.forward([requested])[0][Words(choices)][0], expected)


def test_candidates_of_a_batch_are_those_of_each_request_alone(adapter):
    """Requests with several hidden words, other candidates, none, and other readings."""
    one, other = sample("red dog runs near tree"), sample("a man holds cup", 30, 44, seed=1)
    spans = words_of(one.caption)
    requests = [
        ForwardRequest(
            one.hiding(spans[1], spans[4]), frozenset({Words(("dog", "sky")), Words(("sky", "cat", "dog"))})
        ),
        ForwardRequest(other.hiding(words_of(other.caption)[3]), frozenset({Words(("cup", "ball")), Match()})),
        ForwardRequest(other, frozenset({Match(), Hidden("text")})),
        ForwardRequest(other, frozenset({Words(("red",))})),
    ]
    for together, request in zip(adapter.forward(requests), requests, strict=True):
        alone = adapter.forward([request])[0]
        for reading in request.readings:
            torch.testing.assert_close(together[reading], alone[reading], atol=1e-5, rtol=0)
    first = adapter.forward(requests)[0]
    assert first[Words(("dog", "sky"))].shape == (2, 2)
    assert close(first[Words(("dog", "sky"))].exp().sum(-1), torch.ones(2))
    assert adapter.forward(requests)[3][Words(("red",))].shape == (0, 1)


def test_words_without_candidates_are_refused(adapter):
    one = sample("red dog").hiding(words_of("red dog")[1])
    assert "Words must name some" in adapter.refusal(ForwardRequest(one, frozenset({Words()})))
    assert "not single pieces" in adapter.refusal(ForwardRequest(one, frozenset({Words(("dachshund",))})))


def test_each_image_is_encoded_once_for_all_candidates(adapter, monkeypatch):
    encoded = []
    stage = type(adapter.network).image_stage

    def counted(self, pixels, wanted):
        encoded.append(len(pixels))
        return stage(self, pixels, wanted)

    monkeypatch.setattr(type(adapter.network), "image_stage", counted)
    choices = Words(("dog", "ball", "cat", "cup"))
    for number in range(3):
        one = sample(f"{('red', 'blue', 'green')[number]} dog", seed=77)
        adapter.forward([ForwardRequest(one.hiding(words_of(one.caption)[1]), frozenset({choices, Match()}))])
    assert encoded == [1]


def test_a_vocabulary_may_leave_out_the_two_last_rows_and_no_more(kept, tmp_path):
    folder = shutil.copytree(kept, tmp_path / "short")
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY[:-1]), encoding="utf-8")
    with pytest.raises(VocabularyError, match=f"{len(VOCABULARY) + 2} rows"):
        load(folder)


@pytest.mark.parametrize(
    "config, part",
    [
        ({"text_config": None}, "text_config must be a JSON object"),
        ({"vision_config": {"hidden_size": 10**12}}, "vision_config.hidden_size must be at most"),
        ({"architectures": ["BlipForQuestionAnswering"]}, "architectures must name BlipForImageTextRetrieval"),
        ({"vision_config": CONFIG.vision_config.to_dict() | {"image_size": 36}}, "of patch_size, got 36 and 8"),
    ],
)
def test_a_setting_that_does_not_fit_is_refused(kept, tmp_path, config, part):
    with pytest.raises(CheckpointError, match=part):
        load(edited(shutil.copytree(kept, tmp_path / "changed"), config=config))


def test_missing_and_unexpected_tensors_are_named(kept, tmp_path):
    lost = "text_encoder.encoder.layer.1.crossattention.self.query.bias"

    def renamed(held):
        return {("surplus" if name == lost else name): tensor for name, tensor in held.items()}

    with pytest.raises(CheckpointError, match=r"missing: text_encoder\.encoder.*\n.*unexpected: surplus"):
        load(edited(shutil.copytree(kept, tmp_path / "changed"), tensors=renamed))


def test_another_image_size_is_refused(kept):
    with pytest.raises(CheckpointError, match="image_size must be left out, this model reads only images of 32 pixels"):
        vlaudit.load("blip", checkpoint=kept, device="cpu", image_size=64)
