"""Plan a run: every distinct input once, with all readings that anybody asks of it.

Units are chosen, their conditions made, equal requests merged and their readings united, before a model runs.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
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


@dataclass(frozen=True)
class Posed:
    """A unit with its conditions as requests by name; or, where one of them makes no sense, why it has none."""

    unit: Unit
    requests: dict[str, ForwardRequest]
    refused: str | None = None


def pose(design: Design, samples: Iterable[Sample], seed: int) -> list[Posed]:
    """Choose the units of a design and make their conditions: all that a plan needs and that no model changes."""
    return [_posed(design, unit, seed) for unit in design.units(samples, seed)]


def _posed(design: Design, unit: Unit, seed: int) -> Posed:
    try:
        return Posed(
            unit,
            {
                condition: ForwardRequest(apply(ask.changes, ask.sample, seed), ask.readings)
                for condition, ask in design.asks(unit).items()
            },
        )
    except RefusedSample as refusal:
        return Posed(unit, {}, refusal.reason)


Poser = Callable[[Design], Sequence[Posed]]
"""Gives what `pose` made of a design, so that several models can share it."""


def plan(
    designs: Sequence[Design], samples: Iterable[Sample], adapter: ModelAdapter, seed: int, posed: Poser | None = None
) -> Plan:
    """Plan what the designs need of a model; `posed` gives what was made before of these samples with this seed.

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
        for one in posed(design) if posed else pose(design, samples, seed):
            if reason := one.refused or _unanswered(one, adapter):
                refused[design.id][reason] += 1
                continue
            units[design.id][one.unit.id] = one.unit
            asked += len(one.requests)
            for condition, request in one.requests.items():
                gathered[request.key].append(Want(design, one.unit, condition, request.sample))
                readings[request.key] |= request.readings
    inputs = tuple(
        Planned(ForwardRequest(wants[0].sample, frozenset(readings[key])), tuple(wants))
        for key, wants in gathered.items()
    )
    return Plan(inputs, units, refused, asked)


def _unanswered(posed: Posed, adapter: ModelAdapter) -> str | None:
    """Say why the model cannot answer one of a unit's conditions."""
    return next((reason for request in posed.requests.values() if (reason := adapter.refusal(request))), None)
