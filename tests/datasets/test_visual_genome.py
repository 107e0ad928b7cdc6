"""Visual Genome: samples and refusals, on files with the irregularities of real ones."""

import json
import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from annotated_folders import entity, features, genome, photo, region, thing

from vlaudit import datasets
from vlaudit.datasets import Dataset
from vlaudit.datasets.visual_genome import VisualGenome
from vlaudit.datasets.visual_genome.predicates import normalize_predicate
from vlaudit.errors import DataError, RefusedSample, UsageError
from vlaudit.samples import Box, Relation

REAL = Path(__file__).parents[3] / "shared" / "data" / "visual_genome"

MAN = thing(10, "man", (2, 3, 8, 20), merged_object_ids=[11], names=["Man "])
SHIRT = thing(20, "shirt", (3, 8, 6, 8), merged_object_ids=[], names=["shirt"])
TREE = thing(30, "tree trunk", (30, 0, 10, 30), names=["tree trunk"], synsets=[])
DOG = thing(40, "dog", (20, 20, 8, 9))
BIKE, OTHER_BIKE = thing(50, "bike", (0, 0, 5, 5)), thing(51, "bike", (6, 0, 5, 5))

WEARS = {"relationship_id": 1, "predicate": "WEARING", "synsets": []}
REGIONS = [
    region(
        101,
        " A  man wears a red shirt ",
        [thing(11, "man", (2, 3, 8, 24)), SHIRT],
        [{**WEARS, "subject_id": 11, "object_id": 20}],
        [entity(" A  man wears a red shirt ", "man"), entity(" A  man wears a red shirt ", "shirt")],
    ),
    region(
        102, "the guy by the tree trunk", [MAN, TREE], synsets=[entity("the guy by the tree trunk", "guy", "man.n.01")]
    ),
    region(103, "bikes near dogs", [BIKE, OTHER_BIKE, DOG]),
    region(104, "a sunny day"),
    region(105, "dog", [DOG]),
    region(106, "nothing of it", [DOG]),
    region(107, "the man runs", [MAN]),
]
RELATIONSHIPS = [
    {**WEARS, "subject": {**MAN, "name": "man", "object_id": 11}, "object": SHIRT},
    {"relationship_id": 2, "predicate": " is next to a", "subject": DOG, "object": TREE},
    {"relationship_id": 3, "predicate": "ON", "subject": MAN, "object": {**MAN, "object_id": 11}},
    {"relationship_id": 4, "predicate": " ", "subject": MAN, "object": DOG},
]


@pytest.fixture
def folder(tmp_path):
    """Two images with every trap of the format."""
    genome(
        tmp_path,
        {1: [MAN, SHIRT, TREE], 2: [DOG]},
        {1: REGIONS, 2: [region(201, "a dog", [DOG])]},
        {1: RELATIONSHIPS, 2: []},
    )
    return tmp_path


def read(folder, **options):
    dataset = VisualGenome(folder, **options)
    samples = list(dataset)
    return samples, dataset


def phrases_of(sample):
    return {sample.text(phrase): (phrase.type, phrase.region_ids) for phrase in sample.phrases}


def test_each_description_that_names_objects_is_a_sample(folder):
    dataset = datasets.open(f"visual-genome:{folder}")
    samples = list(dataset)
    assert isinstance(dataset, Dataset)
    assert [sample.id for sample in samples] == ["vg-1-101", "vg-2-201", "vg-1-102", "vg-1-103", "vg-1-107"]
    assert [sample.image_id for sample in samples] == ["1", "2", "1", "1", "1"]
    assert samples[0].caption == "A man wears a red shirt"
    assert samples[0].image.pixels().shape == (30, 40, 3)
    assert [str(one) for one in dataset.refusals] == [
        "relationships.json: relationship 3 of image 1: subject and object must differ",
        "relationships.json: relationship 4 of image 1: 'predicate' must be a string, got ' '",
        "region_graphs.json: region 104 of image 1: the region graph has no object",
        "region_graphs.json: region 105 of image 1: the phrase must have at least two words",
        "region_graphs.json: region 106 of image 1: the phrase names no object of its graph with a box",
    ]
    assert dataset.describe() == ("Visual Genome: 5 descriptions of 2 images, 7 boxes, 2 relations, 5 records refused")
    assert list(dataset) == samples
    assert len(dataset.refusals) == 5
    assert pickle.loads(pickle.dumps(samples)) == samples  # noqa: S301 - our own bytes


def test_regions_are_the_objects_of_the_image_each_once(folder):
    """Names may be a list or a string; objects.json takes precedence, and merged objects are not repeated."""
    first = read(folder)[0][0]
    assert [(one.id, one.label) for one in first.regions] == [
        ("10", "man"), ("20", "shirt"), ("30", "tree trunk"), ("50", "bike"), ("51", "bike"), ("40", "dog"),
    ]  # fmt: skip
    assert first.region("10").box == Box(2, 3, 10, 23)


def test_phrases_are_the_mentions_of_objects(folder):
    """Mentions are found by name, by synset or by a form of the name."""
    first, _, second, third, _ = read(folder)[0]
    assert phrases_of(first) == {"man": ("people", ("10",)), "shirt": ("clothing", ("20",))}
    assert phrases_of(second) == {"guy": ("people", ("10",)), "tree trunk": ("other", ("30",))}
    assert phrases_of(third) == {"bikes": ("vehicles", ("50", "51")), "dogs": ("animals", ("40",))}


def test_wrong_spans_of_entities_are_ignored(folder):
    phrase = "a dog and a dog"
    wrong = [
        entity(phrase, "dog", shift=1),
        {"entity_idx_start": -5, "entity_idx_end": 900, "entity_name": "dog"},
        None,
    ]
    genome(folder, {1: [DOG]}, {1: [region(1, phrase, [DOG], synsets=wrong)]})
    (sample,) = read(folder)[0]
    assert [(phrase.start, phrase.end, phrase.region_ids) for phrase in sample.phrases] == [
        (2, 5, ("40",)),
        (12, 15, ("40",)),
    ]


def test_relations_of_both_files_are_merged(folder):
    first = read(folder)[0][0]
    assert first.relations == (Relation("10", "wearing", "20"), Relation("40", "next to", "30"))


def test_relations_of_the_graphs_suffice(folder):
    (folder / "relationships.json").unlink()
    samples, dataset = read(folder)
    assert samples[0].relations == (Relation("10", "wearing", "20"),)
    assert dataset.describe().endswith("3 records refused, no relationships.json")


def test_slots_are_linked_through_the_phrases(folder):
    first = read(folder)[0][0]
    assert [(first.text(slot), slot.kind, slot.region_ids) for slot in first.slots] == [
        ("man", "person", ("10",)),
        ("red", "color", ("20",)),
        ("shirt", "clothing", ("20",)),
    ]


def test_hints_are_descriptions_of_the_same_object(folder):
    first, _, second, _, fourth = read(folder)[0]
    man = first.slots[0]
    assert first.world.hints(first, man) == ["the guy by the tree trunk"]
    assert first.world.copy_hint(first, man) == "the man runs"
    assert fourth.world.hint(fourth, fourth.slots[0]) == "the guy by the tree trunk"
    assert second.world.copy_hint(second, second.slots[0]) is None
    assert "a sunny day" in first.world.captions
    foils = first.world.foils(first, man)
    assert "man" not in foils
    assert "woman" in foils


def test_lists_may_differ_in_order_and_have_gaps(folder):
    genome(
        folder,
        {3: [], 2: [DOG], 1: [MAN]},
        {number: [region(number * 10, "a dog runs", [DOG])] for number in (1, 2, 3, 4)},
        {4: [], 1: RELATIONSHIPS[1:2]},
    )
    samples, dataset = read(folder)
    assert [[one.id for one in sample.regions] for sample in samples] == [["10", "40", "30"], ["40"], ["40"], ["40"]]
    assert list(dataset) == samples


@pytest.mark.parametrize(
    "record, reason",
    [
        (
            thing(9, "cat", (50, 0, 5, 5)),
            "objects.json: object 9 of image 1: the box is outside the image of 40 x 30 pixels",
        ),
        (thing(9, "cat", (1, 0, 0, 5)), "x, y, w, h must be numbers with a positive area, got [1, 0, 0, 5]"),
        (thing(9, "cat", (1, 0, None, 5)), "x, y, w, h must be numbers with a positive area, got [1, 0, None, 5]"),
        (thing(9, "cat", (1, 0, 10**400, 5)), "x, y, w, h must be numbers with a positive area"),
        (thing(9, "cat", (1, 0, 5, 5), names=[]), "object 9 of image 1: missing name"),
        ({"x": 1}, "objects.json: object 1 of image 1: must be an object with an 'object_id'"),
        (None, "objects.json: object 1 of image 1: must be an object with an 'object_id'"),
    ],
)
def test_an_invalid_object_is_refused(folder, record, reason):
    named = [record] if record else []
    genome(folder, {1: [record, DOG]}, {1: [region(1, "a cat runs", named), region(2, "a dog runs", [DOG])]})
    samples, dataset = read(folder)
    assert [sample.id for sample in samples] == ["vg-1-2"]
    assert reason in str(dataset.refusals[0])
    assert dataset.refusals[-1].where == "region 1 of image 1"
    assert dataset.refusals[-1].reason in (
        "the phrase names no object of its graph with a box",
        "the region graph has no object",
    )


def test_a_box_beyond_the_image_is_clipped(folder):
    genome(folder, {1: [thing(9, "cat", (-3, -2, 90, 90))]}, {1: [region(1, "a cat", [thing(9, "cat", (0, 0, 1, 1))])]})
    assert read(folder)[0][0].regions[0].box == Box(0, 0, 40, 30)


@pytest.mark.parametrize(
    "broken, where, reason",
    [
        ({"regions": []}, "record 1", "missing key 'image_id'"),
        ({"image_id": None, "regions": []}, "record 1", "missing key 'image_id'"),
        ([], "record 1", "missing key 'image_id'"),
        (7, "record 1", "missing key 'image_id'"),
        ({"image_id": 5}, "record 1", "'regions' must be a list"),
        ({"image_id": 5, "regions": [3]}, "region number 1 of image 5", "missing key 'region_id'"),
        ({"image_id": 5, "regions": [{"region_id": 3}]}, "region 3 of image 5", "'phrase' must be a string"),
        (
            {"image_id": 5, "regions": [{"region_id": 3, "phrase": "a dog", "objects": "dog"}]},
            "region 3 of image 5",
            "the region graph has no object",
        ),
    ],
)
def test_an_invalid_record_is_refused(folder, broken, where, reason):
    listed = [broken, {"image_id": 2, "regions": [region(201, "a dog", [DOG])]}]
    (folder / "region_graphs.json").write_text(json.dumps(listed), encoding="utf-8")
    photo(folder / "VG_100K" / "5.jpg")
    samples, dataset = read(folder)
    assert [sample.id for sample in samples] == ["vg-2-201"]
    assert (dataset.refusals[-1].where, dataset.refusals[-1].reason) == (where, reason)


def test_duplicate_images_and_descriptions_are_refused(folder):
    described = [region(201, "a dog", [DOG]), region(201, "a cat", [DOG])]
    listed = [{"image_id": 2, "regions": described}] * 2
    (folder / "region_graphs.json").write_text(json.dumps(listed), encoding="utf-8")
    samples, dataset = read(folder)
    assert [sample.caption for sample in samples] == ["a dog"]
    assert [str(one) for one in dataset.refusals] == [
        "region_graphs.json: region 201 of image 2: duplicate id; the first record is kept",
        "region_graphs.json: record 2: duplicate image 2; the first record is kept",
    ]


@pytest.mark.parametrize("name, key", [("objects.json", "objects"), ("relationships.json", "relationships")])
def test_records_without_image_are_refused_once(folder, name, key):
    listed = json.loads((folder / name).read_text(encoding="utf-8"))
    (folder / name).write_text(json.dumps([{key: []}, listed[0], *listed]), encoding="utf-8")
    samples, dataset = read(folder)
    again = list(dataset)
    assert samples == again == read(folder)[0]
    assert [str(one) for one in dataset.refusals if one.where.startswith("record")] == [
        f"{name}: record 1: missing key 'image_id'",
        f"{name}: record 3: duplicate image {listed[0]['image_id']}; the first record is kept",
    ]


def test_photos_are_found_in_both_folders(folder):
    """A missing photo is one refusal that states the number of descriptions."""
    (folder / "VG_100K" / "1.jpg").unlink()
    photo(folder / "VG_100K_2" / "1.jpg")
    assert len(read(folder)[0]) == 5
    (folder / "VG_100K_2" / "1.jpg").unlink()
    samples, dataset = read(folder)
    assert [sample.image_id for sample in samples] == ["2"]
    assert [str(one) for one in dataset.refusals] == ["1.jpg: image 1, 7 descriptions: the file does not exist"]


@pytest.mark.parametrize("sizes", [None, {1: (40, 30)}])
def test_features_replace_boxes_and_photos(folder, sizes):
    genome(folder, {1: [MAN, SHIRT, TREE]}, {1: REGIONS}, {1: RELATIONSHIPS}, sizes=sizes)
    (folder / "VG_100K" / "1.jpg").unlink()
    features(folder / "obj.tsv", {"1": ((40, 30), [(2, 3, 10, 23), (30, 0, 40, 30), (3, 8, 9, 15)])})
    dataset = datasets.open(f"visual-genome:{folder},features=obj.tsv")
    samples = list(dataset)
    assert [sample.id for sample in samples] == ["vg-1-101", "vg-1-102", "vg-1-107"]
    assert phrases_of(samples[0]) == {"man": ("people", ("r0",)), "shirt": ("clothing", ("r2",))}
    assert samples[0].relations == (Relation("r0", "wearing", "r2"),)
    assert samples[0].world.hint(samples[0], samples[0].slots[0]) == "the guy by the tree trunk"
    assert np.array_equal(samples[0].region("r1").features, np.full(5, 2, np.float32))
    assert (samples[0].image.width, samples[0].image.height) == (40, 30)
    with pytest.raises(RefusedSample, match="pixels were requested, but the photo is missing"):
        samples[0].image.pixels()
    assert "region 103 of image 1: no detector box matches any object that the phrase names" in str(
        dataset.refusals[-1]
    )
    assert "3 of 6 annotated boxes matched with detector boxes (median IoU 1.00)" in dataset.describe()


def test_an_image_without_features_is_refused(folder):
    features(folder / "obj.tsv", {"1": ((40, 30), [(2, 3, 10, 23)])})
    dataset = VisualGenome(folder, features="obj.tsv")
    assert {sample.image_id for sample in dataset} == {"1"}
    assert dataset.refusals[-1].reason == "obj.tsv has no region features of this image"
    (folder / "VG_100K" / "2.jpg").unlink()
    dataset = VisualGenome(folder, features="obj.tsv")
    assert {sample.image_id for sample in dataset} == {"1"}
    assert dataset.refusals[-1].reason == (
        "the file does not exist, and neither image_data.json nor the features state its size"
    )


def test_a_wrong_folder_is_an_error(folder, tmp_path):
    with pytest.raises(DataError, match="the folder does not exist"):
        datasets.open(f"visual-genome:{folder / 'nowhere'}")
    for name in ("1", "2"):
        (folder / "VG_100K" / f"{name}.jpg").unlink()
    with pytest.raises(DataError, match=r"no photo was found; looked in VG_100K, VG_100K_2, .*features=FILE"):
        VisualGenome(folder)
    (folder / "objects.json").unlink()
    with pytest.raises(DataError, match=r"looked for objects\.json and region_graphs\.json .* found no objects\.json;"):
        VisualGenome(folder)


@pytest.mark.parametrize(
    "rest, message",
    [
        ("", r"requires the folder with objects\.json and region_graphs\.json, got none"),
        ("X,feature=a", "unknown option 'feature': did you mean features?"),
    ],
)
def test_invalid_options_are_errors(rest, message):
    with pytest.raises(UsageError, match=message):
        datasets.open(f"visual-genome:{rest}")


@pytest.mark.parametrize("name", ["objects.json", "region_graphs.json", "relationships.json"])
def test_an_invalid_list_is_an_error_when_opened(folder, name):
    (folder / name).write_text('{"1": []}', encoding="utf-8")
    with pytest.raises(DataError, match=rf"{name}: byte 0: must contain a JSON list of images"):
        VisualGenome(folder)


@pytest.mark.parametrize(
    "spellings, one",
    [
        (("WEARING", "wears", "wear", "is wearing", " wearing a "), "wearing"),
        (("ON", "on", "is on the", "are  on"), "on"),
        (("on top of", "On Top Of"), "on top of"),
        (("has", "have", "has a", "having"), "has"),
        (("rests on",), "resting on"),
        (("parked on", "are parked on"), "parked on"),
        (("is",), "is"),
    ],
)
def test_predicates_are_normalized(spellings, one):
    """Prepositions such as "on" and "on top of" remain distinct."""
    assert {normalize_predicate(spelling) for spelling in spellings} == {one}


@pytest.mark.skipif(not REAL.is_dir(), reason="the real records are not available")
def test_real_records_are_read(tmp_path):
    """Every description is a sample or refused; most have no graph. Four relations join an object with itself."""
    for number in range(1, 7):
        photo(tmp_path / f"{number}.jpg", (800, 600))
    dataset = datasets.open(f"visual-genome:{REAL},images={tmp_path}")
    samples = list(dataset)
    graphs = json.loads((REAL / "region_graphs.json").read_text(encoding="utf-8"))
    reasons = Counter(one.reason for one in dataset.refusals)
    assert reasons.pop("subject and object must differ") == 4
    assert len(samples) + sum(reasons.values()) == sum(len(image["regions"]) for image in graphs) == 1545
    assert len(samples) == 340
    assert {sample.image_id for sample in samples} == {str(number) for number in range(1, 7)}
    predicates = Counter(
        one.predicate for image in {s.image_id: s for s in samples}.values() for one in image.relations
    )
    assert sum(predicates.values()) == 166
    assert predicates["on"] == 52
    assert predicates["wearing"] == 11
    assert not any(predicate != predicate.lower().strip() for predicate in predicates)
    for sample in samples:
        assert all(sample.text(phrase) for phrase in sample.phrases)
        assert all(one.box.inside(800, 600) for one in sample.regions)
