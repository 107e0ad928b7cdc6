"""Group similar inputs into batches, and choose how large a batch is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch

from vlaudit.errors import RefusedSample, UsageError
from vlaudit.execution.plan import PlannedPass
from vlaudit.models.base import ModelAdapter
from vlaudit.traces import Attention, Hidden, Trace

LARGEST = 128
FIRST = 8

IMAGES_PER_GROUP = 64
"""Images whose inputs run together: adapters keep at least as many encodings (`EncoderAdapter(images=)`)."""

LONG_ENOUGH = 0.25
"""Seconds per batch above which the batch size stays: the fixed cost of a batch is a few milliseconds, and on a CPU
larger batches of a small model leave the cache."""


def in_order(inputs: Sequence[PlannedPass]) -> list[PlannedPass]:
    """Return the inputs in the order in which they run: those with most readings first, then by groups of images.

    An adapter keeps the encodings of the last images, so each image of a group is encoded once. Within a group the
    longest captions come first: a batch then needs little padding.
    """
    groups: dict[tuple[int, str], int] = {}
    for planned in sorted(inputs, key=lambda one: (-_heavy(one), one.request.sample.image_id, _image(one))):
        groups.setdefault((_heavy(planned), _image(planned)), len(groups) // IMAGES_PER_GROUP)
    return sorted(inputs, key=lambda one: (-_heavy(one), groups[_heavy(one), _image(one)], *_likeness(one)))


def _heavy(planned: PlannedPass) -> int:
    return sum(isinstance(reading, Attention | Hidden) for reading in planned.request.readings)


def _image(planned: PlannedPass) -> str:
    image = planned.request.sample.image
    return image.key if image else ""


def _likeness(planned: PlannedPass) -> tuple[int, str, str]:
    return -(len(planned.request.sample.caption) // 8), _image(planned), planned.request.key


class BatchSize:
    """Number of inputs to run at once: doubled after each batch shorter than `LONG_ENOUGH`, halved on out-of-memory.

    A long batch has nothing to gain from more inputs, because its fixed cost no longer counts. Throughput of two sizes
    is not compared: on a busy machine it varies more than the sizes differ. Other processes only lengthen a batch, so
    they delay growth and never undo it.
    """

    def __init__(self, fixed: int | None = None) -> None:
        if fixed is not None and fixed < 1:
            raise UsageError(f"--batch-size must be auto or at least 1, got {fixed}")
        self.now = fixed or FIRST
        self._largest = fixed or LARGEST

    def ran(self, seconds: float) -> None:
        """Grow if a full batch of the present size took less than `LONG_ENOUGH` seconds."""
        if seconds < LONG_ENOUGH:
            self.now = min(2 * self.now, self._largest)

    def too_large(self) -> None:
        """Halve the size for the rest of the run; `MemoryError` if one input alone did not fit."""
        if self.now == 1:
            raise MemoryError(
                "one sample alone does not fit into the memory of the device; use a smaller model or --device cpu"
            )
        self.now = self._largest = self.now // 2


def run_batches(
    inputs: Sequence[PlannedPass],
    adapter: ModelAdapter,
    size: BatchSize,
    done: Callable[[Sequence[PlannedPass], Sequence[Trace]], None],
    refuse: Callable[[PlannedPass, str], None],
) -> list[int]:
    """Run every input, pass each finished batch to `done`, and return the batch sizes.

    A batch that does not fit into memory is run again with half as many inputs; finished batches are kept. An input
    whose image cannot be decoded is passed to `refuse` with the reason.
    """
    waiting, sizes = in_order(inputs), list[int]()
    while waiting:
        batch = waiting[: size.now]
        started = time.perf_counter()
        try:
            traces = adapter.forward([planned.request for planned in batch])
            done(batch, traces)
        except torch.OutOfMemoryError:
            size.too_large()
            continue
        except RefusedSample:
            broken = {planned.request.key: reason for planned in batch if (reason := _broken(planned))}
            if not broken:
                raise
            for planned in batch:
                if planned.request.key in broken:
                    refuse(planned, broken[planned.request.key])
            waiting = [planned for planned in waiting if planned.request.key not in broken]
            continue
        if len(batch) == size.now:
            size.ran(time.perf_counter() - started)
        waiting = waiting[len(batch) :]
        sizes.append(len(batch))
    return sizes


def _broken(planned: PlannedPass) -> str | None:
    try:
        if planned.request.sample.image is not None:
            planned.request.sample.image.pixels()
    except RefusedSample as refusal:
        return refusal.reason
    return None
