"""The names of a detector's classes, `names=FILE`: regions are called what the detector took them for."""

from pathlib import Path

import annotated_folders as folders
import pytest

from vlaudit import datasets
from vlaudit.errors import DataError, UsageError

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "vocab"
NAMES = ("yolk", "stop sign,stopsign", "dog")
BOXES = [(0, 0, 15, 20), (20, 4, 40, 28), (5, 20, 12, 29)]
LABELS = [2, 1, 0]


@pytest.fixture(params=["flickr30k-entities", "visual-genome"])
def spec(request, tmp_path):
    """One image, a man and a bus to people, a dog, a stop sign and a yolk to the detector."""
    if request.param == "visual-genome":
        things = [folders.thing(1, "man", (0, 0, 15, 20)), folders.thing(2, "bus", (20, 4, 20, 24))]
        folders.genome(tmp_path, {1000: things}, {1000: [folders.region(5, "a man waits near a bus", things)]})
    else:
        objects = [folders.boxed((1, 1, 15, 20), "1"), folders.boxed((21, 5, 40, 28), "2")]
        folders.entities(tmp_path, "1000", ["[/EN#1/people A man] waits near [/EN#2/vehicles a bus] ."], objects)
    write(tmp_path)
    return f"{request.param}:{tmp_path},features=found.tsv"


def write(folder, labels=LABELS):
    folders.features(folder / "found.tsv", {"1000": ((40, 30), BOXES)}, labels and {"1000": labels})
    (folder / "names.txt").write_text("\n".join(NAMES), encoding="utf-8")
    (folder / "background.txt").write_text("\r\n".join(["__background__", *NAMES]), encoding="utf-8")


def labels_of(spec):
    return [region.label for region in next(iter(datasets.open(spec))).regions]


@pytest.mark.parametrize("file", ["names.txt", "background.txt"])
def test_regions_are_called_what_the_detector_saw(spec, file):
    """Classes count from 0 without the background, whether the list of names has it or not."""
    assert labels_of(spec) == ["man", "bus", ""]
    assert labels_of(f"{spec},names={file}") == ["dog", "stop sign", "yolk"]


def test_names_that_do_not_fit_are_told_before_anything_runs(spec, tmp_path):
    """By the option that named them, and by what the features hold."""
    (tmp_path / "few.txt").write_text("yolk\ndog", encoding="utf-8")
    with pytest.raises(
        DataError, match=r"names=few\.txt does not fit features=found\.tsv: there are 2 names, and a reg"
    ):
        datasets.open(f"{spec},names=few.txt")
    with pytest.raises(DataError, match=r"none\.txt: it must be text with a class name on each line"):
        datasets.open(f"{spec},names=none.txt")
    with pytest.raises(UsageError, match=r"names=names\.txt names the classes of a detector; .*features=FILE"):
        datasets.open(spec.replace("features=found.tsv", "names=names.txt"))
    write(tmp_path, labels=None)
    with pytest.raises(DataError, match="the features say no class of any region"):
        datasets.open(f"{spec},names=names.txt")


def test_a_later_record_that_names_no_class_costs_its_samples(tmp_path):
    """The others are read."""
    for stem in ("1000", "1001"):
        folders.entities(tmp_path, stem, ["[/EN#1/people A man] waits ."], [folders.boxed((1, 1, 15, 20), "1")])
    size = (40, 30)
    folders.features(
        tmp_path / "found.tsv", {"1000": (size, BOXES), "1001": (size, BOXES)}, {"1000": LABELS, "1001": [0, 0, 3]}
    )
    (tmp_path / "names.txt").write_text("\n".join(NAMES), encoding="utf-8")
    dataset = datasets.open(f"flickr30k-entities:{tmp_path},features=found.tsv,names=names.txt")
    assert {sample.image_id for sample in dataset} == {"1000"}
    assert str(dataset.refusals[-1]) == (
        "found.tsv: sample flickr30k-1001-1: there are 3 names, and a region has the class 3"
    )


@pytest.mark.parametrize("file", ["objects_vocab.txt", "objects_vocab_with_background.txt"])
def test_the_real_lists_name_the_classes(spec, tmp_path, file):
    """`names=` takes an absolute path as well; class 0 is a yolk and class 1599 the last of 1600."""
    if not SHARED.is_dir():
        pytest.skip("the real vocabularies are not beside this checkout (../shared/data/vocab)")
    last = (SHARED / file).read_text(encoding="utf-8").splitlines()[-1].split(",")[0]
    write(tmp_path, labels=[0, 1599, 0])
    assert labels_of(f"{spec},names={SHARED / file}") == ["yolk", last, "yolk"]
