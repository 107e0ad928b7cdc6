"""Speed of reading region features, compared with decoding the arrays only: `python -m benchmarks.features`.

Files of random regions (36 boxes with 2048 features, and 1601 classes in some formats) are written to a temporary
folder. The reference reads the same arrays with the library that wrote them, without validation.
"""

from __future__ import annotations

import argparse
import base64
import json
import pickle
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import lmdb
import msgpack
import numpy as np
from jaxtyping import Shaped

from benchmarks.timing import duel, seconds
from vlaudit.datasets.features import open_features
from vlaudit.datasets.features.tsv import LAYOUTS

REGIONS, WIDTH, CLASSES, IMAGE_WIDTH, IMAGE_HEIGHT = 36, 2048, 1601, 640, 480
INTS = ("objects_id", "attrs_id")
Arrays = dict[str, Shaped[np.ndarray, "..."]]


class Case(NamedTuple):
    """One format: its file, its size in bytes, and a function that decodes all records without validation."""

    name: str
    path: Path
    size: int
    bare: Callable[[], None]


def main() -> None:
    """Print records and bytes per second for every format, and the ratio to the reference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"{options.records} records per file, {options.rounds} rounds, processor time; ratio: ours / reference")
    print(f"{'format':<28}{'records/s':>10}{'MB/s':>8}{'ref. MB/s':>11}{'ratio':>7}  lowest-highest")
    with tempfile.TemporaryDirectory() as folder:
        for write in (tsv, hdf5, volta, uniter, compressed):
            print(measured(write(Path(folder), options.records), options.records, options.rounds))
        print(indexed(Path(folder) / "ten.tsv"))


def measured(case: Case, count: int, rounds: int) -> str:
    """Time `open_features` and the reference on all records, and return a line of the table."""

    def ours() -> None:
        read = sum(len(found) for found in open_features(case.path))
        if read != count * REGIONS:
            raise SystemExit(f"{case.name}: {count * REGIONS} regions were written, got {read}")

    pairs = duel(ours, case.bare, rounds)
    mine, bare = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratios = [one / other for one, other in pairs]
    rates = f"{count / mine:>10.0f}{case.size / mine / 1e6:>8.0f}{case.size / bare / 1e6:>11.0f}"
    return f"{case.name:<28}{rates}{statistics.median(ratios):>7.2f}  {min(ratios):.2f}-{max(ratios):.2f}"


def indexed(path: Path) -> str:
    """Return the speed of indexing the lines of a TSV, which is required once for random access."""
    features = open_features(path)
    spent = seconds(lambda: len(features))
    return f"indexing the lines of the TSV: {path.stat().st_size / spent / 1e6:.0f} MB/s"


def drawn(count: int) -> Iterator[tuple[str, Arrays]]:
    """Yield image id and random arrays of `count` images."""
    random = np.random.default_rng(0)
    for index in range(count):
        corner = random.uniform(0, 0.5, (REGIONS, 2))
        shares = np.concatenate([corner, corner + random.uniform(0.1, 0.5, (REGIONS, 2))], 1)
        scores = np.exp(random.normal(size=(REGIONS, CLASSES)))
        probabilities = (scores / scores.sum(1, keepdims=True)).astype(np.float32)
        yield (
            f"COCO_val2014_{index:012}",
            {
                "objects_id": probabilities[:, 1:].argmax(1),
                "objects_conf": probabilities[:, 1:].max(1),
                "attrs_id": np.zeros(REGIONS, np.int64),
                "attrs_conf": np.zeros(REGIONS, np.float32),
                "boxes": (shares * [IMAGE_WIDTH, IMAGE_HEIGHT, IMAGE_WIDTH, IMAGE_HEIGHT]).astype(np.float32),
                "features": random.normal(size=(REGIONS, WIDTH)).clip(0).astype(np.float32),
                "cls_prob": probabilities,
            },
        )


def as_text(name: str, arrays: Arrays) -> dict[str, str]:
    """Return the thirteen fields of a line, the last two short because no reader uses them."""
    encoded = {key: base64.b64encode(array.tobytes()).decode() for key, array in arrays.items()}
    sizes = {"img_h": str(IMAGE_HEIGHT), "img_w": str(IMAGE_WIDTH), "num_boxes": str(REGIONS)}
    return {"img_id": name, **sizes, **encoded, "attrs": "AAAA", "classes": "AAAA"}


def from_text(fields: Mapping[str, Any], names: Sequence[str]) -> list[Shaped[np.ndarray, "..."]]:
    """Decode fields without validation."""
    return [np.frombuffer(base64.b64decode(fields[name]), np.int64 if name in INTS else np.float32) for name in names]


def tsv(folder: Path, count: int) -> Case:
    """Write the ten fields of py-bottom-up-attention."""
    path, layout = folder / "ten.tsv", LAYOUTS[10]
    with path.open("w", newline="") as file:
        for name, arrays in drawn(count):
            fields = as_text(name, arrays)
            file.write("\t".join(fields[field] for field in layout) + "\r\n")
    encoded = [field for field in layout if not field.startswith(("img_", "num_"))]

    def bare() -> None:
        with path.open("rb") as file:
            for line in file:
                from_text(dict(zip(layout, line.split(b"\t"), strict=True)), encoded)

    return Case("TSV, 10 fields", path, path.stat().st_size, bare)


def hdf5(folder: Path, count: int) -> Case:
    """Write one group per image, as VOLTA does."""
    path = folder / "a.h5"
    renamed = {"objects_id": "obj_id", "objects_conf": "obj_conf", "attrs_id": "attr_id", "attrs_conf": "attr_conf"}
    with h5py.File(path, "w") as file:
        for name, arrays in drawn(count):
            group = file.create_group(name)
            del arrays["cls_prob"]
            sizes = {"img_w": IMAGE_WIDTH, "img_h": IMAGE_HEIGHT}
            for key, value in (arrays | sizes).items():
                group[renamed.get(key, key)] = value

    def bare() -> None:
        with h5py.File(path) as file:
            for name in file:
                for stored in file[name].values():
                    stored[()]

    return Case("HDF5, VOLTA", path, path.stat().st_size, bare)


def volta(folder: Path, count: int) -> Case:
    """Write pickled base64 with class probabilities."""
    values = {name: pickle.dumps(as_text(name, arrays)) for name, arrays in drawn(count)}
    names = ("objects_id", "objects_conf", "attrs_id", "attrs_conf", "boxes", "features", "cls_prob")

    def decode(value: bytes) -> None:
        from_text(pickle.loads(value), names)  # noqa: S301 - written above

    keys = {"keys": pickle.dumps([name.encode() for name in values])}
    return _database("LMDB, VOLTA, base64", folder / "volta", values, keys, decode)


def _shares(arrays: Arrays) -> Arrays:
    shares = arrays["boxes"] / [IMAGE_WIDTH, IMAGE_HEIGHT, IMAGE_WIDTH, IMAGE_HEIGHT]
    held = {
        "features": arrays["features"],
        "norm_bb": np.concatenate([shares, shares[:, 2:] - shares[:, :2]], 1),
        "conf": arrays["objects_conf"],
        "soft_labels": arrays["cls_prob"],
    }
    return {name: array.astype(np.float16) for name, array in held.items()}


def uniter(folder: Path, count: int) -> Case:
    """Write half-precision arrays as msgpack-numpy packs them."""

    def packed(array: Shaped[np.ndarray, "..."]) -> dict[bytes, object]:
        state = {b"type": array.dtype.str, b"kind": b"", b"shape": array.shape, b"data": array.tobytes()}
        return {b"nd": True, **state}

    values = {
        f"{name}.npz": msgpack.packb({key: packed(array) for key, array in _shares(arrays).items()})
        for name, arrays in drawn(count)
    }

    def decode(value: bytes) -> None:
        for held in msgpack.unpackb(value, strict_map_key=False).values():
            np.frombuffer(held[b"data"], held[b"type"]).reshape(held[b"shape"]).astype(np.float32)

    return _database("LMDB, UNITER", folder / "feat_numbb36", values, _listed(values), decode)


def compressed(folder: Path, count: int) -> Case:
    """Write half-precision arrays as compressed npz."""
    values = {}
    for name, arrays in drawn(count):
        with tempfile.TemporaryFile() as file:
            np.savez_compressed(file, **_shares(arrays))  # type: ignore[arg-type]  # the names are not options
            file.seek(0)
            values[f"{name}.npz"] = file.read()

    def decode(value: bytes) -> None:
        with tempfile.SpooledTemporaryFile(max_size=1 << 30) as file:
            file.write(value)
            file.seek(0)
            with np.load(file) as held:
                for key in held:
                    held[key].astype(np.float32)

    return _database("LMDB, UNITER, compressed", folder / "feat_numbb36_compressed", values, _listed(values), decode)


def _listed(values: Mapping[str, bytes]) -> dict[str, bytes]:
    return {"__keys__": json.dumps(list(values)).encode()}


def _database(
    name: str, path: Path, values: Mapping[str, bytes], keys: Mapping[str, bytes], decode: Callable[[bytes], None]
) -> Case:
    size = sum(len(value) for value in values.values())
    with lmdb.open(str(path), map_size=2 * size + (1 << 24)) as environment, environment.begin(write=True) as writing:
        for key, value in {**values, **keys}.items():
            writing.put(key.encode(), value)

    def bare() -> None:
        with lmdb.open(str(path), readonly=True, lock=False) as environment, environment.begin() as reading:
            for key in values:
                decode(reading.get(key.encode(), b""))

    return Case(name, path, size, bare)


if __name__ == "__main__":
    main()
