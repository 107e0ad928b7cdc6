"""`vlaudit.datasets.open` for built-in data sets, entry points and unknown names."""

import subprocess
import sys
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from vlaudit import datasets
from vlaudit.datasets import Dataset, Refusal
from vlaudit.datasets.base import parse_options
from vlaudit.errors import UsageError


def test_scenes_are_a_data_set():
    dataset = datasets.open("scenes:n=3,seed=5")
    assert isinstance(dataset, Dataset)
    assert len(list(dataset)) == 3
    assert dataset.refusals == []
    assert datasets.open("scenes").name == "scenes"


@pytest.mark.parametrize(
    "spec, message",
    [
        ("cocoa:x", "--data cocoa:x: unknown data set 'cocoa': did you mean coco?"),
        ("scene", "did you mean scenes?"),
        ("zzz", "unknown data set 'zzz'; available: scenes, coco, flickr30k-entities, visual-genome"),
        ("", "unknown data set ''; available: scenes, coco, flickr30k-entities, visual-genome"),
    ],
)
def test_an_unknown_name_is_an_error_with_similar_names(spec, message):
    with pytest.raises(UsageError) as caught:
        datasets.open(spec)
    assert message in str(caught.value)


def provided(monkeypatch, value):
    entries = EntryPoints([EntryPoint("theirs", value, "vlaudit.datasets")])
    monkeypatch.setattr(datasets, "entry_points", entries.select)


def test_an_entry_point_adds_a_data_set(monkeypatch):
    provided(monkeypatch, "vlaudit.datasets.scenes:from_spec")
    assert datasets.names() == ("scenes", "coco", "flickr30k-entities", "visual-genome", "theirs")
    assert len(list(datasets.open("theirs:n=2"))) == 2


def test_an_entry_point_that_is_not_callable_is_an_error(monkeypatch):
    provided(monkeypatch, "vlaudit.samples:COLORS")
    with pytest.raises(UsageError, match=r"the entry point 'theirs' of group vlaudit\.datasets must name a function"):
        datasets.open("theirs")


def test_importing_the_package_loads_no_data_set():
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
    """A folder name may contain a comma."""
    assert parse_options(text, ("images", "captions")) == expected


def test_a_refusal_is_shown_as_file_location_and_reason():
    assert str(Refusal("a.json", "annotations[3]", "it has no 'id'")) == "a.json: annotations[3]: it has no 'id'"
