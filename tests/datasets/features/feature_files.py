"""Feature files of a few synthetic regions, written byte by byte as the programs named in the readers write them."""

import base64
import io
import json
import pickle
from dataclasses import dataclass

import h5py
import lmdb
import msgpack
import numpy as np


@dataclass
class Detections:
    """Detections of one image."""

    image_id: str
    width: int
    height: int
    boxes: np.ndarray
    features: np.ndarray
    classes: np.ndarray

    @property
    def labels(self):
        return self.classes[:, 1:].argmax(1)

    @property
    def confidence(self):
        return self.classes[:, 1:].max(1)


def detections(image_id="COCO_train2014_000000000009", *, width=64, height=48, count=3, dim=5, classes=7, seed=0):
    drawn = np.random.default_rng(seed)
    corners = drawn.uniform(0, 0.5, (count, 2))
    boxes = np.concatenate([corners, corners + drawn.uniform(0.2, 0.5, (count, 2))], 1)
    boxes *= [width, height, width, height]
    logits = drawn.normal(size=(count, classes))
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    features = drawn.normal(size=(count, dim)).clip(0)
    return Detections(image_id, width, height, *(array.astype(np.float32) for array in (boxes, features, shares)))


def text(array):
    return base64.b64encode(np.ascontiguousarray(array)).decode()


def fields(found):
    """Return the thirteen fields of VOLTA's TSV by name."""
    count = len(found.boxes)
    return {
        "img_id": found.image_id,
        "img_h": str(found.height),
        "img_w": str(found.width),
        "objects_id": text(found.labels.astype(np.int64)),
        "objects_conf": text(found.confidence),
        "attrs_id": text(np.arange(count, dtype=np.int64)),
        "attrs_conf": text(np.full(count, 0.25, np.float32)),
        "num_boxes": str(count),
        "boxes": text(found.boxes),
        "features": text(found.features),
        "cls_prob": text(found.classes),
        "attrs": text(np.zeros((count, 2), np.float32)),
        "classes": text(found.classes),
    }


def line(found, count=10, **changed):
    record = {**fields(found), **changed}
    names = ("img_id", "img_w", "img_h", "num_boxes", "boxes", "features") if count == 6 else tuple(record)[:count]
    return ("\t".join(record[name] for name in names) + "\r\n").encode()


def write_tsv(path, lines):
    path.write_bytes(b"".join(lines))
    return path


def write_hdf5(path, listed, **changed):
    with h5py.File(path, "w") as file:
        for found in listed:
            group = file.create_group(found.image_id)
            for name, value in {**arrays(found), **changed}.items():
                if value is not None:
                    group[name] = value
    return path


def arrays(found):
    """Return the arrays of one image under the names of VOLTA's HDF5 file."""
    return {
        "features": found.features,
        "obj_id": found.labels.astype(np.int64),
        "obj_conf": found.confidence,
        "attr_id": np.arange(len(found.boxes)),
        "attr_conf": np.full(len(found.boxes), 0.25, np.float32),
        "boxes": found.boxes,
        "img_w": found.width,
        "img_h": found.height,
    }


def write_lmdb(path, records):
    path.mkdir(parents=True, exist_ok=True)
    with lmdb.open(str(path), map_size=1 << 24) as environment, environment.begin(write=True) as transaction:
        for key, value in records.items():
            transaction.put(key.encode(), value)
    return path


def write_volta(path, listed, record=fields, protocol=4, **changed):
    records = {found.image_id: pickle.dumps({**record(found), **changed}, protocol) for found in listed}
    return write_lmdb(path, {**records, "keys": pickle.dumps([name.encode() for name in records], protocol)})


def packed_array(array, kind=b""):
    """Return an array as msgpack-numpy packs it (0.4.4 and newer)."""
    return {b"nd": True, b"type": array.dtype.str, b"kind": kind, b"shape": array.shape, b"data": array.tobytes()}


def shares(found):
    """Return the arrays of one image as UNITER stores them: half precision, boxes as shares of the image."""
    boxes = found.boxes / [found.width, found.height, found.width, found.height]
    norm = np.concatenate([boxes, boxes[:, 2:] - boxes[:, :2]], 1)
    held = {"features": found.features, "norm_bb": norm, "conf": found.confidence, "soft_labels": found.classes}
    return {name: array.astype(np.float16) for name, array in held.items()}


def as_msgpack(held):
    return msgpack.packb({name: packed_array(array) for name, array in held.items()}, use_bin_type=True)


def as_npz(held):
    with io.BytesIO() as file:
        np.savez_compressed(file, **held)
        return file.getvalue()


def write_uniter(path, listed, pack=as_msgpack, **changed):
    records = {f"{found.image_id}.npz": pack({**shares(found), **changed}) for found in listed}
    return write_lmdb(path, {**records, "__keys__": json.dumps(list(records)).encode()})
