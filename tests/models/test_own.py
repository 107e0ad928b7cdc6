"""Adapters of one's own: how they are called, named and refused, and that an error in them is one message."""

import sys
from pathlib import Path

import pytest
import torch

import vlaudit
from vlaudit.errors import AdapterError, CheckpointError, UsageError
from vlaudit.models.own import takes_options
from vlaudit.models.registry import display_name, display_names

CASE = Path(__file__).parents[1] / "goldens" / "albef" / "tiny_even"

MINE = """
from vlaudit.models.base import LoadOptions
from vlaudit.models.toy import GroundedToy

class Plain(GroundedToy):
    name = "mine"

class Loading(Plain):
    def __init__(self, options: LoadOptions):
        super().__init__()
        self.options = options

class Optional(Plain):
    def __init__(self, seed=0, options=None):
        super().__init__()
        self.seed, self.options = seed, options

class Seeded(Plain):
    def __init__(self, seed=0):
        super().__init__()
        self.seed = seed

def build(options):
    return Loading(options)
"""


@pytest.fixture
def mine(tmp_path):
    """A file with adapters, as the text before the colon of --model."""
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    return path


def file_with(tmp_path, content):
    path = tmp_path / "broken.py"
    path.write_text(content)
    return path


# How it is called


@pytest.mark.parametrize("name", ["Loading", "build"])
def test_what_takes_an_argument_is_called_with_the_options(mine, name):
    checkpoint = mine.with_name("weights.pth")
    checkpoint.touch()
    options = vlaudit.load(f"{mine}:{name}", checkpoint=checkpoint, dtype="bfloat16", device="cpu").options
    assert (options.checkpoint, options.dtype, options.device) == (checkpoint, torch.bfloat16, torch.device("cpu"))


def test_without_a_checkpoint_it_gets_none(mine):
    options = vlaudit.load(f"{mine}:Loading").options
    assert options.checkpoint is None
    with pytest.raises(CheckpointError, match="requires a weights file, got none"):
        _ = options.weights


def test_a_checkpoint_that_does_not_exist_is_refused_before_the_call(tmp_path):
    path = file_with(tmp_path, "def build(options):\n    raise KeyError\n")
    with pytest.raises(CheckpointError, match=r"checkpoint /nonexistent.pth: there is no such file"):
        vlaudit.load(f"{path}:build", checkpoint="/nonexistent.pth")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"checkpoint": "/nonexistent.pth"}, "--checkpoint /nonexistent.pth"),
        ({"dtype": "bfloat16"}, "--dtype bfloat16"),
        ({"device": "cpu"}, "--device cpu"),
        ({"tokenizer": "words"}, "--tokenizer words"),
        ({"download": True}, "--download"),
        ({"image_size": 80}, "--image-size 80"),
        ({"momentum": True}, "--momentum"),
    ],
)
def test_a_class_without_arguments_refuses_every_option(mine, options, named):
    with pytest.raises(UsageError, match=f"^{named}: .*:Plain takes no argument, so the option would be ignored"):
        vlaudit.load(f"{mine}:Plain", **options)


def test_settings_of_ones_own_are_no_options(mine):
    assert vlaudit.load(f"{mine}:Seeded").seed == 0
    with pytest.raises(UsageError, match=r"--dtype bfloat16: .*takes no argument"):
        vlaudit.load(f"{mine}:Seeded", dtype="bfloat16")


@pytest.mark.parametrize(
    ("make", "takes"),
    [
        (lambda: 0, False),
        (lambda weights: 0, True),
        (lambda *given: 0, True),
        (lambda seed=0: 0, False),
        (lambda options=None: 0, True),
        (lambda *, options=None: 0, False),
        (dict, False),
    ],
)
def test_the_signature_decides(make, takes):
    assert takes_options(make) == takes


def test_an_annotation_decides_too():
    def make(given: "LoadOptions | None" = None):
        return given

    assert takes_options(make)


# What is wrong with it


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ("import os\nimport nowhere_at_all\n", 2, "ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("class Adapter(:\n", 1, "SyntaxError"),
        ("import sys\n\nsys.exit(3)\n", 3, "SystemExit: 3"),
        ("import json\n\n\nx = json.loads('{')\n", 4, "JSONDecodeError"),
        ("class Adapter:\n    def __init__(self):\n        raise KeyError('weights')\n", 3, "KeyError: 'weights'"),
        ("def Adapter(options):\n    assert options.checkpoint\n", 2, "AssertionError"),
        (
            MINE + "\nclass Adapter(Plain):\n    def forward(self, requests):\n        return requests[0].nothing\n",
            28,
            "AttributeError",
        ),
    ],
)
def test_an_error_in_the_file_is_one_message_with_its_line(tmp_path, content, line, message):
    path = file_with(tmp_path, content)
    with pytest.raises(UsageError, match=f"failed at {path}, line {line}: .*{message}"):
        vlaudit.load(f"{path}:Adapter")


def test_a_vlaudit_error_passes_through_unchanged(tmp_path):
    path = file_with(
        tmp_path,
        "from vlaudit.errors import CheckpointError\ndef build(options):\n    raise CheckpointError('too old')\n",
    )
    with pytest.raises(CheckpointError, match=r"^too old$"):
        vlaudit.load(f"{path}:build")


def test_missing_names_are_errors(mine):
    with pytest.raises(UsageError, match="must define a class or function 'Yours', got None"):
        vlaudit.load(f"{mine}:Yours")
    with pytest.raises(UsageError, match=r"other.py:...: there is no such file"):
        vlaudit.load(f"{mine.with_name('other.py')}:Mine")
    with pytest.raises(UsageError, match=r"No module named 'nowhere'; give FILE.py:Class"):
        vlaudit.load("nowhere:Mine")


def test_an_error_inside_a_module_is_placed(tmp_path, monkeypatch):
    (tmp_path / "vlaudit_test_module.py").write_text("x = 1\ny = x / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageError, match=r"vlaudit_test_module.py, line 2: ZeroDivisionError"):
        vlaudit.load("vlaudit_test_module:Mine")
    assert "vlaudit_test_module" not in sys.modules


def test_a_class_that_is_no_adapter_is_refused(tmp_path):
    path = file_with(tmp_path, "class Half:\n    name = 'half'\n")
    with pytest.raises(AdapterError, match=r"Half is no model adapter, it has no \['fingerprint'"):
        vlaudit.load(f"{path}:Half")


def test_a_tokenizer_object_reaches_the_loader_of_a_family(tmp_path):
    from transformers import BertTokenizerFast

    # Without a vocabulary next to it, the checkpoint needs one: a copy of the case without vocab.txt.
    for name in ("checkpoint.pth", "config.json"):
        (tmp_path / name).symlink_to(CASE / name)
    tokenizer = BertTokenizerFast(str(CASE / "vocab.txt"))
    model = vlaudit.load("albef", checkpoint=tmp_path / "checkpoint.pth", tokenizer=tokenizer, device="cpu")
    assert model.vocabulary == tokenizer.get_vocab()
    assert "tokenizer object" in model.provenance.vocabulary


# What it is called


def test_a_file_is_executed_once(tmp_path):
    path = file_with(tmp_path, MINE + "\nwith open(__file__ + '.runs', 'a') as runs:\n    runs.write('1')\n")
    assert display_name(f"{path}:Plain") == "mine"
    one, other = vlaudit.load(f"{path}:Plain"), vlaudit.load(f"{path}:Plain")
    assert type(one) is type(other)
    assert Path(f"{path}.runs").read_text() == "1"


def test_display_names_are_the_adapters_own(mine):
    assert display_name("albef") == "albef"
    assert display_name(f"{mine}:Loading") == "mine"
    assert display_name(f"{mine}:build") == "build"
    assert display_name(f"{mine}:Missing") == "Missing"
    assert display_name("nowhere:Mine") == "Mine"


def test_display_names_differ(mine, tmp_path):
    other = tmp_path / "other.py"
    other.write_text(MINE)
    models = ["albef", f"{mine}:Plain", f"{mine}:Loading", f"{other}:Plain"]
    assert list(display_names(models).values()) == ["albef", f"{mine}:Plain", "Loading", f"{other}:Plain"]
    assert display_names(["albef", f"{mine}:Plain"])[f"{mine}:Plain"] == "mine"
