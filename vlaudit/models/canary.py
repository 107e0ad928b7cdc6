"""The canary pass: a model that was just loaded must answer with numbers, and not the same whatever it is asked."""

from __future__ import annotations

from pathlib import Path

import torch

from vlaudit.errors import CheckpointError
from vlaudit.models.base import ForwardRequest, ModelAdapter
from vlaudit.models.specimens import answerable, specimens
from vlaudit.traces import Attention, Hidden, Reading, Trace


def check_alive(adapter: ModelAdapter, checkpoint: Path | None = None) -> None:
    """Run a pass over two samples; `CheckpointError` where an answer is not finite or no answer varies."""
    what = f"checkpoint {checkpoint}" if checkpoint and checkpoint != Path() else f"model {adapter.name}"
    readings = frozenset(r for r in answerable(adapter) if not isinstance(r, Attention | Hidden))
    samples = [sample.hiding(sample.slots[0]) for sample in specimens(adapter)[::2]]  # those of few words
    traces = adapter.forward([ForwardRequest(sample, readings) for sample in samples])
    broken = sorted({type(r).__name__ for trace in traces for r in readings if not bool(trace[r].isfinite().all())})
    if broken:
        raise CheckpointError(
            f"{what}: it loads, but its answers are NaN or infinite ({', '.join(broken)}); "
            "its values overflow in this precision, or it was never trained to the end"
        )
    if readings and all(_same(reading, *traces) for reading in readings):
        raise CheckpointError(f"{what}: it loads, but answers the same whatever image and caption it is given")


def _same(reading: Reading, one: Trace, other: Trace) -> bool:
    return one[reading].shape == other[reading].shape and torch.equal(one[reading], other[reading])
