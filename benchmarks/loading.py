"""Time and memory of loading a file, each measured in a process of its own."""

from __future__ import annotations

import hashlib
import itertools
import statistics
import string
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.timing import Row, seconds
from vlaudit import load
from vlaudit.models.albef.config import AlbefConfig
from vlaudit.models.albef.loading import load as load_albef
from vlaudit.models.albef.network import Albef
from vlaudit.models.base import LoadOptions
from vlaudit.models.checkpoint import FileHash
from vlaudit.models.smoke_test import smoke_test
from vlaudit.models.streams.adapter import EncoderAdapter


def words_in(count: int) -> Iterator[str]:
    """Spell `count` distinct words of four letters."""
    return (
        "".join(letters) for letters in itertools.islice(itertools.product(string.ascii_lowercase, repeat=4), count)
    )


def write_files(config: AlbefConfig, folder: Path) -> list[Path]:
    """Write a random checkpoint as the official training does, and as safetensors, with a vocabulary next to them."""
    torch.manual_seed(0)
    network = Albef(config, momentum=True, queues=True)
    network.initialise()
    tensors = network.state_dict()
    pth, safe = folder / "pretraining.pth", folder / "pretraining.safetensors"
    torch.save({"model": tensors, "config": {}, "epoch": 29}, pth)
    tied = {name for name in tensors if ".cls.predictions.decoder." in name}
    save_file({name: value for name, value in tensors.items() if name not in tied}, safe)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = [*special, *words_in(config.text.vocab_size - len(special))]
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    return [pth, safe]


class Seconds(NamedTuple):
    """Wall time, and processor time of the calling thread alone."""

    wall: float
    thread: float


def both(run: Callable[[], object]) -> Seconds:
    """Time one call."""
    start, busy = time.perf_counter(), time.thread_time()
    run()
    return Seconds(time.perf_counter() - start, time.thread_time() - busy)


@dataclass(frozen=True)
class Loading:
    """Measurements of loading one file in a process of its own, with its pages in the page cache.

    A round is the seconds of `vlaudit.load`, of its part before the smoke test without the hash, and of reading the
    file once and copying the model once. The rest is in processor seconds.
    """

    rounds: tuple[tuple[Seconds, Seconds, Seconds], ...]
    hashing: float
    reading: float
    smoke_test: float
    file_bytes: int
    model_bytes: int


def time_loading(path: Path, rounds: int) -> Loading:
    """Time a load in full, a load without smoke test and hash, and a plain read and copy, in turn."""
    torch.set_num_threads(1)
    adapter = loaded(path)
    distinct = list(
        {tensor.data_ptr(): tensor for tensor in cast(Albef, adapter.network).state_dict().values()}.values()
    )
    kinds = (partial(loaded, path), partial(placed, path), partial(plainly, path, distinct))

    def one(number: int) -> tuple[Seconds, Seconds, Seconds]:
        took = {}
        for kind in (0, 1, 2) if number % 2 else (2, 1, 0):
            took[kind] = both(kinds[kind])
            wait_for_hash()
        return took[0], took[1], took[2]

    found = tuple(one(number) for number in range(rounds))
    hashing, reading = (statistics.median(seconds(partial(run, path)) for _ in range(rounds)) for run in (digest, read))
    smoke = statistics.median(seconds(partial(smoke_test, fresh(adapter))) for _ in range(rounds))
    size = sum(tensor.nbytes for tensor in distinct)
    return Loading(found, hashing, reading, smoke, path.stat().st_size, size)


def fresh(adapter: EncoderAdapter) -> EncoderAdapter:
    """Return the adapter with empty caches of images and captions."""
    return EncoderAdapter(adapter.name, adapter.network, adapter._vocabulary, lambda: adapter.provenance)  # noqa: SLF001


def wait_for_hash() -> None:
    """Wait for the hash of a load that did not: it must not run during the next timing."""
    for thread in threading.enumerate():
        if isinstance(thread, FileHash):
            thread.join()


def loaded(path: Path) -> EncoderAdapter:
    """Load through the public call."""
    return cast(EncoderAdapter, load("albef", checkpoint=path, device="cpu"))


def placed(path: Path) -> None:
    """Run the part of `vlaudit.load` before the smoke test, without waiting for the hash."""
    load_albef(LoadOptions(path, torch.device("cpu")))


def plainly(path: Path, tensors: Sequence[Tensor]) -> list[Tensor]:
    """Read a file from end to end, and copy the loaded tensors."""
    read(path)
    return [tensor.clone() for tensor in tensors]


def read(path: Path) -> None:
    """Read a file from end to end into one buffer."""
    buffer = bytearray(1 << 20)
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def digest(path: Path) -> None:
    """Hash a file."""
    with path.open("rb") as file:
        hashlib.file_digest(file, "sha256")


def load_memory(path: Path) -> tuple[int, int]:
    """Return the bytes by which a load raises anonymous and whole resident memory of this process, at their peaks."""
    torch.set_num_threads(1)
    _ = torch.randn(8, 8) @ torch.randn(8, 8)  # memory that torch allocates once is not part of the load
    with watching() as samples:
        loaded(path)
    anonymous, resident = zip(*samples, strict=True)
    return max(anonymous) - anonymous[0], max(resident) - resident[0]


def memory() -> tuple[int, int]:
    """Return the bytes of anonymous resident memory, and of all resident memory (Linux)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    sizes = {line.split()[0]: int(line.split()[1]) * 1024 for line in lines if line.startswith(("RssAnon", "VmRSS"))}
    return sizes["RssAnon:"], sizes["VmRSS:"]


@contextmanager
def watching() -> Iterator[list[tuple[int, int]]]:
    """Sample the memory every 2 ms."""
    samples, stop = [memory()], threading.Event()

    def sample() -> None:
        while not stop.wait(0.002):
            samples.append(memory())

    watcher = threading.Thread(target=sample, daemon=True)
    watcher.start()
    try:
        yield samples
    finally:
        stop.set()
        watcher.join()


def in_fresh_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a new process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def load_rows(path: Path, rounds: int, notes: list[str]) -> Iterator[Row]:
    """Measure one file; results without a column in the table are appended to `notes`."""
    found: Loading = in_fresh_process(time_loading, path, rounds)
    notes.append(
        f"{path.name}: {found.file_bytes / 1e9:.2f} GB, the model {found.model_bytes / 1e9:.2f} GB; "
        f"processor time of one read {found.reading:.2f} s, of its SHA-256 alone {found.hashing:.2f} s, "
        f"of the smoke test alone {found.smoke_test:.2f} s"
    )
    if Path("/proc/self/status").exists():
        peak, resident = in_fresh_process(load_memory, path)
        notes.append(
            f"{path.name}: a load raises anonymous memory by {peak / 1e9:.2f} GB at its peak "
            f"({peak / found.model_bytes:.2f} x the model), resident memory by {resident / 1e9:.2f} GB, "
            "which counts the mapped pages of the file, too"
        )
    whole, before, plain = zip(*found.rounds, strict=True)
    kind = path.suffix
    yield versus(f"vlaudit.load, {kind}, hash and smoke test included / read + copy, wall", whole, plain, "wall")
    yield versus(f"loading thread, {kind}, without hash and smoke test / read + copy", before, plain, "thread")


def versus(what: str, mine: Sequence[Seconds], other: Sequence[Seconds], clock: str) -> Row:
    """Return the row of a loading."""
    pairs = [(getattr(a, clock), getattr(b, clock)) for a, b in zip(mine, other, strict=True)]
    ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    return Row(what, ours, theirs, tuple(a / b for a, b in pairs), at_most=1.3)
