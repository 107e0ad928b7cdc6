"""Matching of annotated boxes with detector boxes, and relinking of phrases, slots and relations."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlaudit.datasets.features.base import RegionFeatures
from vlaudit.datasets.features.matching import (
    MatchCounts,
    match_boxes,
    name_mismatch,
    overlaps,
    read_names,
    with_features,
)
from vlaudit.errors import DataError, RefusedSample
from vlaudit.samples import Box, Image, Phrase, Region, Relation, Sample, Slot

VOCABULARY = Path(__file__).parents[4] / "shared" / "data" / "vocab"
SIDE = st.integers(0, 50)
BOXES = st.builds(lambda x, y, w, h: Box(x, y, x + w, y + h), SIDE, SIDE, st.integers(1, 50), st.integers(1, 50))


def found(*boxes, width=100, height=100, labels=None):
    count = len(boxes)
    features = np.arange(count * 3, dtype=np.float32).reshape(count, 3)
    classes = np.full((count, 4), 0.25, np.float32)
    return RegionFeatures(
        "i",
        width,
        height,
        np.array(boxes, np.float32).reshape(-1, 4),
        features,
        classes=classes,
        labels=np.array(range(count) if labels is None else labels, np.int64),
        confidence=np.full(count, 0.5, np.float32),
    )


DETECTED = found((0, 0, 20, 20), (50, 50, 90, 90), (0, 0, 100, 100), labels=[1, 0, 2])
SAMPLE = Sample(
    "s",
    "i",
    Image.from_array(np.zeros((100, 100, 3), np.uint8)),
    "a red dog on two beds",
    regions=(
        Region("dog", Box(1, 0, 20, 20), "dog", ("red",)),
        Region("nose", Box(0, 0, 18, 20), "nose", ("wet", "red")),
        Region("bed", Box(50, 50, 90, 95), "bed"),
        Region("far", Box(95, 0, 100, 5), "bed"),
    ),
    phrases=(Phrase("p", 0, 9, "animals", ("dog", "nose")), Phrase("q", 13, 21, "other", ("far", "bed"))),
    slots=(Slot(6, 9, "object", ("dog",)), Slot(17, 21, "object", ("far",))),
    relations=(Relation("dog", "on", "bed"), Relation("dog", "on", "far")),
)


@settings(max_examples=60)
@given(st.lists(BOXES, min_size=1, max_size=4), st.lists(BOXES, min_size=1, max_size=4))
def test_overlaps_are_those_of_single_boxes(annotated, detected):
    table = overlaps(np.array(annotated, np.float64), np.array(detected, np.float64))
    for row, one in zip(table, annotated, strict=True):
        assert row == pytest.approx([one.iou(other) for other in detected])


@settings(max_examples=60)
@given(st.lists(BOXES, min_size=1, max_size=5), st.lists(BOXES, min_size=1, max_size=5), st.floats(0.05, 1))
def test_each_box_matches_the_box_of_highest_iou_or_none(annotated, detected, min_iou):
    named = [(str(index), box) for index, box in enumerate(annotated)]
    matched = match_boxes(named, found(*detected), min_iou)
    assert set(matched.region_of) | set(matched.refused) == set(matched.iou) == {name for name, _ in named}
    assert not set(matched.region_of) & set(matched.refused)
    for name, box in named:
        best = max(box.iou(other) for other in detected)
        assert matched.iou[name] == pytest.approx(best)
        if name in matched.region_of:
            assert box.iou(detected[matched.region_of[name]]) == pytest.approx(best)


@settings(max_examples=30)
@given(st.lists(BOXES, min_size=1, max_size=5, unique=True))
def test_a_box_matches_itself(boxes):
    matched = match_boxes([(str(index), box) for index, box in enumerate(boxes)], found(*boxes))
    assert matched.region_of == {str(index): index for index in range(len(boxes))}
    assert set(matched.iou.values()) == {1.0}


def test_the_minimum_iou_is_one_half():
    matched = match_boxes([("half", Box(0, 0, 10, 10)), ("less", Box(0, 0, 10, 9.9))], found((0, 0, 10, 20)))
    assert matched.region_of == {"half": 0}
    assert matched.refused == ("less",)
    assert matched.iou["less"] == pytest.approx(0.495)


def test_an_image_without_annotated_boxes_matches_nothing():
    matched = match_boxes([], DETECTED)
    assert (matched.region_of, matched.iou, matched.refused) == ({}, {}, ())


def test_a_sample_gets_the_detectors_regions_and_its_links_follow():
    counts = MatchCounts()
    sample = with_features(SAMPLE, DETECTED, names=("bed", "dog", "cat"), counts=counts)
    assert [region.id for region in sample.regions] == ["r0", "r1", "r2"]
    assert [region.label for region in sample.regions] == ["dog", "bed", "cat"]
    assert sample.regions[1].box == Box(50, 50, 90, 90)
    assert sample.regions[1].features.tolist() == [3, 4, 5]
    assert sample.regions[1].classes.tolist() == [0.25] * 4
    assert sample.regions[1].confidence == 0.5
    assert sample.regions[0].attributes == ("red", "wet"), "attributes of both matched boxes"
    assert [phrase.region_ids for phrase in sample.phrases] == [("r0",), ("r1",)]
    assert [slot.region_ids for slot in sample.slots] == [("r0",), ()]
    assert sample.relations == (Relation("r0", "on", "r1"),)
    assert (counts.matched, counts.refused) == (3, 1)
    assert counts.median_iou == pytest.approx(0.9)
    assert counts.describe() == (
        "3 of 4 annotated boxes matched with detector boxes (median IoU 0.90), 1 refused below IoU 0.5"
    )


def test_without_class_names_a_region_has_the_label_of_the_matched_box():
    assert [region.label for region in with_features(SAMPLE, DETECTED).regions] == ["dog", "bed", ""]
    unlabelled = replace(DETECTED, labels=None, classes=None, confidence=None)
    sample = with_features(SAMPLE, unlabelled)
    assert [region.label for region in sample.regions] == ["dog", "bed", ""]
    assert sample.regions[0].classes is None
    assert sample.regions[0].confidence is None


def test_a_box_is_counted_once_per_image():
    counts = MatchCounts()
    for _ in range(3):
        with_features(SAMPLE, DETECTED, counts=counts)
    assert (counts.matched, counts.refused) == (3, 1)
    with_features(replace(SAMPLE, image_id="j"), DETECTED, counts=counts)
    assert (counts.matched, counts.refused) == (6, 2)


def test_the_minimum_iou_of_the_counts_applies():
    counts = MatchCounts(min_iou=0.92)
    sample = with_features(SAMPLE, DETECTED, counts=counts)
    assert sample.phrases[1].region_ids == ()
    assert (counts.matched, counts.refused) == (1, 3)
    assert counts.describe().endswith("3 refused below IoU 0.92")


def test_counts_without_boxes_are_described():
    assert MatchCounts().describe() == "no annotated boxes to match with detector boxes"
    assert math.isnan(MatchCounts().median_iou)
    none = MatchCounts()
    with_features(SAMPLE, found((0, 99, 1, 100)), counts=none)
    assert none.describe() == "0 of 4 annotated boxes matched with detector boxes, 4 refused below IoU 0.5"


def test_fractional_boxes_are_matched_in_pixels():
    unit = replace(DETECTED, width=1, height=1, boxes=DETECTED.boxes / 100)
    assert [phrase.region_ids for phrase in with_features(SAMPLE, unit).phrases] == [("r0",), ("r1",)]
    with pytest.raises(RefusedSample, match="fractions of the image, and its size is unknown"):
        with_features(replace(SAMPLE, image=None), unit)


def test_features_of_an_image_of_another_size_are_refused():
    with pytest.raises(RefusedSample, match="for an image of 50 x 100 pixels, but the image has 100 x 100"):
        with_features(SAMPLE, replace(DETECTED, width=50))


def test_names_are_the_first_synonym_of_each_line_without_the_background(tmp_path):
    path = tmp_path / "objects_vocab.txt"
    path.write_bytes(b"__background__\r\nyolk\r\nstop sign,stopsign\r\n")
    assert read_names(path) == ("yolk", "stop sign")
    path.write_bytes(b"yolk\nstop sign,stopsign")
    assert read_names(path) == ("yolk", "stop sign")
    with pytest.raises(DataError, match="must be text with one class name per line"):
        read_names(tmp_path / "none.txt")


@pytest.mark.parametrize("held, line", [(b"", 1), (b"yolk\n\ngoggles\n", 2), (b"yolk\n,x\n", 2)])
def test_an_empty_line_is_an_error_because_it_would_shift_the_following_names(tmp_path, held, line):
    path = tmp_path / "objects_vocab.txt"
    path.write_bytes(held)
    with pytest.raises(DataError, match=f"line {line}: must contain a class name, got an empty line"):
        read_names(path)


def test_names_of_another_detector_are_refused():
    """The number of names is the number of classes without the background; without classes, no label may exceed it."""
    labels = np.array([0, 2, 1])
    labelled = replace(DETECTED, labels=np.resize(labels, len(DETECTED)), classes=None)
    assert name_mismatch(labelled, ("a", "b", "c")) == ""
    assert name_mismatch(labelled, ("a", "b")) == "got 2 names, but a region has the class 2"
    assert name_mismatch(replace(labelled, labels=None), ("a",)) == "the features contain no classes"
    shares = np.full((len(DETECTED), 4), 0.25, np.float32)
    assert name_mismatch(replace(labelled, classes=shares), ("a", "b", "c")) == ""
    assert "got 4 names for a detector with 3 classes" in name_mismatch(
        replace(labelled, classes=shares), tuple("abcd")
    )
    with pytest.raises(RefusedSample, match="got 2 names"):
        with_features(SAMPLE, labelled, names=("a", "b"))


def test_both_real_vocabularies_name_the_same_classes():
    if not VOCABULARY.is_dir():
        pytest.skip("the real vocabularies are not available (../shared/data/vocab)")
    names = read_names(VOCABULARY / "objects_vocab.txt")
    assert len(names) == 1600
    assert names[0] == "yolk"
    assert names == read_names(VOCABULARY / "objects_vocab_with_background.txt")
