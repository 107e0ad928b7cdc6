"""All formats of region features give the same regions, for any spelling of the image id."""

import base64
import sys
from pathlib import Path

import numpy as np
import pytest
from feature_files import (
    arrays,
    as_msgpack,
    as_npz,
    detections,
    fields,
    line,
    write_hdf5,
    write_lmdb,
    write_tsv,
    write_uniter,
    write_volta,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from vlaudit.datasets.features import FeatureFile, normalized_id, open_features, require_shared
from vlaudit.errors import DataError, RefusedSample, UsageError

REAL = Path(__file__).parents[4] / "shared" / "data" / "region_features_tsv" / "train2014_obj36.sample4.tsv"
LISTED = [
    detections("COCO_train2014_000000000009", seed=1),
    detections("COCO_train2014_000000000025", width=40, height=80, count=5, seed=2),
]
WRITERS = {
    "tsv of 6": lambda path, listed: write_tsv(path / "a.tsv", [line(found, 6) for found in listed]),
    "tsv of 10": lambda path, listed: write_tsv(path / "a.tsv", [line(found, 10) for found in listed]),
    "tsv of 13": lambda path, listed: write_tsv(path / "a.tsv", [line(found, 13) for found in listed]),
    "hdf5": lambda path, listed: write_hdf5(path / "a.h5", listed),
    "volta's lmdb": lambda path, listed: write_volta(path / "a.lmdb", listed),
    "volta's lmdb of arrays": lambda path, listed: write_volta(path / "a.lmdb", listed, record=arrays),
    "uniter's lmdb": lambda path, listed: write_uniter(path / "feat_th0.2_max100_min10", listed),
    "uniter's compressed lmdb": lambda path, listed: write_uniter(path / "feat_numbb36_compressed", listed, as_npz),
}
BOTH_SIDES = pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)


@BOTH_SIDES
def test_every_format_is_read_exactly(tmp_path, write):
    features = open_features(write(tmp_path, LISTED))
    half = 2e-3 if features.describe().startswith("UNITER") else 1e-7
    assert isinstance(features, FeatureFile)
    assert features.width == 5
    assert len(list(features)) == len(features) == 2
    for found in LISTED:
        read = features.get(found.image_id).scaled_to(found.width, found.height)
        assert (read.width, read.height) == (found.width, found.height)
        np.testing.assert_allclose(read.boxes, found.boxes, atol=max(found.width, found.height) * half)
        np.testing.assert_allclose(read.features, found.features, atol=2 * half)
        if read.labels is not None:
            np.testing.assert_array_equal(read.labels, found.labels)
            np.testing.assert_allclose(read.confidence, found.confidence, atol=half)
        if read.classes is not None:
            np.testing.assert_allclose(read.classes, found.classes, atol=half)
    assert not features.refusals


@BOTH_SIDES
def test_iteration_yields_the_records_of_get_in_file_order(tmp_path, write):
    features = open_features(write(tmp_path, LISTED))
    streamed = list(features)
    assert [found.image_id for found in streamed] == list(features.ids())
    for found in streamed:
        np.testing.assert_array_equal(found.features, features.get(found.image_id).features)
        assert not found.features.flags.writeable
        assert not found.boxes.flags.writeable


@BOTH_SIDES
def test_an_image_is_found_by_any_spelling_of_its_id(tmp_path, write):
    features = open_features(write(tmp_path, LISTED))
    for spelling in (
        "coco-9",
        "9",
        "000000000009.jpg",
        "val2014/COCO_val2014_000000000009.jpg",
        "coco_train2014_9.npz",
    ):
        assert spelling in features
        assert normalized_id(features.get(spelling).image_id) == "9"
    assert "coco-90" not in features
    with pytest.raises(RefusedSample, match=r"coco-90: .* has no region features of this image"):
        features.get("coco-90")


def test_missing_labels_and_confidences_are_taken_from_the_classes(tmp_path):
    """13 fields with empty ids and confidences: both are taken from the most probable class except the background."""
    found = detections(seed=3)
    path = write_tsv(tmp_path / "a.tsv", [line(found, 13, objects_id="", objects_conf="")])
    read = open_features(path).get(found.image_id)
    np.testing.assert_array_equal(read.labels, found.labels)
    np.testing.assert_allclose(read.confidence, found.confidence)


def test_width_precedes_height_in_six_fields_and_follows_it_in_ten(tmp_path):
    found = detections(width=100, height=30, seed=4)
    for count in (6, 10, 13):
        read = open_features(write_tsv(tmp_path / f"{count}.tsv", [line(found, count)])).get(found.image_id)
        assert (read.width, read.height) == (100, 30)


@settings(max_examples=30)
@given(
    st.tuples(st.integers(1, 6), st.integers(1, 9), st.integers(2, 9)), st.integers(0, 99), st.sampled_from([6, 10, 13])
)
def test_arrays_of_a_line_are_decoded_exactly(tmp_path_factory, sides, seed, layout):
    count, dim, classes = sides
    found = detections(count=count, dim=dim, classes=classes, seed=seed)
    path = write_tsv(tmp_path_factory.mktemp("law") / "a.tsv", [line(found, layout)])
    read = open_features(path).get(found.image_id)
    np.testing.assert_array_equal(read.features, found.features)
    np.testing.assert_array_equal(read.boxes, found.boxes)
    assert read.classes is None or np.array_equal(read.classes, found.classes)


@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
def test_both_kinds_of_line_ends_and_a_missing_last_one_are_accepted(tmp_path, ends):
    lines = [line(found).rstrip(b"\r\n") for found in LISTED]
    features = open_features(write_tsv(tmp_path / "a.tsv", [ends.join(lines)]))
    assert [found.image_id for found in features] == [found.image_id for found in LISTED]
    assert not features.refusals


def test_uniter_selects_confident_boxes_in_a_folder_of_all_boxes(tmp_path):
    """A folder `all` gives as many first rows as have a confidence above 0.2, at least 10 and at most 100."""
    found = detections(count=120, seed=5)
    for sure, kept in ((4, 10), (37, 37), (120, 100)):
        conf = np.where(np.arange(120) < sure, 0.5, 0.1).astype(np.float16)
        path = write_uniter(tmp_path / str(sure) / "all", [found], conf=conf)
        assert len(open_features(path).get(found.image_id)) == kept
    path = write_uniter(tmp_path / "cut" / "feat_numbb120", [found])
    assert len(open_features(path).get(found.image_id)) == 120


def test_an_lmdb_is_found_inside_a_folder(tmp_path):
    write_uniter(tmp_path / "img" / "feat_numbb36", LISTED)
    assert len(open_features(tmp_path / "img")) == 2
    write_uniter(tmp_path / "img" / "all", LISTED)
    with pytest.raises(DataError, match="contain exactly one, found: all, feat_numbb36"):
        open_features(tmp_path / "img")


def test_one_lmdb_can_be_opened_twice_and_as_a_file(tmp_path):
    path = write_volta(tmp_path / "a.lmdb", LISTED)
    first, second = open_features(path), open_features(path)
    assert [found.image_id for found in first] == [found.image_id for found in second]
    single = tmp_path / "single.mdb"
    single.write_bytes((path / "data.mdb").read_bytes())
    assert len(open_features(single)) == 2


def test_fractional_boxes_scale_to_any_image_and_pixel_boxes_to_their_own_size_only(tmp_path):
    unit = open_features(WRITERS["uniter's lmdb"](tmp_path, LISTED)).get("9")
    assert not unit.has_size
    assert unit.boxes.max() <= 1
    np.testing.assert_allclose(unit.scaled_to(640, 480).boxes, unit.boxes * [640, 480, 640, 480], rtol=1e-6)
    sized = open_features(WRITERS["hdf5"](tmp_path, LISTED)).get("9")
    assert sized.scaled_to(64, 48) is sized
    with pytest.raises(RefusedSample, match="for an image of 64 x 48 pixels, but the image has 48 x 64"):
        sized.scaled_to(48, 64)


def test_a_box_within_a_pixel_of_the_image_is_clipped(tmp_path):
    found = detections(seed=6)
    found.boxes[0] = [-0.9, -0.5, 64.9, 48.5]
    read = open_features(write_hdf5(tmp_path / "a.h5", [found])).get(found.image_id)
    assert read.boxes[0].tolist() == [0, 0, 64, 48]


def test_only_requested_records_are_read(tmp_path):
    """A file with one valid record opens and returns it; refusals count the records read so far."""
    broken = [line(detections(f"b{index}"), features="!") for index in range(5)]
    features = open_features(write_tsv(tmp_path / "a.tsv", [line(LISTED[0]), *broken]))
    assert len(features) == 6
    assert features.get("9").features.shape == (3, 5)
    assert not features.refusals
    next(iter(features))
    assert not features.refusals
    assert len(list(features)) == 1
    assert len(features.refusals) == 5
    list(features)
    assert len(features.refusals) == 5
    assert features.describe() == ("TSV region features, a.tsv: 1 images read, 5 numbers per region, 5 records refused")


def test_features_of_other_images_are_an_error_with_ids_of_both(tmp_path):
    features = open_features(write_tsv(tmp_path / "a.tsv", [line(found) for found in LISTED]))
    assert require_shared(features, ["coco-9", "coco-11"]) == 1
    with pytest.raises(DataError, match=r"none of these 2 images \(flickr-a, flickr-b, \.\.\.\).*COCO_train2014_0+9"):
        require_shared(features, ["flickr-a", "flickr-b"])


@pytest.mark.parametrize("package", ["h5py", "lmdb", "msgpack"])
def test_a_missing_package_is_an_error_with_the_install_command(tmp_path, monkeypatch, package):
    write = {"h5py": "hdf5", "lmdb": "volta's lmdb", "msgpack": "uniter's lmdb"}[package]
    path = WRITERS[write](tmp_path, LISTED)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=rf"requires the package {package}.*pip install 'vlaudit\[features\]'"):
        open_features(path)


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=30))
def test_normalizing_an_id_is_idempotent(image_id):
    assert normalized_id(normalized_id(image_id)) == normalized_id(image_id)


@given(st.integers(0, 10**12 - 1))
def test_numbered_ids_are_equal_for_all_prefixes_and_leading_zeros(number):
    spellings = (f"{number}", f"COCO_val2014_{number:012}.jpg", f"flickr30k_{number:012}.npz", f"coco-{number}")
    assert {normalized_id(spelling) for spelling in spellings} == {str(number)}


def test_a_packed_map_with_text_keys_is_read_as_older_versions_wrote_it(tmp_path):
    held = {"features": np.ones((1, 2), np.float16), "norm_bb": np.array([[0, 0, 1, 1, 1, 1]], np.float16)}
    packed = {
        name: {"nd": True, "type": array.dtype.str, "shape": array.shape, "data": array.tobytes()}
        for name, array in held.items()
    }
    msgpack = pytest.importorskip("msgpack")
    path = write_lmdb(tmp_path / "old", {"__keys__": b'["a.npz"]', "a.npz": msgpack.packb(packed)})
    assert open_features(path).get("a").features.tolist() == [[1.0, 1.0]]
    assert as_msgpack(held) != msgpack.packb(packed)


def test_a_real_file_is_read():
    if not REAL.is_file():
        pytest.skip("the real region features are not available (../shared/data/region_features_tsv)")
    features = open_features(REAL)
    sizes = {normalized_id(found.image_id): (found.height, found.width) for found in features}
    assert sizes == {"132417": (333, 500), "207647": (391, 408), "84002": (480, 640), "131486": (640, 407)}
    assert features.width == 2048
    assert not features.refusals
    for found in features:
        assert len(found) == 36
        assert found.features.min() == 0
        assert 0.25 < (found.features == 0).mean() < 0.45
        assert 0.1 < found.confidence.min() < found.confidence.max() <= 1
        assert 0 <= found.labels.min() <= found.labels.max() < 1600
    raw = REAL.read_bytes().split(b"\r\n")[2].split(b"\t")
    read = features.get("coco-84002")
    assert read.boxes.tobytes() == base64.b64decode(raw[8])
    assert read.features.tobytes() == base64.b64decode(raw[9])
    assert fields(LISTED[0]).keys() >= {"img_id", "features"}
