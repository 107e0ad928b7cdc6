"""Batches of inputs that cost about the same, as large as the machine bears."""

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
_WORTH = 1.05  # a larger batch must be a twentieth faster a sample, or its memory is not worth it
_PATIENCE = 2  # sizes that may disappoint before the best is settled on: what else the machine does costs one, too


def in_order(inputs: Sequence[PlannedPass]) -> list[PlannedPass]:
    """Return the inputs with like ones together: those that bring back most first, longest captions first.

    What does not fit into memory then shows at once. Inputs of one image stay together as far as that goes, so that
    its encoding is shared.
    """
    return sorted(inputs, key=_cost)


def _cost(planned: PlannedPass) -> tuple[int, int, str, str]:
    sample = planned.request.sample
    heavy = sum(isinstance(reading, Attention | Hidden) for reading in planned.request.readings)
    return -heavy, -(len(sample.caption) // 8), sample.image.key if sample.image else "", planned.request.key


class BatchSize:
    """How many inputs to run at once: doubled while that makes a sample faster, halved where memory runs out.

    Settles on the fastest size, once the two after it were no faster.
    """

    def __init__(self, fixed: int | None = None) -> None:
        if fixed is not None and fixed < 1:
            raise UsageError(f"--batch-size must be auto or at least 1, got {fixed}")
        self.now = fixed or FIRST
        self._settled = fixed is not None
        self._best, self._rate = self.now, 0.0

    def ran(self, rate: float) -> None:
        """Learn the rate (inputs a second) of a full batch of the present size."""
        if self._settled:
            return
        if rate >= self._rate * _WORTH:
            self._best, self._rate = self.now, rate
        self._settled = self.now >= min(self._best << _PATIENCE, LARGEST)
        self.now = self._best if self._settled else self.now * 2

    def too_large(self) -> None:
        """Halve; `MemoryError` where one input alone did not fit."""
        if self.now == 1:
            raise MemoryError(
                "one sample alone does not fit into the memory of the device; use a smaller model or --device cpu"
            )
        self._settled, self.now = True, self.now // 2


def run_batches(
    inputs: Sequence[PlannedPass],
    adapter: ModelAdapter,
    size: BatchSize,
    done: Callable[[Sequence[PlannedPass], Sequence[Trace]], None],
    refuse: Callable[[PlannedPass, str], None],
) -> list[int]:
    """Run every input, hand each finished batch to `done`, and return how large the batches were.

    What was handed over stays when a later batch does not fit into memory. An input whose image turns out to be broken
    when it is decoded goes to `refuse` with the reason.
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
            size.ran(len(batch) / (time.perf_counter() - started))
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
