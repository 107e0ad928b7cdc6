"""Smoke test of a model that was just loaded: its answers are numbers, and they depend on the input."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from vlaudit.errors import AdapterError, CheckpointError
from vlaudit.models.base import ForwardRequest, ModelAdapter
from vlaudit.models.probe_samples import answerable, probe_samples
from vlaudit.traces import Attention, Hidden, Match, Reading, Trace


def smoke_test(adapter: ModelAdapter, checkpoint: Path | None = None) -> None:
    """Run one pass over two samples.

    Raises `AdapterError` where an answer is no tensor, and `CheckpointError` where one is not finite or all are equal
    for both samples.
    """
    what = f"checkpoint {checkpoint}" if checkpoint else f"model {adapter.name}"
    readings = frozenset(r for r in answerable(adapter) if not isinstance(r, Attention | Hidden))
    samples = [sample.hiding(sample.slots[0]) for sample in probe_samples(adapter)[::2]]  # the two short captions
    traces = adapter.forward([ForwardRequest(sample, readings) for sample in samples])
    _require_traces(adapter, traces, len(samples))
    _require_tensors(adapter, traces, readings)
    broken = sorted({type(r).__name__ for trace in traces for r in readings if not bool(trace[r].isfinite().all())})
    if broken:
        raise CheckpointError(
            f"{what}: it loads, but its answers are NaN or infinite ({', '.join(broken)}); "
            "its values overflow in this precision, or its training did not finish"
        )
    if readings and all(_same(reading, *traces) for reading in readings):
        raise CheckpointError(f"{what}: it loads, but gives the same answers to different images and captions")


def _require_traces(adapter: ModelAdapter, traces: Any, count: int) -> None:
    if not isinstance(traces, list | tuple) or len(traces) != count or not all(isinstance(t, Trace) for t in traces):
        got = f"{len(traces)} of {type(traces[0]).__name__}" if isinstance(traces, list | tuple) and traces else traces
        raise AdapterError(
            f"model {adapter.name}: forward must return a list of one Trace per request, for {count} requests got {got}"
        )


def _require_tensors(adapter: ModelAdapter, traces: Sequence[Trace], readings: Iterable[Reading]) -> None:
    for trace in traces:
        for reading in readings:
            if not isinstance(answer := trace.arrays[reading], torch.Tensor):
                raise AdapterError(
                    f"model {adapter.name}: the answer to {reading!r} must be a torch tensor, got "
                    f"{type(answer).__name__} {answer!r}"
                )
            if isinstance(reading, Match) and answer.shape != ():
                raise AdapterError(
                    f"model {adapter.name}: the answer to Match() must be one number, a tensor without axes, got shape "
                    f"{tuple(answer.shape)}"
                )


def _same(reading: Reading, one: Trace, other: Trace) -> bool:
    return one[reading].shape == other[reading].shape and torch.equal(one[reading], other[reading])
