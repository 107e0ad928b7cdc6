"""One call loads a model; an invalid file is one error message before any work, with nothing loaded."""

import hashlib
import json
import pickle
import re
import shutil
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import safetensors.torch
import torch

import vlaudit
from vlaudit.errors import CheckpointError, UsageError, VocabularyError
from vlaudit.models.base import ForwardRequest
from vlaudit.models.checkpoint import open_weights
from vlaudit.models.probe_samples import answerable, probe_samples

GOLDEN = Path(__file__).parents[1] / "goldens" / "albef" / "tiny_even"


@pytest.fixture
def case(tmp_path):
    """A copy of a published-layout checkpoint with its vocabulary and config."""
    folder = tmp_path / "case"
    shutil.copytree(GOLDEN, folder)
    return folder


@pytest.fixture
def tensors():
    return dict(torch.load(GOLDEN / "checkpoint.pth", weights_only=True)["model"])


def load(path, **options):
    return vlaudit.load("albef", checkpoint=path, device="cpu", **options)


def refused(path, *parts, error=CheckpointError, **options):
    """Load, expect one message that names the file and holds these parts, and return it."""
    with pytest.raises(error) as raised:
        load(path, **options)
    for part in (str(path), *parts):
        assert part in str(raised.value)
    return str(raised.value)


def saved(case, tensors):
    torch.save({"model": tensors}, case / "checkpoint.pth")
    return case / "checkpoint.pth"


# Files that load


def test_a_published_layout_loads_with_its_description():
    model = load(GOLDEN / "checkpoint.pth")
    report = model.provenance
    assert report.sha256 == hashlib.sha256((GOLDEN / "checkpoint.pth").read_bytes()).hexdigest()
    assert model.fingerprint == f"sha256:{report.sha256}"
    assert "64 px in patches of 16" in report.layout
    assert "visual_encoder_m.norm.weight" in report.keys.training_only
    assert "text_encoder.cls.predictions.decoder.weight" in report.keys.aliases
    assert not hasattr(model.network, "visual_encoder_m")


def test_momentum_is_loaded_on_request():
    assert load(GOLDEN / "checkpoint.pth", momentum=True).network.momentum_view()


@pytest.mark.parametrize("wrapper", ["model", "state_dict", None])
def test_the_tensors_are_found_where_training_scripts_put_them(case, tensors, wrapper):
    torch.save({wrapper: tensors, "epoch": 3} if wrapper else OrderedDict(tensors), case / "checkpoint.pth")
    assert len(load(case / "checkpoint.pth").provenance.keys.loaded) > 100


def test_the_old_format_of_torch_is_read(case, tensors):
    torch.save({"model": tensors}, case / "checkpoint.pth", _use_new_zipfile_serialization=False)
    assert load(case / "checkpoint.pth")


def test_safetensors_give_the_same_answers_without_aliases_and_training_tensors(case, tensors):
    needed = load(GOLDEN / "checkpoint.pth").provenance.keys.loaded
    safetensors.torch.save_file({name: tensors[name].contiguous() for name in needed}, case / "model.safetensors")
    answers = []
    for path in (case / "model.safetensors", GOLDEN / "checkpoint.pth"):
        model = load(path)
        readings = frozenset(answerable(model))
        trace = model.forward([ForwardRequest(probe_samples(model)[0], readings)])[0]
        answers.append([trace[reading] for reading in sorted(readings, key=repr)])
    assert all(torch.equal(one, other) for one, other in zip(*answers, strict=True))


def test_safetensors_are_known_however_long_their_header_is(tmp_path):
    """A header of 0x80 (and some multiples of 256) bytes makes the file start as a pickle does."""
    starts = set()
    for filler in range(0, 512, 8):
        path = tmp_path / f"{filler}.safetensors"
        safetensors.torch.save_file({"weight": torch.ones(1)}, path, metadata={"filler": "x" * filler})
        starts.add(path.read_bytes()[:1])
        assert list(open_weights(path).tensors) == ["weight"]
    assert b"\x80" in starts


def test_half_precision_files_run_in_float32(case, tensors):
    halves = {name: t.half() if t.is_floating_point() else t for name, t in tensors.items()}
    model = load(saved(case, halves))
    assert {p.dtype for p in model.network.parameters()} == {torch.float32}


def test_only_an_alias_is_enough(case, tensors):
    word = tensors.pop("text_encoder.bert.embeddings.word_embeddings.weight")
    assert word is not None
    # The sizes are read off the first name, so it must be in the file: an alias alone is refused by name.
    refused(saved(case, tensors), "word_embeddings.weight")


def test_another_resolution_resizes_the_position_table():
    model = load(GOLDEN / "checkpoint.pth", image_size=80)
    assert model.network.visual_encoder.pos_embed.shape[1] == 26
    with pytest.raises(CheckpointError, match="multiple of the patch size of 16 pixels, got 50"):
        load(GOLDEN / "checkpoint.pth", image_size=50)


def test_a_loaded_file_may_be_overwritten(case):
    """Nothing stays mapped: a checkpoint that training writes again does not change a model in use."""
    model = load(case / "checkpoint.pth")
    before = model.network.itm_head.weight.clone()
    size = (case / "checkpoint.pth").stat().st_size
    with (case / "checkpoint.pth").open("r+b") as file:
        file.write(b"\0" * size)
    assert torch.equal(model.network.itm_head.weight, before)
    assert all(bool(p.isfinite().all()) for p in model.network.parameters())


# Files that are not weights


def test_missing(tmp_path):
    refused(tmp_path / "none.pth", "there is no such file")


def test_a_folder(case):
    refused(case, "a file is needed, this is a folder; it holds checkpoint.pth")


def test_empty(case):
    (case / "checkpoint.pth").write_bytes(b"")
    refused(case / "checkpoint.pth", "empty")


@pytest.mark.parametrize("share", [0.001, 0.3, 0.9, 0.9999])
def test_truncated_archive(case, share):
    content = (case / "checkpoint.pth").read_bytes()
    (case / "checkpoint.pth").write_bytes(content[: int(len(content) * share)])
    refused(case / "checkpoint.pth", "truncated")


@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_truncated_safetensors(case, tensors, share):
    path = case / "model.safetensors"
    safetensors.torch.save_file({"weight": torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    refused(path, "truncated")


@pytest.mark.parametrize("share", [0.2, 0.8])
def test_truncated_old_format(case, tensors, share):
    path = case / "checkpoint.pth"
    torch.save({"model": tensors}, path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    refused(path, "truncated")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"just some text that is no checkpoint", "neither a PyTorch file nor safetensors"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "neither a PyTorch file nor safetensors"),
        (b"<!DOCTYPE html><html>Sign in</html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "Git LFS pointer"),
    ],
)
def test_not_a_checkpoint(case, content, message):
    (case / "checkpoint.pth").write_bytes(content)
    refused(case / "checkpoint.pth", message)


def test_a_zip_of_something_else(case):
    with zipfile.ZipFile(case / "checkpoint.pth", "w") as archive:
        archive.writestr("readme.txt", "hello")
    refused(case / "checkpoint.pth", "not one that PyTorch wrote")


class Trap:
    """Pickles to a call that would create a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("writer", ["torch", "pickle"])
def test_code_in_a_pickle_is_not_run(case, tmp_path, tensors, writer):
    trace = tmp_path / "executed"
    held = {"model": tensors, "args": Trap(trace)}
    if writer == "torch":
        torch.save(held, case / "checkpoint.pth")
    else:
        (case / "checkpoint.pth").write_bytes(pickle.dumps(held))
    refused(case / "checkpoint.pth", "run code from the file", "nothing of it was loaded")
    assert not trace.exists()


@pytest.mark.parametrize(
    ("held", "message"),
    [([1, 2], "got a list"), ({"epoch": 3}, "no tensors by name (its entries: epoch)"), ({}, "no tensors by name")],
)
def test_no_tensors(case, held, message):
    torch.save(held, case / "checkpoint.pth")
    refused(case / "checkpoint.pth", message)


# Weights of another model


@pytest.mark.parametrize(
    ("names", "looks"),
    [
        (["uniter.embeddings.word_embeddings.weight", "uniter.img_embeddings.img_linear.weight"], "UNITER"),
        (["module.bert.encoder.x_layers.0.visual_attention.att.query.weight"], "LXMERT"),
        (["bert.encoder.layer.0.attention_self.query.weight", "bert.v_embeddings.LayerNorm.weight"], "a VOLTA model"),
        (["visual.transformer.resblocks.0.attn.in_proj_weight"], "CLIP"),
        (["bert.encoder.layer.0.attention.self.query.weight"], "BERT"),
        (["layers.0.weight"], None),
    ],
)
def test_another_architecture_is_recognised(case, names, looks):
    message = refused(saved(case, {name: torch.zeros(2, 2) for name in names}), "layout")
    assert (f"It looks like {looks}" if looks else "") in message
    assert ("looks like" in message) == bool(looks)


def test_missing_keys_are_counted(case, tensors):
    for name in [n for n in tensors if n.startswith("visual_encoder.blocks.1.mlp") or n == "itm_head.bias"]:
        del tensors[name]
    message = refused(saved(case, tensors), "missing: ", "nothing was loaded", "itm_head.bias")
    assert "unexpected" not in message


def test_many_missing_keys_are_not_all_listed(case, tensors):
    for name in [n for n in tensors if re.match(r"visual_encoder\.blocks\.\d+\.(norm1|norm2|attn)\.", n)]:
        if name != "visual_encoder.blocks.0.attn.qkv.bias":
            del tensors[name]
    assert re.search(r"and \d+ more \(15 in all\)", refused(saved(case, tensors), "missing"))


def test_unexpected_keys_are_named(case, tensors):
    refused(saved(case, tensors | {"adapter.lora_A": torch.zeros(2)}), "unexpected: adapter.lora_A")


def test_wrong_shapes_are_named(case, tensors):
    tensors["itm_head.weight"] = torch.zeros(3, 48)
    refused(saved(case, tensors), "itm_head.weight (needs (2, 48), got (3, 48))")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_named(case, tensors, value):
    tensors["itm_head.weight"] = tensors["itm_head.weight"].clone()
    tensors["itm_head.weight"][1, 2] = value
    refused(saved(case, tensors), "NaN or infinity in itm_head.weight")


def test_training_only_tensors_may_be_anything(case, tensors):
    """Tensors that are not loaded are not checked."""
    assert load(saved(case, tensors | {"image_queue": tensors["image_queue"] * float("nan")}))


def test_aliases_that_differ_are_refused(case, tensors):
    name = "text_encoder.cls.predictions.decoder.bias"
    refused(saved(case, tensors | {name: tensors[name] + 1}), name, "put together from two models")


def test_dead_weights_are_found_by_the_smoke_test(case, tensors):
    zeros = {name: torch.zeros_like(tensor) for name, tensor in tensors.items()}
    refused(saved(case, zeros), "gives the same answers")


def test_weights_that_overflow_are_found_by_the_smoke_test(case, tensors):
    name = "visual_encoder.norm.weight"
    refused(saved(case, tensors | {name: tensors[name] * 0 + 3e38}), "NaN or infinite")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("no json", "is not JSON"),
        ("[1]", "must be a JSON object"),
        ('{"bert": {"num_hidden_layers": 7}}', "num_hidden_layers"),
        ('{"bert": {"hidden_act": "relu"}}', "hidden_act"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(case, config, message):
    (case / "config.json").write_text(config)
    with pytest.raises(CheckpointError, match=message):
        load(case / "checkpoint.pth")


def test_an_unknown_number_of_heads_is_an_error(case):
    (case / "config.json").unlink()
    refused(case / "checkpoint.pth", "num_heads")


def test_a_vocabulary_of_another_size_is_refused(case):
    (case / "vocab.txt").write_text((case / "vocab.txt").read_text() + "extra\n")
    with pytest.raises(VocabularyError, match="501 entries, the checkpoint's word table has 500 rows"):
        load(case / "checkpoint.pth")


# Invalid requests


def test_cuda_where_there_is_none(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UsageError, match=r"device \(--device\) cuda: torch finds no CUDA device here"):
        vlaudit.load("albef", checkpoint=GOLDEN / "checkpoint.pth", device="cuda")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "tpu9"}, "device (--device) must be auto, cpu, cuda or cuda:N, got 'tpu9'"),
        ({"dtype": "int8"}, "dtype (--dtype) must be one of float32, bfloat16, float16, got 'int8'"),
    ],
)
def test_wrong_settings(options, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        vlaudit.load("albef", checkpoint=GOLDEN / "checkpoint.pth", **options)


@pytest.mark.parametrize(
    ("name", "offer"), [("albeff", "did you mean albef"), ("toy-blin", "toy-blind"), ("qqqq", "available: albef")]
)
def test_an_unknown_family_offers_the_nearest(name, offer):
    with pytest.raises(UsageError, match=f"--model {name}: there is no such family.*{offer}"):
        vlaudit.load(name)


def test_a_toy_has_no_checkpoint():
    assert vlaudit.load("toy-grounded").name == "toy-grounded"
    for given in ({"checkpoint": GOLDEN / "checkpoint.pth"}, {"dtype": "bfloat16"}):
        with pytest.raises(UsageError, match=f"--{next(iter(given))} .*: toy-blind has no weights"):
            vlaudit.load("toy-blind", **given)


def test_an_opened_file_names_its_own_settings(tmp_path):
    path = tmp_path / "model.safetensors"
    safetensors.torch.save_file({"w": torch.ones(2)}, path, metadata={"config": json.dumps({"layout": "x"})})
    assert open_weights(path).config == {"layout": "x"}
    (tmp_path / "config.json").write_text('{"layout": "y"}')
    assert open_weights(path).config == {"layout": "y"}
