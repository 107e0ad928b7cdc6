"""Class names of a detector (`names=FILE`) as labels of regions."""

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
def test_regions_have_the_detectors_class_names(spec, file):
    """Class ids do not count the background, with or without it in the list of names."""
    assert labels_of(spec) == ["man", "bus", ""]
    assert labels_of(f"{spec},names={file}") == ["dog", "stop sign", "yolk"]


def test_names_that_do_not_match_the_features_are_an_error(spec, tmp_path):
    (tmp_path / "few.txt").write_text("yolk\ndog", encoding="utf-8")
    with pytest.raises(DataError, match=r"names=few\.txt does not match features=found\.tsv: got 2 names, but a reg"):
        datasets.open(f"{spec},names=few.txt")
    with pytest.raises(DataError, match=r"none\.txt: must be text with one class name per line"):
        datasets.open(f"{spec},names=none.txt")
    with pytest.raises(UsageError, match=r"names=names\.txt requires region features; add ,features=FILE"):
        datasets.open(spec.replace("features=found.tsv", "names=names.txt"))
    write(tmp_path, labels=None)
    with pytest.raises(DataError, match="the features contain no classes"):
        datasets.open(f"{spec},names=names.txt")


def test_samples_of_a_record_with_an_unknown_class_are_refused(tmp_path):
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
        "found.tsv: sample flickr30k-1001-1: got 3 names, but a region has the class 3"
    )


@pytest.mark.parametrize("file", ["objects_vocab.txt", "objects_vocab_with_background.txt"])
def test_the_real_class_lists_are_read(spec, tmp_path, file):
    """`names=` accepts an absolute path; class 0 is "yolk", and class 1599 is the last."""
    if not SHARED.is_dir():
        pytest.skip("the real vocabularies are not available (../shared/data/vocab)")
    last = (SHARED / file).read_text(encoding="utf-8").splitlines()[-1].split(",")[0]
    write(tmp_path, labels=[0, 1599, 0])
    assert labels_of(f"{spec},names={SHARED / file}") == ["yolk", last, "yolk"]
