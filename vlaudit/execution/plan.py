"""Plan a run: every distinct input once, with all readings that any design needs of it.

Units are selected, their conditions made, equal requests merged and their readings united, before a model runs.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from vlaudit.errors import RefusedSample
from vlaudit.execution.paused_gc import paused_gc
from vlaudit.findings import Design
from vlaudit.measures.base import Unit
from vlaudit.models.base import ForwardRequest, ModelAdapter
from vlaudit.perturbations import apply
from vlaudit.samples import Sample
from vlaudit.traces import Reading

IMAGES_PER_PART = 64
"""Images that are planned before their passes run; a multiple of `batches.IMAGES_PER_GROUP`."""


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


@dataclass(frozen=True)
class UnitRequests:
    """A unit with its conditions as requests by name; or, where one cannot be made, the reason."""

    unit: Unit
    requests: dict[str, ForwardRequest]
    refused: str | None = None


def unit_requests(design: Design, samples: Iterable[Sample], seed: int) -> list[UnitRequests]:
    """Select the units of a design and make their conditions: the part of a plan that does not depend on the model."""
    return list(_selected(design, samples, seed))


class Parts:
    """The `unit_requests` of the designs of a run, part by part of the images, so that passes start early.

    A part has `images` images; inputs that are equal run once per part. A unit that is selected out of the order of the
    images belongs to the part that is made at that time. `keep`: several models need the requests, which are then made
    once.
    """

    def __init__(
        self, samples: Sequence[Sample], seed: int, *, images: int = IMAGES_PER_PART, keep: bool = False
    ) -> None:
        order = {image: number for number, image in enumerate(dict.fromkeys(one.image_id for one in samples))}
        self._part_of = {image: number // images for image, number in order.items()}
        self._samples, self._seed, self._keep = samples, seed, keep
        self._shares = [min((part + 1) * images / len(order), 1.0) for part in range(-(-len(order) // images))]
        self._ahead: dict[str, Iterator[list[UnitRequests]]] = {}
        self._made: dict[str, list[list[UnitRequests]]] = defaultdict(list)

    @property
    def shares(self) -> list[float]:
        """Share of the images up to the end of each part, from first to last."""
        return self._shares

    def requests(self, design: Design, part: int) -> list[UnitRequests]:
        """Return the requests of one part of a design; ask for the parts in order."""
        kept = self._made[design.id]
        if part < len(kept):
            return kept[part]
        made = next(self._ahead.setdefault(design.id, self._by_part(design)))
        if self._keep:
            kept.append(made)
        return made

    def _by_part(self, design: Design) -> Iterator[list[UnitRequests]]:
        part, requests = 0, list[UnitRequests]()
        for made in _selected(design, self._samples, self._seed):
            while self._part_of.get(made.unit.image_id, 0) > part:
                yield requests
                part, requests = part + 1, []
            requests.append(made)
        for _ in self._shares[part:]:
            yield requests
            requests = []


def _selected(design: Design, samples: Iterable[Sample], seed: int) -> Iterator[UnitRequests]:
    """Yield the first candidate whose conditions can be made; without one, the first with its reason, if counted."""
    for candidates in design.units(samples, seed):
        refused: UnitRequests | None = None
        for unit in candidates:
            made = _made(design, replace(unit, seed=seed))
            if made.refused is None:
                yield made
                break
            refused = refused or made
        else:
            if refused is not None and not design.optional:
                yield refused


def _made(design: Design, unit: Unit) -> UnitRequests:
    if reason := design.measure.refusal(unit):
        return UnitRequests(unit, {}, reason)
    requests = {}
    try:
        for name, perturbations in design.conditions.items():
            sample = apply(perturbations, unit.sample, unit.seed)
            requests[name] = ForwardRequest(sample, design.measure.readings(sample))
    except RefusedSample as refusal:
        return UnitRequests(unit, {}, refusal.reason)
    return UnitRequests(unit, requests)


def plan(designs: Sequence[Design], samples: Iterable[Sample], adapter: ModelAdapter, seed: int) -> Plan:
    """Plan the passes that the designs need of a model.

    A unit is refused, and counted with the reason, where one of its conditions cannot be made for its sample or cannot
    be answered by the model: a unit is measured under all of its conditions or not at all.
    """
    samples = list(samples)
    return _planned(designs, lambda design: unit_requests(design, samples, seed), adapter)


def plan_parts(designs: Sequence[Design], parts: Parts, adapter: ModelAdapter) -> Iterator[Plan]:
    """Plan the passes of one part of the images after the other, each when it is asked for."""
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
