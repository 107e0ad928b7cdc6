"""Flickr30k Entities: samples, refusals, and agreement with the official code."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from annotated_folders import annotation, boxed, entities, features, photo, unboxed
from safetensors.numpy import load_file

from vlaudit import datasets
from vlaudit.datasets import Dataset, Refusal
from vlaudit.datasets.flickr30k import Flickr30kEntities
from vlaudit.errors import DataError, RefusedSample, UsageError
from vlaudit.perturbations import Cover, apply
from vlaudit.samples import Box

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "data" / "flickr30k_entities"
GOLDEN = ROOT / "tests" / "goldens" / "cross_modal_ablation" / "case_a"

LINES = [
    "[/EN#11/people Two men] and [/EN#12/animals a dog] near [/EN#0/notvisual each other] .",
    "[/EN#13/people A man 's son] in [/EN#14/clothing a red shirt] holds [/EN#15/other/scene # 8 & co] .",
    "[/EN#11/people They] walk [/EN#12/animals a brown puppy] to the left in [/EN#16/scene a park] .",
]
OBJECTS = [
    boxed((1, 2, 10, 20), 11),
    boxed((12, 2, 20, 20), 11, 13),
    boxed((14, 5, 19, 12), 14),
    boxed((25, 10, 40, 30), 12),
    boxed((30, 1, 40, 8), 15),
    boxed((1, 22, 12, 30), 77),
    unboxed(16, scene=1, nobndbox=1),
]


@pytest.fixture
def folder(tmp_path):
    """One image with three captions, and every trap of the format."""
    entities(tmp_path, "36", LINES, OBJECTS)
    return tmp_path


def read(folder, **options):
    dataset = Flickr30kEntities(folder, **options)
    samples = list(dataset)
    return samples, dataset


def phrases_of(sample):
    return {sample.text(phrase): (phrase.id, phrase.type, phrase.region_ids) for phrase in sample.phrases}


def slots_of(sample):
    return {sample.text(slot): (slot.kind, slot.region_ids) for slot in sample.slots}


def test_each_caption_is_a_sample_with_all_boxes_of_its_image(folder):
    dataset = datasets.open(f"flickr30k-entities:{folder}")
    samples = list(dataset)
    assert isinstance(dataset, Dataset)
    assert [sample.id for sample in samples] == ["flickr30k-36-1", "flickr30k-36-2", "flickr30k-36-3"]
    assert {sample.image_id for sample in samples} == {"36"}
    assert samples[0].caption == "Two men and a dog near each other ."
    assert samples[1].caption == "A man 's son in a red shirt holds # 8 & co ."
    assert {tuple(region.id for region in sample.regions) for sample in samples} == {
        ("11", "11+13", "14", "12", "15", "77")
    }
    assert samples[0].image.pixels().shape == (30, 40, 3)
    assert dataset.refusals == []
    assert dataset.describe() == "Flickr30k Entities: 3 captions of 1 images, 6 boxes, 0 records refused"
    assert pickle.loads(pickle.dumps(samples)) == samples  # noqa: S301 - our own bytes


def test_phrases_are_linked_to_the_boxes_of_their_chain(folder):
    """A box may belong to two chains; chain 0, scenes and chains without a box have no phrase."""
    first, second, third = read(folder)[0]
    assert phrases_of(first) == {"Two men": ("11", "people", ("11", "11+13")), "a dog": ("12", "animals", ("12",))}
    assert phrases_of(second) == {
        "A man 's son": ("13", "people", ("11+13",)),
        "a red shirt": ("14", "clothing", ("14",)),
        "# 8 & co": ("15", "other", ("15",)),
    }
    assert phrases_of(third) == {"They": ("11", "people", ("11", "11+13")), "a brown puppy": ("12", "animals", ("12",))}


def test_corners_are_inclusive_and_count_from_one(folder):
    boxes = {region.id: region.box for region in read(folder)[0][0].regions}
    assert boxes["11"] == Box(0, 1, 10, 20)
    assert boxes["12"] == Box(24, 9, 40, 30)
    entities(folder, "37", LINES[:1], [boxed((1, 1, 40, 30), 11)])
    assert read(folder)[0][-1].regions[0].box == Box(0, 0, 40, 30)


def test_the_label_of_a_region_is_the_noun_of_its_first_phrase(folder):
    regions = {region.id: region.label for region in read(folder)[0][0].regions}
    assert regions == {"11": "men", "11+13": "men", "14": "shirt", "12": "dog", "15": "co", "77": ""}


def test_further_boxes_of_the_same_chains_are_numbered(folder):
    """Equal boxes are merged."""
    objects = [boxed((1, 1, 5, 5), 11), boxed((7, 1, 9, 5), 11), boxed((1, 1, 5, 5), 13), boxed((9, 9, 12, 12), 11)]
    entities(folder, "36", LINES, objects)
    first, second, _ = read(folder)[0]
    assert [region.id for region in first.regions] == ["11+13", "11", "11#2"]
    assert phrases_of(first)["Two men"][2] == ("11+13", "11", "11#2")
    assert phrases_of(second)["A man 's son"][2] == ("11+13",)


def test_slots_have_the_kind_of_their_phrase_and_its_boxes(folder):
    first, second, third = read(folder)[0]
    assert slots_of(first) == {"men": ("person", ("11", "11+13")), "dog": ("animal", ("12",))}
    assert slots_of(second) == {
        "son": ("person", ("11+13",)),
        "red": ("color", ("14",)),
        "shirt": ("clothing", ("14",)),
        "co": ("object", ("15",)),
    }
    assert slots_of(third)["brown"] == ("color", ("12",))
    assert slots_of(third)["puppy"] == ("animal", ("12",))


def test_every_slot_has_choices_and_foils(folder):
    _, second, _ = read(folder)[0]
    for slot in second.slots:
        assert slot.answer == second.text(slot).lower()
        assert len(slot.choices) > 5
        assert set(second.world.foils(second, slot)) < set(slot.choices)
        assert second.world.foils(second, slot)
    shirt = next(slot for slot in second.slots if slot.kind == "clothing")
    covered = apply((Cover(of="clothing"),), second, seed=0)
    assert [region.id for region in covered.regions if not region.visible] == [*shirt.region_ids]


def test_a_hint_is_another_caption_without_the_word(folder):
    first = read(folder)[0][0]
    men, dog = first.slots
    assert first.world.hint(first, men) == "They walk a brown puppy to the left in a park ."
    assert first.world.hint(first, dog) == "A man 's son in a red shirt holds # 8 & co ."


def test_each_phrase_of_a_chain_has_its_own_type(folder):
    entities(folder, "36", ["[/EN#9/people A man] does [/EN#9/other acrobatics] ."], [boxed((1, 1, 5, 5), 9)])
    (sample,) = read(folder)[0]
    assert [(phrase.id, phrase.type) for phrase in sample.phrases] == [("9", "people"), ("9", "other")]


def test_every_iteration_yields_equal_samples_and_refuses_once(folder):
    entities(folder, "35", ["[/EN#1/people A man"], [boxed((9, 9, 2, 2), 1)])
    dataset = Flickr30kEntities(folder)
    assert list(dataset) == list(dataset)
    assert [str(one) for one in dataset.refusals] == [
        "35.txt: line 1: unmatched bracket; a phrase must have the form [/EN#chain/type words]",
        "35.xml: object 1: <bndbox> must have xmin <= xmax and ymin <= ymax, got ['9', '9', '2', '2']",
    ]


def test_unrelated_captions_are_refused(folder):
    (folder / "UNRELATED_CAPTIONS").write_text("# format: <imageID> <sentence number>\n36 2\n", encoding="utf-8")
    samples, dataset = read(folder)
    assert [sample.id for sample in samples] == ["flickr30k-36-1", "flickr30k-36-3"]
    assert dataset.refusals == [
        Refusal("36.txt", "line 2", "listed in UNRELATED_CAPTIONS: the caption does not describe its image")
    ]
    assert len(samples[0].world.captions) == 1


@pytest.mark.parametrize("place", ["images", "flickr30k-images", "flickr30k_images", "."])
def test_photos_are_found_in_the_usual_folders(folder, place):
    (folder / "images" / "36.jpg").unlink()
    photo(folder / place / "36.jpg")
    assert len(read(folder)[0]) == 3


def test_captions_of_a_missing_photo_or_annotation_are_refused(folder):
    entities(folder, "37", LINES[:2], [], with_photo=False)
    entities(folder, "38", LINES[:1], [])
    (folder / "Annotations" / "38.xml").unlink()
    samples, dataset = read(folder)
    assert len(samples) == 3
    assert [str(one) for one in dataset.refusals] == [
        "37.jpg: caption 1 of image 37: the file does not exist",
        "37.jpg: caption 2 of image 37: the file does not exist",
        "38.xml: caption 1 of image 38: no such file in Annotations",
    ]


def test_boxes_annotated_for_another_size_are_refused(folder):
    photo(folder / "images" / "36.jpg", (30, 40))
    samples, dataset = read(folder)
    assert [len(sample.regions) + len(sample.phrases) for sample in samples] == [0, 0, 0]
    assert [str(one) for one in dataset.refusals] == [
        "36.xml: boxes of image 36: annotated for 40 x 30 pixels, but the image has 30 x 40"
    ]


def test_a_split_determines_images_and_order(folder):
    """Ids without files or outside the folder are refused."""
    entities(folder, "35", LINES[:1], OBJECTS)
    (folder / "val.txt").write_text("36\n35\n36\n99\n../36\n", encoding="utf-8")
    dataset = datasets.open(f"flickr30k-entities:{folder},split=val")
    assert [sample.image_id for sample in dataset] == ["36", "36", "36", "35"]
    assert [str(one) for one in dataset.refusals] == [
        "99.txt: sentences: no such file in Sentences",
        "../36.txt: image id: the path is outside the folder Sentences",
    ]


def test_features_replace_boxes_and_photos(folder):
    (folder / "images" / "36.jpg").unlink()
    found = [(0, 1, 10, 20), (24, 9, 40, 30), (12, 1, 20, 20), (30, 20, 36, 28)]
    features(folder / "obj.tsv", {"36": ((40, 30), found)})
    dataset = datasets.open(f"flickr30k-entities:{folder},features=obj.tsv")
    first, second, third = dataset
    assert [region.id for region in first.regions] == ["r0", "r1", "r2", "r3"]
    assert phrases_of(first) == {"Two men": ("11", "people", ("r0", "r2")), "a dog": ("12", "animals", ("r1",))}
    assert [phrase.id for phrase in second.phrases] == ["13"]
    assert np.array_equal(third.region("r1").features, np.full(5, 2, np.float32))
    assert (first.image.width, first.image.height) == (40, 30)
    assert first.regions is second.regions
    refused = [str(one) for one in dataset.refusals]
    assert refused[0].startswith("obj.tsv: box 14 of image 36: no detector box matches")
    assert [one.where for one in dataset.refusals] == [f"box {name} of image 36" for name in (14, 15, 77)]
    assert "3 of 6 annotated boxes matched with detector boxes (median IoU 1.00), 3 refused below IoU 0.5" in (
        dataset.describe()
    )


def test_reading_the_pixels_of_a_missing_photo_is_refused(folder):
    (folder / "images" / "36.jpg").unlink()
    features(folder / "obj.tsv", {"36": ((40, 30), [(24, 9, 40, 30)])})
    first = next(iter(Flickr30kEntities(folder, features="obj.tsv")))
    covered = apply((Cover(of="animal"),), first, seed=0)
    assert not covered.region("r0").visible
    for sample in (first, covered):
        with pytest.raises(RefusedSample, match=r"pixels were requested, but the photo is missing.*images=DIR"):
            sample.image.pixels()


def test_features_of_another_image_are_refused(folder):
    """Another image size refuses the captions of the image; a file for other images is an error."""
    features(folder / "obj.tsv", {"36": ((41, 30), [(0, 0, 9, 9)])})
    samples, dataset = read(folder, features="obj.tsv")
    assert samples == []
    assert str(dataset.refusals[0]) == (
        "obj.tsv: sample flickr30k-36-1: the features are for an image of 41 x 30 pixels, but the image has 40 x 30"
    )
    features(folder / "other.tsv", {"99": ((40, 30), [(0, 0, 9, 9)])})
    with pytest.raises(DataError, match="must have features of the images of the data set"):
        read(folder, features="other.tsv")
    with pytest.raises(DataError, match=r"features=no\.tsv must name an existing file"):
        read(folder, features="no.tsv")


@pytest.mark.parametrize(
    "break_it, message",
    [
        (lambda folder: (folder / "Sentences" / "36.txt").unlink(), r"found no Sentences/\*\.txt"),
        (lambda folder: (folder / "Annotations" / "36.xml").unlink(), r"found no Annotations/\*\.xml"),
        (lambda folder: (folder / "images" / "36.jpg").unlink(), r"no photo was found; looked in images, "),
    ],
)
def test_a_wrong_folder_is_an_error(folder, break_it, message):
    break_it(folder)
    with pytest.raises(DataError, match=message):
        Flickr30kEntities(folder)


@pytest.mark.parametrize(
    "rest, error, message",
    [
        ("", UsageError, "requires the folder with Sentences and Annotations, got none"),
        ("X,spilt=val", UsageError, "unknown option 'spilt': did you mean split?"),
        ("no/where", DataError, "the folder does not exist"),
    ],
)
def test_invalid_options_are_errors(rest, error, message):
    with pytest.raises(error, match=message):
        datasets.open(f"flickr30k-entities:{rest}")


def test_missing_specified_files_are_errors(folder):
    with pytest.raises(DataError, match=r"split=val must name an existing file of image ids; not found: .*val\.txt"):
        read(folder, split="val")
    with pytest.raises(DataError, match="images=no must name an existing folder"):
        read(folder, images="no")
    (folder / "val.txt").write_text("1\n2\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"none of the 2 images of val\.txt has a file in Sentences"):
        read(folder, split="val")


def golden(tmp_path):
    """Open the synthetic tree that the official code read, with photos of the annotated sizes."""
    detections = load_file(GOLDEN / "detections.safetensors")
    for stem in ("7001", "7002", "7003"):
        photo(tmp_path / f"{stem}.jpg", tuple(detections[f"{stem}.wh"].tolist()))
    dataset = datasets.open(f"flickr30k-entities:{GOLDEN / 'flickr30k_entities'},split=val,images={tmp_path}")
    samples = list(dataset)
    assert dataset.refusals == []
    return [(sample, phrase) for sample in samples for phrase in sample.phrases], detections


def test_the_official_code_finds_the_same_phrases(tmp_path):
    found, _ = golden(tmp_path)
    expected = load_file(GOLDEN / "expected.safetensors")
    assert [int(sample.image_id) for sample, _ in found] == expected["entries.image_id"].tolist()
    assert [int(phrase.id) for _, phrase in found] == expected["entries.phrase_id"].tolist()
    first_words = [len(sample.caption[: phrase.start].split()) for sample, phrase in found]
    assert first_words == expected["entries.first_word"].tolist()
    vocabulary = (GOLDEN / "vocab.txt").read_text(encoding="utf-8").splitlines()
    for (sample, phrase), ids in zip(found, expected["vis4lang.none.lm_labels"], strict=True):
        pieces = "".join(vocabulary[i].removeprefix("##") for i in ids[ids >= 0])
        assert pieces == sample.text(phrase).lower().replace(" ", "")


def test_the_official_code_finds_the_same_boxes(tmp_path):
    """The official code hides the detector boxes that cover more than half of an annotated box, counting pixels."""
    found, detections = golden(tmp_path)
    hidden = load_file(GOLDEN / "expected.safetensors")["lang4vis.none.features"][:, 1:]
    assert len(found) == len(hidden)
    for (sample, phrase), rows in zip(found, hidden, strict=True):
        detected = [Box(l, t, r + 1, b + 1) for l, t, r, b in detections[f"{sample.image_id}.boxes_xyxy"].tolist()]
        boxes = [sample.region(name).box for name in phrase.region_ids]
        covering = [any(box.intersection(one).area > 0.5 * box.area for box in boxes) for one in detected]
        assert covering == (rows == 0).all(axis=1).tolist()


@pytest.mark.skipif(not REAL.is_dir(), reason="the real records are not available")
def test_a_real_box_equals_that_of_the_official_notebook(tmp_path):
    known = json.loads((REAL / "known_entry.json").read_text(encoding="utf-8"))
    boxes = [boxed(corners, known["known"]["chain_id"]) for corners in known["known"]["boxes_as_in_xml"]]
    line = known["sentence"].replace("A man", f"[/EN#{known['known']['chain_id']}/people A man]")
    entities(tmp_path, str(known["image_id"]), [line], boxes, (500, 333))
    (sample,) = read(tmp_path)[0]
    assert sample.caption == known["sentence"]
    assert sample.text(sample.phrases[0]) == known["known"]["phrase"]
    inclusive = [[box.left, box.top, box.right - 1, box.bottom - 1] for box in (sample.regions[0].box,)]
    assert inclusive == known["known"]["boxes_zero_based_xyxy"]


@pytest.mark.skipif(not REAL.is_dir(), reason="the real records are not available")
def test_real_records_are_read(tmp_path):
    """All sentences parse; the one annotation that there is gives four boxes of three chains."""
    for name in ("Sentences", "Annotations"):
        (tmp_path / name).symlink_to(REAL / name)
    photo(tmp_path / "1000092795.jpg", (333, 500))
    samples, dataset = read(tmp_path)
    assert [sample.image_id for sample in samples] == ["1000092795"] * 5
    assert [region.id for region in samples[0].regions] == ["1", "4", "4#2", "1+6"]
    assert [phrase.id for sample in samples for phrase in sample.phrases] == ["1", "1", "4", "1", "6", "1"]
    assert {one.reason for one in dataset.refusals} == {"no such file in Annotations"}
    assert len(dataset.refusals) == 50


def test_an_empty_annotation_gives_captions_without_regions(folder):
    entities(folder, "36", LINES[:1], annotation("36", []))
    (sample,) = read(folder)[0]
    assert (sample.regions, sample.phrases) == ((), ())
    assert slots_of(sample) == {"men": ("person", ()), "dog": ("animal", ())}
