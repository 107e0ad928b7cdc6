"""Run a plan: traces are reduced as each batch ends, rows are kept, everything else is freed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from vlaudit.errors import RefusedSample
from vlaudit.execution.batches import BatchSize, run_batches
from vlaudit.execution.numbers import check_numbers
from vlaudit.execution.plan import Consumer, Plan, PlannedPass
from vlaudit.execution.progress import Progress
from vlaudit.findings import Design
from vlaudit.measures.base import Numbers, Reduction, Unit
from vlaudit.models.base import ModelAdapter
from vlaudit.tables import IMAGE, UNIT, Table
from vlaudit.traces import Trace


@dataclass(frozen=True)
class Measured:
    """Result of a run: one table per design, the units of its rows, and the batch sizes.

    `passes` counts distinct inputs, `requested` what the designs would have run one by one.
    """

    tables: Mapping[str, Table]
    units: Mapping[str, Mapping[str, Unit]]
    passes: int
    requested: int
    batches: tuple[int, ...]


def run(
    plans: Plan | Iterable[Plan],
    adapter: ModelAdapter,
    *,
    batch_size: int | None = None,
    progress: Progress | None = None,
) -> Measured:
    """Run every distinct input of a plan, or of one plan after the other, once and measure every unit.

    `batch_size` None finds a size by trying. An image that turns out to be broken when it is decoded costs its units,
    counted with the reason, not the run.
    """
    collector, size, sizes = _Collector(), BatchSize(batch_size), list[int]()
    progress = progress or Progress()

    def done(batch: Sequence[PlannedPass], traces: Sequence[Trace]) -> None:
        collector.take(batch, traces)
        progress.advance(len(batch))

    try:
        for plan in [plans] if isinstance(plans, Plan) else plans:
            collector.open(plan)
            progress.expect(collector.passes, plan.share)
            sizes += run_batches(plan.inputs, adapter, size, done, collector.refuse)
    finally:
        progress.close()  # clears its line, also where the run was interrupted
    return Measured(collector.tables(), collector.units, collector.passes, collector.requested, tuple(sizes))


class _Collector:
    """Collects the numbers of conditions until a unit is complete, and makes its row."""

    def __init__(self) -> None:
        self.units: dict[str, dict[str, Unit]] = defaultdict(dict)
        self.passes = self.requested = 0
        self._open: dict[tuple[str, str], dict[str, Numbers]] = defaultdict(dict)
        self._missing: Counter[tuple[str, str]] = Counter()
        self._rows: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        self._refused: dict[str, Counter[str]] = defaultdict(Counter)
        self._unanswered: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._lost: set[tuple[str, str]] = set()

    def open(self, plan: Plan) -> None:
        """Expect the passes of a plan."""
        for design, units in plan.units.items():
            self.units[design] |= units
            self._refused[design].update(plan.refused.get(design, {}))
            self._unanswered[design] += map(_facts, plan.unanswered.get(design, ()))
        self._missing.update(
            (consumer.design.id, consumer.unit.id) for planned in plan.inputs for consumer in planned.consumers
        )
        self.passes += len(plan.inputs)
        self.requested += plan.requested

    def take(self, batch: Sequence[PlannedPass], traces: Sequence[Trace]) -> None:
        """Check and reduce the traces of one batch, design by design; `AnswerError` for NaN or infinity."""
        check_numbers(batch, traces)
        by_design: dict[str, list[tuple[Consumer, Trace]]] = defaultdict(list)
        for planned, trace in zip(batch, traces, strict=True):
            for consumer in planned.consumers:
                by_design[consumer.design.id].append((consumer, trace))
        for pairs in by_design.values():
            self._reduce(pairs[0][0].design, pairs)

    def _reduce(self, design: Design, pairs: Sequence[tuple[Consumer, Trace]]) -> None:
        reductions = [Reduction(consumer.unit, consumer.condition, consumer.sample, trace) for consumer, trace in pairs]
        with torch.inference_mode():
            numbers = design.measure.reduce(reductions)
        for (consumer, _), one in zip(pairs, numbers, strict=True):
            self._close(design, consumer, one)

    def _close(self, design: Design, consumer: Consumer, numbers: Numbers) -> None:
        key = design.id, consumer.unit.id
        self._open[key][consumer.condition] = numbers
        self._missing[key] -= 1
        if self._missing[key] == 0:
            conditions = dict(sorted(self._open.pop(key).items()))  # not in the order in which batches ended
            try:
                row = design.measure.row(consumer.unit, conditions)
            except RefusedSample as refusal:  # by the answers: what the data cannot ask is refused before
                self._refused[design.id][refusal.reason] += 1
                self._unanswered[design.id].append(_facts(consumer.unit))
                return
            self._rows[design.id][consumer.unit.id] = {**_facts(consumer.unit), **row}

    def refuse(self, planned: PlannedPass, reason: str) -> None:
        """Drop the units that need an input, each counted once."""
        for consumer in planned.consumers:
            key = consumer.design.id, consumer.unit.id
            self._open.pop(key, None)
            if key not in self._lost:
                self._lost.add(key)
                self._refused[consumer.design.id][reason] += 1

    def tables(self) -> dict[str, Table]:
        """Return the rows in the order in which units were selected, independent of the batches."""
        return {
            design: Table.of(
                [self._rows[design][unit] for unit in units if unit in self._rows[design]],
                refused=self._refused[design],
                unanswered=self._unanswered[design],
            )
            for design, units in self.units.items()
        }


def _facts(unit: Unit) -> dict[str, Any]:
    return {UNIT: unit.id, IMAGE: unit.image_id, **(unit.facts or {})}
