"""BERT through transformers: equal to the class, from published folders, or one error message."""

import shutil
import subprocess
import sys

import pytest
import torch
from hf_folders import CPU, VOCABULARY, close, edited, made, padded, written
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import BertConfig, BertForMaskedLM, BertForPreTraining, BertModel

import vlaudit
from vlaudit.errors import CheckpointError, VocabularyError
from vlaudit.models.base import ForwardRequest, LoadOptions
from vlaudit.models.checks import check_adapter
from vlaudit.models.hf.bert import BERT
from vlaudit.models.hf.folder import load_network
from vlaudit.models.probe_samples import probe_samples
from vlaudit.models.streams.contract import FeatureHeads, Inputs, MatchHead, RegionHead, Wanted, WordHead
from vlaudit.samples import Sample, words_of
from vlaudit.traces import Attention, Hidden, HiddenPieces, Match, Words

CONFIG = BertConfig(
    vocab_size=len(VOCABULARY),
    hidden_size=16,
    num_hidden_layers=3,
    num_attention_heads=2,
    intermediate_size=20,
    max_position_embeddings=24,
    layer_norm_eps=0.01,  # large, so that an epsilon of another size would show
    attn_implementation="eager",  # writes attention out; the config does not keep it
)
ALL = Wanted(frozenset(("text", "text", i) for i in range(3)), frozenset(("text", i) for i in range(4)))


@pytest.fixture(scope="session")
def reference():
    """The class itself, run with its plain kernel."""
    return made(BertForMaskedLM, CONFIG)


@pytest.fixture(scope="session")
def kept(reference, tmp_path_factory):
    """A folder that no test changes."""
    return written(reference, tmp_path_factory.mktemp("bert"))


@pytest.fixture
def folder(kept, tmp_path):
    """A folder to change."""
    return shutil.copytree(kept, tmp_path / "bert")


@pytest.fixture(scope="session")
def network(kept):
    return load_network(BERT, LoadOptions(kept, CPU))[0]


def load(path, **options):
    return vlaudit.load("bert", checkpoint=path, device="cpu", **options)


def refused(path, *parts, error=CheckpointError):
    with pytest.raises(error) as raised:
        load(path)
    for part in parts:
        assert part in str(raised.value)


def truth(model, ids, mask):
    with torch.inference_mode():
        return model(ids, attention_mask=mask, output_attentions=True, output_hidden_states=True)


# What it computes


@settings(max_examples=15)
@given(lengths=st.lists(st.integers(2, 9), min_size=1, max_size=4))
def test_every_reading_is_what_the_class_computes(network, reference, lengths):
    ids, mask = padded(lengths)
    with torch.inference_mode():
        streams = network(Inputs(ids, mask), ALL)
        logits = network.word_logits(streams.text)
    expected = truth(reference, ids, mask)
    assert close(logits, expected.logits, where=mask)
    for stage, state in enumerate(expected.hidden_states):
        assert close(streams.states["text", stage], state, where=mask)
    for layer, attention in enumerate(expected.attentions):
        assert close(streams.attention["text", "text", layer], attention)


def test_reading_inside_changes_no_answer_and_only_what_is_wanted_comes_back(network):
    ids, mask = padded((7, 3))
    some = Wanted(frozenset({("text", "text", 2)}), frozenset({("text", 1)}))
    with torch.inference_mode():
        bare, read = network(Inputs(ids, mask), Wanted()), network(Inputs(ids, mask), some)
    assert close(bare.text, read.text, where=mask)
    assert (set(bare.attention), set(bare.states)) == (set(), set())
    assert (set(read.attention), set(read.states)) == ({("text", "text", 2)}, {("text", 1)})


def test_token_types_are_read(network, reference):
    ids, mask = padded((6,))
    types = torch.tensor([[0, 0, 0, 1, 1, 1]])
    with torch.inference_mode():
        ours, theirs = network(Inputs(ids, mask, types=types), Wanted()).text, reference.bert(ids, mask, types)[0]
        plain = network(Inputs(ids, mask), Wanted()).text
    assert close(ours, theirs)
    assert not close(ours, plain, tolerance=1e-3)


def test_the_audited_word_has_the_probability_that_the_class_gives_it(kept, reference):
    adapter = load(kept)
    caption = "a red dog runs near a tree"
    sample = Sample("s", "i", None, caption).hiding(words_of(caption)[2])
    trace = adapter.forward([ForwardRequest(sample, frozenset({Words(), HiddenPieces()}))])[0]
    pieces = ["[CLS]", "a", "red", "[MASK]", "runs", "near", "a", "tree", "[SEP]"]
    ids = torch.tensor([[VOCABULARY.index(piece) for piece in pieces]])
    expected = truth(reference, ids, torch.ones_like(ids)).logits[0, 3].log_softmax(-1)
    assert close(trace[Words()][0], expected)
    assert close(trace[HiddenPieces()][0], expected[VOCABULARY.index("dog")])


def test_an_image_changes_nothing(kept):
    adapter = load(kept)
    seen = probe_samples(adapter)[0]
    blind = Sample("s", "i", None, seen.caption)
    readings = frozenset({Words(), Hidden("text"), Attention("text", "text")})
    one, other = (adapter.forward([ForwardRequest(s.hiding(seen.slots[0]), readings)])[0] for s in (seen, blind))
    assert all(torch.equal(one[reading], other[reading]) for reading in readings)


def test_it_keeps_what_it_declares_and_declares_no_image(kept):
    adapter = load(kept)
    check_adapter(adapter)
    capabilities = adapter.capabilities
    assert (capabilities.architecture, capabilities.visual_unit, capabilities.match) == ("text-only", None, None)
    assert adapter.refusal(ForwardRequest(probe_samples(adapter)[0], frozenset({Match()})))


def test_it_carries_no_heads_that_read_an_image(network):
    assert isinstance(network, WordHead)
    assert not isinstance(network, MatchHead | RegionHead | FeatureHeads)


# What loads


def test_a_file_in_the_folder_is_the_folder(kept, network):
    other = load_network(BERT, LoadOptions(kept / "model.safetensors", CPU))[0]
    assert same(network, other)


def test_provenance_names_the_file_and_the_class(kept):
    provenance = load(kept).provenance
    assert provenance.path == kept / "model.safetensors"
    assert (len(provenance.sha256), provenance.layout) == (64, "transformers BertForMaskedLM, 3 layers deep, 2 heads")


def test_a_published_folder_loads_with_the_older_names_and_what_only_training_needs(tmp_path, reference):
    """As bert-base-uncased is published: BertForPreTraining in pytorch_model.bin, gamma and beta, position ids."""
    pretraining = made(BertForPreTraining, CONFIG)
    pretraining.load_state_dict(reference.state_dict(), strict=False)
    folder = written(pretraining, tmp_path)
    (folder / "model.safetensors").unlink()
    older = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
        for name, tensor in pretraining.state_dict().items()
    }
    torch.save(older | {"bert.embeddings.position_ids": torch.arange(24)[None]}, folder / "pytorch_model.bin")
    network, file, keys = load_network(BERT, LoadOptions(folder, CPU))
    assert file.path.name == "pytorch_model.bin"
    assert sorted(keys.training_only) == [
        "bert.embeddings.position_ids",
        "bert.pooler.dense.bias",
        "bert.pooler.dense.weight",
        "cls.seq_relationship.bias",
        "cls.seq_relationship.weight",
    ]
    ids, mask = padded((5, 8))
    with torch.inference_mode():
        logits = network.word_logits(network(Inputs(ids, mask), Wanted()).text)
    assert close(logits, truth(reference, ids, mask).logits, where=mask)


def test_the_word_head_reads_the_word_table(network):
    bert, head = network.model.bert, network.model.cls.predictions
    assert head.decoder.weight is bert.embeddings.word_embeddings.weight
    assert head.decoder.bias is head.bias


def test_a_written_copy_is_read_back_to_the_bit(network, tmp_path):
    assert same(network, load_network(BERT, LoadOptions(written(network.model, tmp_path), CPU))[0])


def same(one, other):
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


# What does not


def test_missing_and_unexpected_tensors_are_named(folder):
    lost = "bert.encoder.layer.1.attention.self.query.bias"
    edited(folder, tensors=lambda held: {("surplus" if n == lost else n): v for n, v in held.items()})
    refused(folder, "not those of BERT", f"missing: {lost}", "unexpected: surplus")


def test_an_encoder_without_the_word_head_is_refused(folder, tmp_path):
    edited(folder, tensors=lambda held: {n: v for n, v in held.items() if not n.startswith("cls.")})
    refused(folder, "not those of BERT", "missing: cls.predictions.bias, cls.predictions.transform")
    refused(written(made(BertModel, CONFIG), tmp_path), "missing: bert.emb", "unexpected: emb")


def test_two_names_of_one_tensor_must_agree(folder):
    edited(folder, tensors=lambda held: held | {"cls.predictions.decoder.bias": held["cls.predictions.bias"] + 1})
    refused(folder, "their values differ")


def test_both_names_of_a_norm_are_one_too_many(folder):
    name = "bert.embeddings.LayerNorm."
    edited(folder, tensors=lambda held: held | {f"{name}gamma": held[f"{name}weight"]})
    refused(folder, f"unexpected: {name}gamma")


def test_a_folder_without_config_is_refused(folder):
    (folder / "config.json").unlink()
    refused(folder, str(folder), "it has no config.json")


@pytest.mark.parametrize("text", ["{", "[]", '"bert"'])
def test_a_config_that_is_no_json_object_is_refused(folder, text):
    (folder / "config.json").write_text(text, encoding="utf-8")
    refused(folder, "config.json", "JSON")


@pytest.mark.parametrize("stated", ["roberta", None, 3])
def test_a_folder_of_another_model_is_refused(folder, stated):
    refused(edited(folder, config={"model_type": stated}), "BERT needs model_type 'bert'", repr(stated))


@pytest.mark.parametrize(
    "config, part",
    [
        ({"is_decoder": True}, "is_decoder must be false"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings must be true"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type"),
        ({"num_attention_heads": 3}, "transformers cannot build a BertForMaskedLM"),
        ({"num_attention_heads": 0}, "transformers cannot build a BertForMaskedLM"),
        ({"hidden_size": "wide"}, "transformers cannot build a BertForMaskedLM"),
        ({"hidden_act": "os.system"}, "transformers cannot build a BertForMaskedLM"),
        ({"intermediate_size": 21}, "wrong shapes"),
        ({"num_hidden_layers": 4}, "missing: bert.encoder.layer.3"),
        ({"num_hidden_layers": 2}, "unexpected: bert.encoder.layer.2"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers must be at most 1000, got 1000000000"),
        ({"vocab_size": 10**12}, "vocab_size must be at most"),
    ],
)
def test_a_setting_that_does_not_fit_is_refused(folder, config, part):
    refused(edited(folder, config=config), part)


def test_references_in_a_config_are_not_followed(folder, network):
    """References to code and kernels elsewhere are settings like any other unknown one: not read."""
    edited(
        folder,
        config={
            "auto_map": {"AutoModelForMaskedLM": "someone/code--modeling.Model"},
            "attn_implementation": "someone/kernel",
            "_attn_implementation": "someone/kernel",
            "quantization_config": {"quant_method": "gptq"},
        },
    )
    assert same(network, load_network(BERT, LoadOptions(folder, CPU))[0])


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_split_weights_are_refused(folder, name):
    (folder / "model.safetensors").unlink()
    (folder / f"{name}.index.json").write_text("{}", encoding="utf-8")
    refused(folder, f"{name}.index.json", "split over several files", "save_pretrained")
    refused(folder / f"{name}.index.json", "split over several files")


def test_a_folder_without_weights_is_refused(folder):
    (folder / "model.safetensors").unlink()
    refused(folder, "holds neither model.safetensors nor pytorch_model.bin")


def test_a_vocabulary_of_another_size_is_refused(folder):
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY[:-1]), encoding="utf-8")
    refused(folder, f"{len(VOCABULARY)} rows", error=VocabularyError)


def test_importing_vlaudit_does_not_import_transformers():
    requested = "import sys, vlaudit, vlaudit.models.hf.loading; sys.exit('transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", requested], check=False).returncode == 0
