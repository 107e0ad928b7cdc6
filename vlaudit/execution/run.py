"""Run a plan: traces are reduced as each batch ends, rows are kept, everything else is dropped."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from vlaudit.errors import RefusedSample
from vlaudit.execution.batches import BatchSize, run_batches
from vlaudit.execution.plan import Plan, Planned, Want
from vlaudit.execution.progress import Progress
from vlaudit.findings import Design
from vlaudit.measures.base import Numbers, Reduction, Unit
from vlaudit.models.base import ModelAdapter
from vlaudit.tables import IMAGE, UNIT, Table
from vlaudit.traces import Trace


@dataclass(frozen=True)
class Measured:
    """What a run gave: one table a design, the units that its rows are about, and how the passes were batched."""

    tables: Mapping[str, Table]
    units: Mapping[str, Mapping[str, Unit]]
    passes: int
    asked: int
    batches: tuple[int, ...]


def run(
    plan: Plan, adapter: ModelAdapter, *, batch_size: int | None = None, progress: Progress | None = None
) -> Measured:
    """Run every distinct input of a plan once and measure every unit.

    `batch_size` None finds a size by trying. An image that turns out to be broken when it is decoded costs its units,
    counted with the reason, not the run.
    """
    collector = _Collector(plan)
    progress = progress or Progress(len(plan.inputs))

    def done(batch: Sequence[Planned], traces: Sequence[Trace]) -> None:
        collector.take(batch, traces)
        progress.advance(len(batch))

    sizes = run_batches(plan.inputs, adapter, BatchSize(batch_size), done, collector.refuse)
    progress.close()
    return Measured(collector.tables(), plan.units, len(plan.inputs), plan.asked, tuple(sizes))


class _Collector:
    """Gathers what conditions gave until a unit is complete, and makes its row."""

    def __init__(self, plan: Plan) -> None:
        self._open: dict[tuple[str, str], dict[str, Numbers]] = defaultdict(dict)
        self._missing: Counter[tuple[str, str]] = Counter(
            (want.design.id, want.unit.id) for planned in plan.inputs for want in planned.wants
        )
        self._rows: dict[str, dict[str, dict[str, Any]]] = {design: {} for design in plan.units}
        self._refused = {design: Counter(reasons) for design, reasons in plan.refused.items()}
        self._units = plan.units
        self._lost: set[tuple[str, str]] = set()

    def take(self, batch: Sequence[Planned], traces: Sequence[Trace]) -> None:
        """Reduce the traces of one batch, design by design."""
        by_design: dict[str, list[tuple[Want, Trace]]] = defaultdict(list)
        for planned, trace in zip(batch, traces, strict=True):
            for want in planned.wants:
                by_design[want.design.id].append((want, trace))
        for pairs in by_design.values():
            self._reduce(pairs[0][0].design, pairs)

    def _reduce(self, design: Design, pairs: Sequence[tuple[Want, Trace]]) -> None:
        reductions = [Reduction(want.unit, want.condition, want.sample, trace) for want, trace in pairs]
        with torch.inference_mode():
            numbers = design.measure.reduce(reductions)
        for (want, _), one in zip(pairs, numbers, strict=True):
            self._close(design, want, one)

    def _close(self, design: Design, want: Want, numbers: Numbers) -> None:
        key = design.id, want.unit.id
        self._open[key][want.condition] = numbers
        self._missing[key] -= 1
        if self._missing[key] == 0:
            conditions = dict(sorted(self._open.pop(key).items()))  # not in the order in which batches ended
            try:
                row = design.measure.row(want.unit, conditions)
            except RefusedSample as refusal:
                self._refused[design.id][refusal.reason] += 1
                return
            facts = {UNIT: want.unit.id, IMAGE: want.unit.image_id, **(want.unit.facts or {})}
            self._rows[design.id][want.unit.id] = {**facts, **row}

    def refuse(self, planned: Planned, reason: str) -> None:
        """Give up the units that wait for an input, each counted once."""
        for want in planned.wants:
            key = want.design.id, want.unit.id
            self._open.pop(key, None)
            if key not in self._lost:
                self._lost.add(key)
                self._refused[want.design.id][reason] += 1

    def tables(self) -> dict[str, Table]:
        """Return the rows in the order in which units were chosen, whatever order the batches had."""
        return {
            design: Table.of(
                [rows[unit] for unit in self._units[design] if unit in rows], refused=self._refused[design]
            )
            for design, rows in self._rows.items()
        }
