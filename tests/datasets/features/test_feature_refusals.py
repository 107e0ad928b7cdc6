"""A file of another kind is an error; a broken record is refused with location and reason, and the others are read."""

import json
import pickle

import h5py
import msgpack
import numpy as np
import pytest
from feature_files import (
    as_msgpack,
    as_npz,
    detections,
    fields,
    line,
    packed_array,
    shares,
    text,
    write_hdf5,
    write_lmdb,
    write_tsv,
    write_uniter,
    write_volta,
)

from vlaudit.datasets.features import open_features
from vlaudit.datasets.features import records as records_module
from vlaudit.errors import DataError, RefusedSample

GOOD = detections("good", seed=1)
BAD = detections("bad", seed=2)


def changed(name, index, value):
    """Return the base64 of an array of BAD with one place changed."""
    array = getattr(BAD, name).copy()
    array[index] = value
    return text(array)


RECORDS = {
    "truncated base64": ({"features": fields(BAD)["features"][:-3]}, "features is not base64, or truncated"),
    "cut at four characters": ({"features": fields(BAD)["features"][:-8]}, "features"),
    "characters that are none": ({"boxes": "?" + fields(BAD)["boxes"][1:]}, "boxes is not base64"),
    "half a number": ({"features": text(np.zeros(7, np.uint8))}, "features must have a multiple of 4 bytes, got 7"),
    "rows missing": ({"features": text(np.zeros(16, np.float32))}, "features must have one row per region (3 regions)"),
    "another number of boxes": ({"num_boxes": "4"}, "num_boxes must equal the number of boxes, got 4 for 3"),
    "no regions": ({"num_boxes": "0", "boxes": "", "features": ""}, "the record has no regions"),
    "no features": ({"features": ""}, "the record has no features"),
    "height in words": ({"img_h": "tall"}, "img_h must be an integer, got tall"),
    "no width": ({"img_w": "0"}, "img_w must be between 1 and 1000000, got 0"),
    "not a number": (
        {"features": changed("features", (1, 2), np.nan)},
        "features must be finite, got 1 NaN or infinite numbers",
    ),
    "infinite": (
        {"features": changed("features", (0, 0), np.inf)},
        "features must be finite, got 1 NaN or infinite numbers",
    ),
    "infinite box": (
        {"boxes": changed("boxes", (2, 0), -np.inf)},
        "boxes must be finite, got 1 NaN or infinite numbers",
    ),
    "outside to the right": ({"boxes": changed("boxes", (2, 2), 65.5)}, "box 2 of 3 is outside the image of 64 x 48"),
    "outside at the top": ({"boxes": changed("boxes", (0, 1), -1.5)}, "box 0 of 3 is outside the image of 64 x 48"),
    "inside out": ({"boxes": text(BAD.boxes[:, [2, 3, 0, 1]])}, "box 0 of 3 must have x1 < x2"),
    "too few labels": (
        {"objects_id": text(np.zeros(2, np.int64))},
        "objects_id must have one number per region (3 regions)",
    ),
    "labels of four bytes": ({"objects_id": text(np.zeros(3, np.int32))}, "objects_id"),
    "a negative label": ({"objects_id": text(np.array([0, -1, 2]))}, "objects_id must not be negative, got -1"),
    "no probabilities": ({"cls_prob": text(BAD.classes * 3)}, "cls_prob must contain probabilities"),
    "another width": (
        {"features": text(np.zeros((3, 4), np.float32))},
        "must have 5 numbers per region as in the first record, got 4",
    ),
}
EACH = pytest.mark.parametrize("wrong, reason", RECORDS.values(), ids=RECORDS)


@EACH
def test_a_broken_line_is_refused_with_its_number_and_the_others_are_read(tmp_path, wrong, reason):
    last = detections("last", seed=3)
    features = open_features(write_tsv(tmp_path / "a.tsv", [line(GOOD, 13), line(BAD, 13, **wrong), line(last, 13)]))
    assert [found.image_id for found in features] == ["good", "last"]
    (refusal,) = features.refusals
    assert (refusal.file, refusal.where) == ("a.tsv", "line 2 (bad)")
    assert reason in refusal.reason
    with pytest.raises(RefusedSample, match=r"bad: a\.tsv: line 2 \(bad\)"):
        features.get("bad")
    assert len(features.refusals) == 1


@EACH
def test_a_broken_pickled_record_is_refused_with_its_key(tmp_path, wrong, reason):
    values = {"good": pickle.dumps(fields(GOOD)), "bad": pickle.dumps({**fields(BAD), **wrong})}
    path = write_lmdb(tmp_path / "a.lmdb", {**values, "keys": pickle.dumps([b"good", b"bad"])})
    features = open_features(path)
    assert [found.image_id for found in features] == ["good"]
    (refusal,) = features.refusals
    assert refusal.where == "key bad"
    assert reason in refusal.reason


def test_a_line_with_fields_missing_is_refused(tmp_path):
    cut = line(BAD).rsplit(b"\t", 1)[0] + b"\r\n"
    features = open_features(write_tsv(tmp_path / "a.tsv", [line(GOOD), cut, b"\r\n", b"\tx\r\n"]))
    assert len(list(features)) == 1
    assert sorted(map(str, features.refusals)) == [
        "a.tsv: line 2 (bad): the line must have 10 fields as the first line, got 9",
        "a.tsv: line 4: missing image id",
    ]


def test_a_duplicate_image_keeps_its_first_record(tmp_path):
    again = detections("good", seed=9)
    features = open_features(write_tsv(tmp_path / "a.tsv", [line(GOOD), line(again), line(BAD)]))
    assert len(features) == 2
    np.testing.assert_array_equal(features.get("good").features, GOOD.features)
    assert [str(refusal) for refusal in features.refusals] == [
        "a.tsv: line 2 (good): duplicate image good; the first record is kept"
    ]


HDF5 = {
    "text": ({"features": "many"}, "features must hold numbers"),
    "rows missing": ({"features": np.zeros((2, 5), np.float32)}, "features must have one row per region (3 regions)"),
    "three corners": ({"boxes": np.zeros((3, 3), np.float32)}, "boxes must have four numbers per box"),
    "no boxes": ({"boxes": None}, "the record has no regions"),
    "no size": ({"img_h": None}, "img_h must be an integer, got nothing"),
    "labels that are no numbers": ({"obj_id": np.array([0.5, 1, 2])}, "objects_id must have type int64"),
    "beyond float32": ({"features": np.full((3, 5), 1e300)}, "features must be finite, got 15 NaN or infinite numbers"),
}


@pytest.mark.parametrize("wrong, reason", HDF5.values(), ids=HDF5)
def test_a_broken_group_is_refused_with_its_name(tmp_path, wrong, reason):
    path = write_hdf5(tmp_path / "a.h5", [BAD], **wrong)
    with h5py.File(path, "a") as file:
        file["afile"] = np.zeros(3)
    write_more = write_hdf5(tmp_path / "good.h5", [GOOD])
    with h5py.File(path, "a") as file, h5py.File(write_more) as good:
        good.copy("good", file)
    features = open_features(path)
    assert [found.image_id for found in features] == ["good"]
    assert [refusal.where for refusal in features.refusals] == ["group afile", "group bad"]
    assert reason in features.refusals[1].reason


UNITER = {
    "objects in a pickle": (
        lambda held: msgpack.packb(
            {"features": {**packed_array(held["features"]), b"kind": b"O", b"type": "|O"}}, use_bin_type=True
        ),
        "arrays must be numeric, got type '|O'",
    ),
    "a kind of record": (
        lambda held: msgpack.packb({"features": {**packed_array(held["features"]), b"kind": b"V"}}, use_bin_type=True),
        "objects or records",
    ),
    "a short array": (
        lambda held: msgpack.packb({"features": {**packed_array(held["features"]), b"data": b"12"}}, use_bin_type=True),
        "bytes of an array must match its shape",
    ),
    "cut short": (lambda held: as_msgpack(held)[:-4], "not msgpack, or truncated"),
    "cut short, compressed": (lambda held: as_npz(held)[:-40], "cannot be read"),
    "objects, compressed": (lambda held: as_npz({**held, "features": np.array([{}, {}])}), "cannot be read"),
    "a list": (lambda held: msgpack.packb([1, 2]), "the record must be a map of arrays, got list"),
    "no boxes": (lambda held: as_msgpack({"features": held["features"]}), "missing field norm_bb"),
    "no features": (lambda held: as_msgpack({"norm_bb": held["norm_bb"]}), "missing field features"),
    "four corners": (
        lambda held: as_msgpack({**held, "norm_bb": held["norm_bb"][:, :4]}),
        "norm_bb must have shape",
    ),
    "boxes in pixels": (lambda held: as_msgpack({**held, "norm_bb": held["norm_bb"] * 50}), "is outside the image"),
    "a number": (lambda held: msgpack.packb(dict.fromkeys(held, 1)), "features must be an array, got int"),
}


@pytest.mark.parametrize("pack, reason", UNITER.values(), ids=UNITER)
def test_a_broken_packed_record_is_refused_with_its_key(tmp_path, pack, reason):
    values = {"good.npz": as_msgpack(shares(GOOD)), "bad.npz": pack(shares(BAD))}
    path = write_lmdb(tmp_path / "feat", {**values, "__keys__": json.dumps(list(values)).encode()})
    features = open_features(path)
    assert [found.image_id for found in features] == ["good.npz"]
    (refusal,) = features.refusals
    assert refusal.where == "key bad.npz"
    assert reason in refusal.reason


def test_a_record_that_claims_too_much_memory_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("vlaudit.datasets.features.packed.MAX_BYTES", 1000)
    monkeypatch.setattr("vlaudit.datasets.features.hdf5.MAX_BYTES", 1000)
    large = detections("large", count=30, dim=40, seed=4)
    packed = {"good.npz": as_npz(shares(GOOD)), "large.npz": as_npz(shares(large))}
    path = write_lmdb(tmp_path / "feat", {**packed, "__keys__": json.dumps(list(packed)).encode()})
    for features in (open_features(path), open_features(write_hdf5(tmp_path / "a.h5", [GOOD, large]))):
        assert len(list(features)) == 1
        assert "must have at most 1000 bytes" in features.refusals[0].reason
    assert records_module.MAX_BYTES == 1 << 28


def test_a_line_without_end_is_not_read(tmp_path, monkeypatch):
    """A later record is refused; without the first line the number of fields is unknown, so the file is an error."""
    good, long = line(detections("1")), line(detections("2", count=90))
    monkeypatch.setattr("vlaudit.datasets.features.tsv.MAX_BYTES", len(good) + 9)
    features = open_features(write_tsv(tmp_path / "f.tsv", [good, long, line(detections("3"))]))
    assert [found.image_id for found in features] == ["1", "3"]
    assert features.refusals[0].where == "line 2 (2)"
    assert "the line must have at most" in features.refusals[0].reason
    with pytest.raises(DataError, match="lines must have at most"):
        open_features(write_tsv(tmp_path / "g.tsv", [long, good]))


def test_a_key_without_a_record_is_refused(tmp_path):
    keys = pickle.dumps([b"gone", b"good", b"x" * 900, b""])
    features = open_features(write_lmdb(tmp_path / "a", {"keys": keys, "good": pickle.dumps(fields(GOOD))}))
    assert [found.image_id for found in features] == ["good"]
    assert features.refusals[0].reason == "listed in the keys, but the record does not exist"
    assert len(features.refusals) == 3


def _flat(path):
    with h5py.File(path, "w") as file:
        file["features"], file["image_id"] = np.zeros((2, 3, 5)), np.arange(2)
    return path


def _torn(path):
    whole = write_volta(path / "a", [GOOD]) / "data.mdb"
    return write_tsv(path / "torn.mdb", [whole.read_bytes()[:24]])


FILES = {
    "nothing": (lambda path: path / "gone.tsv", "cannot be read: No such file"),
    "an empty file": (lambda path: write_tsv(path / "a.tsv", []), "the file is empty"),
    "text": (lambda path: write_tsv(path / "a.tsv", [b"hello\n"]), "must be HDF5, LMDB or text with tabs"),
    "another table": (
        lambda path: write_tsv(path / "a.tsv", [b"a\tb\tc\n"]),
        "must have 6 .*10 .*13 .*got 3 in the first line",
    ),
    "only broken lines": (
        lambda path: write_tsv(path / "a.tsv", [line(GOOD, boxes="x"), line(BAD, boxes="x")]),
        r"all 2 are invalid; the first: a.tsv: line 1 \(good\): boxes",
    ),
    "HDF5 without boxes": (lambda path: _flat(path / "a.h5"), "for all images without boxes"),
    "broken HDF5": (lambda path: write_tsv(path / "a.h5", [b"\x89HDF\r\n\x1a\n"]), "cannot be opened as HDF5"),
    "an empty HDF5": (lambda path: write_hdf5(path / "a.h5", []), "all 0 are invalid"),
    "an empty folder": (lambda path: path, "must be an LMDB folder"),
    "another LMDB": (lambda path: write_lmdb(path / "a", {"x": b"y"}), "must have a record `keys`"),
    "keys that run code": (
        lambda path: write_lmdb(path / "a", {"keys": b"cos\nsystem\n(S'true'\ntR."}),
        "`keys` is refused: only plain data are allowed, got a reference to os.system",
    ),
    "keys of numbers": (lambda path: write_lmdb(path / "a", {"keys": pickle.dumps([1])}), "list of image ids"),
    "keys that are no JSON": (lambda path: write_lmdb(path / "a", {"__keys__": b"\x80"}), "must be valid JSON"),
    "a map of keys": (lambda path: write_lmdb(path / "a", {"__keys__": b"{}"}), "must be a list of names"),
    "a broken LMDB": (_torn, "cannot be opened as LMDB"),
}


@pytest.mark.parametrize("write, message", FILES.values(), ids=FILES)
def test_an_invalid_file_is_an_error_when_opened(tmp_path, write, message):
    with pytest.raises(DataError, match=message):
        open_features(write(tmp_path))


def test_uniter_files_whose_names_are_no_text_are_refused(tmp_path):
    path = write_uniter(tmp_path / "a", [GOOD])
    assert open_features(path).get("good").features.shape == (3, 5)
    broken = write_lmdb(tmp_path / "b", {"__keys__": b'["\\ud800", "good.npz"]', "good.npz": as_msgpack(shares(GOOD))})
    features = open_features(broken)
    assert len(list(features)) == 1
    assert len(features.refusals) == 1
