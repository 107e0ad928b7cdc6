"""Plan a run: every distinct input once, with all readings that any design needs of it.

Units are selected, their conditions made, equal requests merged and their readings united, before a model runs.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from vlaudit.execution.parts import Parts, UnitRequests
from vlaudit.execution.paused_gc import paused_gc
from vlaudit.findings import Design
from vlaudit.measures.base import Unit
from vlaudit.models.base import ForwardRequest, ModelAdapter
from vlaudit.samples import Sample
from vlaudit.traces import Reading


@dataclass(frozen=True)
class Consumer:
    """One condition of one unit that needs a trace, with the sample as the condition perturbed it."""

    design: Design
    unit: Unit
    condition: str
    sample: Sample


@dataclass(frozen=True)
class PlannedPass:
    """One distinct input: its request with all readings, and the conditions that consume its trace."""

    request: ForwardRequest
    consumers: tuple[Consumer, ...]


@dataclass(frozen=True)
class Plan:
    """The distinct inputs of a run, or of one part of its images, and the units that were left out.

    `units` maps a design to its units by id; `refused` counts units left out, by design and reason; `requested` is the
    number of passes that the designs would run one by one. `share` is that of the images planned so far.
    """

    inputs: tuple[PlannedPass, ...]
    units: dict[str, dict[str, Unit]]
    refused: dict[str, Counter[str]] = field(default_factory=dict)
    requested: int = 0
    share: float = 1.0


def plan(designs: Sequence[Design], samples: Iterable[Sample], adapter: ModelAdapter, seed: int) -> Plan:
    """Plan the passes that the designs need of a model.

    A unit is refused, and counted with the reason, where one of its conditions cannot be made for its sample or cannot
    be answered by the model: a unit is measured under all of its conditions or not at all.
    """
    samples = list(samples)
    parts = Parts(samples, seed, images=max(len(samples), 1))
    return _planned(designs, partial(parts.requests, part=0), adapter)


def plan_parts(designs: Sequence[Design], parts: Parts, adapter: ModelAdapter) -> Iterator[Plan]:
    """Plan the passes of one part of the images after the other, on demand."""
    for part, share in enumerate(parts.shares):
        yield replace(_planned(designs, partial(parts.requests, part=part), adapter), share=share)


@paused_gc()
def _planned(
    designs: Sequence[Design], requests_of: Callable[[Design], Sequence[UnitRequests]], adapter: ModelAdapter
) -> Plan:
    consumers: dict[str, list[Consumer]] = defaultdict(list)
    first: dict[str, ForwardRequest] = {}
    readings: dict[str, set[Reading]] = defaultdict(set)
    units: dict[str, dict[str, Unit]] = {design.id: {} for design in designs}
    refused: dict[str, Counter[str]] = {design.id: Counter() for design in designs}
    requested = 0
    for design in designs:
        if design.unsupported(adapter.capabilities):
            continue
        for made in requests_of(design):
            if reason := made.refused or _unanswered(made, adapter):
                refused[design.id][reason] += 1
                continue
            units[design.id][made.unit.id] = made.unit
            requested += len(made.requests)
            for condition, request in made.requests.items():
                first.setdefault(request.key, request)
                consumers[request.key].append(Consumer(design, made.unit, condition, request.sample))
                readings[request.key] |= request.readings
    inputs = tuple(
        PlannedPass(_reading(first[key], frozenset(readings[key])), tuple(consuming))
        for key, consuming in consumers.items()
    )
    return Plan(inputs, units, refused, requested)


def _reading(request: ForwardRequest, readings: frozenset[Reading]) -> ForwardRequest:
    """Return the request with these readings, which do not change its key."""
    return request if request.readings == readings else request.with_readings(readings)


def _unanswered(made: UnitRequests, adapter: ModelAdapter) -> str | None:
    """Return why the model cannot answer one of a unit's conditions, or None."""
    return next((reason for request in made.requests.values() if (reason := adapter.refusal(request))), None)
