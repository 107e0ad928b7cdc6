"""Plan a run: every distinct input once, with all readings that anybody asks of it.

Units are chosen, their conditions made, equal requests merged and their readings united, before a model runs.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from vlaudit.errors import RefusedSample
from vlaudit.findings import Design
from vlaudit.measures.base import Unit
from vlaudit.models.base import ForwardRequest, ModelAdapter
from vlaudit.perturbations import apply
from vlaudit.samples import Sample
from vlaudit.traces import Reading


@dataclass(frozen=True)
class Want:
    """One condition of one unit that waits for a trace."""

    design: Design
    unit: Unit
    condition: str
    sample: Sample


@dataclass(frozen=True)
class Planned:
    """One distinct input: what to read, and who waits for it."""

    request: ForwardRequest
    wants: tuple[Want, ...]


@dataclass(frozen=True)
class Plan:
    """The distinct inputs of a run, and what was left out on the way.

    `units` maps a design to its units by id; `refused` counts units left out, by design and reason; `asked` is how
    many passes the designs would run one by one.
    """

    inputs: tuple[Planned, ...]
    units: dict[str, dict[str, Unit]]
    refused: dict[str, Counter[str]] = field(default_factory=dict)
    asked: int = 0


def plan(designs: Sequence[Design], samples: Iterable[Sample], adapter: ModelAdapter, seed: int) -> Plan:
    """Plan what the designs need of a model.

    A unit is refused, and counted with the reason, where one of its conditions makes no sense for its sample or cannot
    be answered by the model: a unit is measured under all of its conditions or not at all.
    """
    samples = list(samples)
    gathered: dict[str, list[Want]] = defaultdict(list)
    readings: dict[str, set[Reading]] = defaultdict(set)
    units: dict[str, dict[str, Unit]] = {design.id: {} for design in designs}
    refused: dict[str, Counter[str]] = {design.id: Counter() for design in designs}
    asked = 0
    for design in designs:
        if design.unfit(adapter.capabilities):
            continue
        for unit in design.units(samples, seed):
            try:
                wants = _conditions(design, unit, adapter, seed)
            except RefusedSample as refusal:
                refused[design.id][refusal.reason] += 1
                continue
            units[design.id][unit.id] = unit
            asked += len(wants)
            for key, want, needs in wants:
                gathered[key].append(want)
                readings[key] |= needs
    inputs = tuple(
        Planned(ForwardRequest(wants[0].sample, frozenset(readings[key])), tuple(wants))
        for key, wants in gathered.items()
    )
    return Plan(inputs, units, refused, asked)


def _conditions(
    design: Design, unit: Unit, adapter: ModelAdapter, seed: int
) -> list[tuple[str, Want, frozenset[Reading]]]:
    """Make every condition of a unit; `RefusedSample` where one cannot be made or answered."""
    wants = []
    for condition, ask in design.asks(unit).items():
        sample = apply(ask.changes, ask.sample, seed)
        request = ForwardRequest(sample, ask.readings)
        if reason := adapter.refusal(request):
            raise RefusedSample(sample.id, reason)
        wants.append((request.key, Want(design, unit, condition, sample), ask.readings))
    return wants
