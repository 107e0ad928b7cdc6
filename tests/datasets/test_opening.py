"""`vlaudit.datasets.open`: by name, ours or another package's; what nobody has is told with what was meant."""

import subprocess
import sys
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from vlaudit import datasets
from vlaudit.datasets import Dataset, Refusal
from vlaudit.datasets.base import parse_options
from vlaudit.errors import UsageError


def test_scenes_are_a_data_set():
    """By name alone, and with options."""
    dataset = datasets.open("scenes:n=3,seed=5")
    assert isinstance(dataset, Dataset)
    assert len(list(dataset)) == 3
    assert dataset.refusals == []
    assert datasets.open("scenes").name == "scenes"


@pytest.mark.parametrize(
    "spec, message",
    [
        ("cocoa:x", "--data cocoa:x: there is no data set named 'cocoa': did you mean coco?"),
        ("scene", "did you mean scenes?"),
        ("zzz", "there is no data set named 'zzz'; there are: scenes, coco, flickr30k-entities, visual-genome"),
        ("", "there is no data set named ''; there are: scenes, coco, flickr30k-entities, visual-genome"),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest(spec, message):
    """Or with all there are."""
    with pytest.raises(UsageError) as told:
        datasets.open(spec)
    assert message in str(told.value)


def provided(monkeypatch, value):
    entries = EntryPoints([EntryPoint("theirs", value, "vlaudit.datasets")])
    monkeypatch.setattr(datasets, "entry_points", entries.select)


def test_another_package_can_add_one(monkeypatch):
    """Through the entry point group; the function gets what stands after the colon."""
    provided(monkeypatch, "vlaudit.datasets.scenes:from_spec")
    assert datasets.names() == ("scenes", "coco", "flickr30k-entities", "visual-genome", "theirs")
    assert len(list(datasets.open("theirs:n=2"))) == 2


def test_an_entry_point_that_is_no_function_is_told(monkeypatch):
    """By its name."""
    provided(monkeypatch, "vlaudit.samples:COLORS")
    with pytest.raises(UsageError, match=r"the entry point 'theirs' of group vlaudit\.datasets must name a function"):
        datasets.open("theirs")


def test_importing_the_package_reads_nothing():
    """Neither the world nor Pillow is loaded before a data set is opened."""
    script = (
        "import sys, vlaudit.datasets; print([m for m in sys.modules if m.startswith(('PIL', 'vlaudit.datasets.'))])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['vlaudit.datasets.base']"


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", ("", {})),
        ("dir", ("dir", {})),
        ("a,b,images=c", ("a,b", {"images": "c"})),
        ("images=c=d", ("", {"images": "c=d"})),
    ],
)
def test_options_follow_the_head(text, expected):
    """A comma in a folder's name is no border."""
    assert parse_options(text, ("images", "captions")) == expected


def test_a_refusal_reads_as_file_place_and_reason():
    """As it stands in a report."""
    assert str(Refusal("a.json", "annotations[3]", "it has no 'id'")) == "a.json: annotations[3]: it has no 'id'"
