"""Every network in the adapter keeps the promises of the model boundary."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch

import vlaudit
from vlaudit.errors import AdapterError, CheckpointError, RequestError
from vlaudit.models.base import ForwardRequest
from vlaudit.models.bundled import bundled_checkpoint
from vlaudit.models.checkpoint import KeyReport
from vlaudit.models.lxmert.config import LxmertConfig
from vlaudit.models.lxmert.network import Lxmert
from vlaudit.models.probe_samples import probe_samples
from vlaudit.models.provenance import Provenance
from vlaudit.models.region_encoder import RegionEncoder
from vlaudit.models.region_encoder.network import RegionConfig, RegionNet
from vlaudit.models.streams.adapter import EncoderAdapter
from vlaudit.models.streams.find_encoder import find_encoder
from vlaudit.models.uniter.config import UniterConfig
from vlaudit.models.uniter.network import Uniter
from vlaudit.models.vocabulary import find_vocabulary
from vlaudit.models.volta.config import VoltaConfig, published_fields
from vlaudit.models.volta.network import VoltaNetwork
from vlaudit.samples import Box
from vlaudit.traces import Attention, Hidden, Match, RegionClasses, Words

WIDTH = 16
WORDS = ["red", "dog", "runs", "near", "blue", "ball", "man", "holds", "green", "cup", "under", "tree", "big"]
LINES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
VOLTA = ("ctrl_uniter", "ctrl_lxmert", "ctrl_vilbert", "ctrl_vl-bert", "ctrl_visualbert")


def volta(kind):
    fields = published_fields(kind) | {
        "vocab_size": len(LINES),
        "max_position_embeddings": 40,
        "v_feature_size": WIDTH,
        "mrc_num_classes": 7,
    }
    for name, size in {
        "hidden_size": 16,
        "num_attention_heads": 2,
        "intermediate_size": 24,
        "pooler_size": 12,
    }.items():
        fields |= {name: size, f"v_{name}": size}
    if kind == "ctrl_vl-bert":
        fields["v_coordinate_embeddings_dim"] = WIDTH // 8
    return VoltaNetwork(VoltaConfig.from_json(fields))


def uniter():
    return Uniter(UniterConfig(len(LINES), 16, 2, 2, 24, region_width=WIDTH, classes=7, max_positions=40))


def lxmert():
    sizes = {"language_layers": 2, "relation_layers": 1, "cross_layers": 2, "heads": 2, "intermediate": 24}
    return Lxmert(LxmertConfig(len(LINES), 16, **sizes, region_width=WIDTH, classes=7, attributes=3, answers=4))


MAKERS = {"uniter": uniter, "lxmert": lxmert} | {kind: (lambda kind=kind: volta(kind)) for kind in VOLTA}


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    folder = tmp_path_factory.mktemp("words")
    (folder / "vocab.txt").write_text("\n".join(LINES) + "\n", encoding="utf-8")
    return find_vocabulary(None, tokenizer=str(folder), published="none", rows=len(LINES))


@pytest.fixture(scope="module")
def adapter_of(words):
    """Make an adapter of random weights, wide enough apart that its answers differ."""

    def make(name, encoder=None):
        torch.manual_seed(3)
        network = MAKERS[name]()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.copy_(parameter.new_empty(parameter.shape).normal_(0, 0.3))
            for module in network.modules():
                if isinstance(module, torch.nn.LayerNorm):
                    module.weight += 1  # else twelve layers shrink the effect of the image to less than rounding
        provenance = Provenance(name, None, "0" * 64, KeyReport(()), "small", "test")
        return EncoderAdapter(name, network, words, lambda: provenance, encoder=encoder)

    return make


def encoder():
    config = RegionConfig(16, (4, 6, 8), WIDTH, ("background", "dog"), ("none", "red"))
    torch.manual_seed(1)
    return RegionEncoder(RegionNet(config), lambda: "0" * 64)


@pytest.mark.parametrize("name", MAKERS)
def test_every_promise_of_the_boundary_is_kept(adapter_of, name):
    vlaudit.check_adapter(adapter_of(name))


@pytest.mark.parametrize("name", ["uniter", "ctrl_visualbert"])
def test_a_single_stream_has_one_softmax_and_all_stages_of_both(adapter_of, name):
    capabilities = adapter_of(name).capabilities
    assert (capabilities.architecture, capabilities.joint_softmax) == ("single-stream", True)
    assert capabilities.hidden["text"] == capabilities.hidden["image"]
    assert len({shape.layers for shape in capabilities.attention.values()}) == 1


def test_in_two_streams_every_slice_has_a_softmax_of_its_own(adapter_of):
    adapter = adapter_of("lxmert")
    assert (adapter.capabilities.architecture, adapter.capabilities.joint_softmax) == ("two-stream", False)
    sample = probe_samples(adapter)[0]
    readings = {Attention(q, k) for q, k in adapter.capabilities.attention}
    (trace,) = adapter.forward([ForwardRequest(sample, frozenset(readings))])
    for reading in readings:
        torch.testing.assert_close(trace[reading].sum(-1), torch.ones_like(trace[reading].sum(-1)))


def test_the_global_region_is_the_mean_and_is_no_place(adapter_of):
    adapter = adapter_of("ctrl_vilbert")
    sample = probe_samples(adapter)[0]
    (trace,) = adapter.forward([ForwardRequest(sample, frozenset({Hidden("image"), RegionClasses()}))])
    assert trace.image.boxes[0] is None
    assert trace.image.places == (1, 2, 3)
    assert trace[Hidden("image")].shape[1] == 4
    assert trace[RegionClasses()].shape == (3, 7)


def test_regions_without_features_are_encoded_from_their_pixels(adapter_of):
    """The same features, given or encoded, give the same answer; and pixels inside the box are what counts."""
    adapter = adapter_of("uniter", encoder())
    sample = probe_samples(adapter)[0]
    on_grid = (Box(0, 0, 18, 32), Box(18, 0, 36, 16), Box(36, 0, 48, 12))
    regions = (replace(r, features=None, box=box) for r, box in zip(sample.regions, on_grid, strict=True))
    bare = replace(sample, regions=tuple(regions))
    boxes = [region.box for region in bare.regions]
    rows = adapter.encoder.encode(bare.image, boxes).features
    given = replace(bare, regions=tuple(replace(r, features=f) for r, f in zip(bare.regions, rows, strict=True)))
    mixed = replace(bare, regions=(given.regions[0], *bare.regions[1:]))
    match = [float(trace[Match()]) for trace in adapter.forward([request(s) for s in (bare, given, mixed)])]
    assert match == pytest.approx([match[0]] * 3, abs=1e-5)
    dark = replace(bare, image=bare.image.edited("dark", np.zeros_like))
    assert float(adapter.forward([request(dark)])[0][Match()]) != pytest.approx(match[0], abs=1e-5)


def test_boxes_of_encoded_regions_are_rounded_to_places(adapter_of):
    """Boxes that round to one place are equal to the model; features from a file keep their exact boxes."""
    adapter = adapter_of("uniter", encoder())
    sample = probe_samples(adapter)[0]
    flat = replace(sample, image=sample.image.edited("flat", np.zeros_like))

    def match(box, features):
        first = replace(flat.regions[0], box=box, features=features)
        rest = (replace(region, features=None) for region in flat.regions[1:])
        return adapter.forward([request(replace(flat, regions=(first, *rest)))])[0][Match()]

    near, nearer, far = Box(0, 0, 16, 30), Box(0, 0, 17, 31), Box(0, 0, 30, 30)
    assert match(near, None) == match(nearer, None) != match(far, None)
    given = flat.regions[0].features
    assert match(near, given) != match(nearer, given)


def request(sample, reading=Match()):  # noqa: B008 (frozen)
    return ForwardRequest(sample, frozenset({reading}))


def test_unreadable_samples_are_refused_with_the_reason(adapter_of):
    adapter = adapter_of("uniter")
    sample = probe_samples(adapter)[0]
    first = sample.regions[0]

    def with_first(**changes):
        return replace(sample, regions=(replace(first, **changes), *sample.regions[1:]))

    cases = {
        "has no features, and this checkpoint comes without an encoder": with_first(features=None),
        "has 5 features, this checkpoint reads 16": with_first(features=np.ones(5)),
        "is not inside its image of 48 x 32": with_first(box=Box(0, 0, 60, 10)),
        "which is not inside its image": with_first(box=Box(48, 0, 48.9, 9), features=None),  # holds no pixel
        "has the box (nan, 0, 9, 9)": with_first(box=Box(float("nan"), 0, 9, 9)),
        "it has no regions": replace(sample, regions=(), phrases=(), slots=()),
        "it has no image": replace(sample, image=None),
    }
    for reason, wrong in cases.items():
        assert reason in adapter.refusal(request(wrong))
        with pytest.raises(RequestError, match="probe-0"):
            adapter.forward([request(wrong)])
    assert "not single pieces" in adapter.refusal(request(sample, Words(("dachshund",))))
    assert adapter.refusal(request(with_first(box=Box(-0.5, 0, 16, 32.5)))) is None  # rounded when it was stored


def test_an_encoder_of_another_width_is_an_error_before_a_pass():
    path = bundled_checkpoint("regions")
    config = {"region_encoder": hashlib.sha256(path.read_bytes()).hexdigest()}
    found = find_encoder(config, path, torch.device("cpu"), 64)
    assert found.width == 64
    assert find_encoder(config, path, torch.device("cpu"), None) is None
    with pytest.raises(CheckpointError, match=r"reads 2048 features of a region, but .* gives 64"):
        find_encoder(config, path, torch.device("cpu"), 2048)


class Headless(torch.nn.Module):
    """A network whose layout declares a matching head that it lacks."""

    def __init__(self, layout):
        super().__init__()
        self.layout, self.weight = layout, torch.nn.Parameter(torch.zeros(1))

    def forward(self, inputs, wanted):
        raise AssertionError

    def word_logits(self, states):
        raise AssertionError


def test_a_declared_head_must_exist(words):
    layout = replace(uniter().layout, classes=None)
    with pytest.raises(AdapterError, match=r"Headless: its layout declares heads .*: MatchHead"):
        EncoderAdapter("mine", Headless(layout), words, lambda: None)
    assert EncoderAdapter("mine", Headless(replace(layout, match=None)), words, lambda: None).capabilities.match is None


def test_a_caption_is_tokenized_once_from_planning_to_its_answer(adapter_of, monkeypatch):
    adapter = adapter_of("uniter")
    tokenized, pieces = [], type(adapter._vocabulary).pieces
    monkeypatch.setattr(
        type(adapter._vocabulary), "pieces", lambda self, text: tokenized.append(text) or pieces(self, text)
    )
    samples = [replace(s, caption=f"{s.caption} big big", phrases=(), slots=()) for s in probe_samples(adapter)]
    for _ in range(2):
        assert [adapter.refusal(request(sample)) for sample in samples] == [None] * len(samples)
    adapter.forward([request(sample) for sample in samples])
    assert sorted(tokenized) == sorted(sample.caption for sample in samples)


def test_a_caption_longer_than_the_training_is_refused_not_cut(adapter_of):
    adapter = adapter_of("lxmert")
    sample = replace(probe_samples(adapter)[0], phrases=(), slots=())
    longest, longer = (replace(sample, caption=" ".join(["dog"] * words)) for words in (18, 19))
    assert adapter.refusal(request(longest)) is None
    assert "its caption has 21 tokens with [CLS] and [SEP], this model was trained on 20" in adapter.refusal(
        request(longer)
    )
