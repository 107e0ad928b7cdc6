"""The part of a plan that does not depend on the model: units and their conditions, part by part of the images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from itertools import tee

from vlaudit.errors import RefusedSample
from vlaudit.findings import Design
from vlaudit.measures.base import Unit
from vlaudit.models.base import ForwardRequest
from vlaudit.perturbations import Perturbation, apply
from vlaudit.samples import Sample
from vlaudit.selection import Candidates, Selection, with_partners

IMAGES_PER_PART = 64
"""Images that are planned before their passes run; a multiple of `batches.IMAGES_PER_GROUP`."""


@dataclass(frozen=True)
class UnitRequests:
    """A unit with its conditions as requests by name; or, where one cannot be made, the reason."""

    unit: Unit
    requests: dict[str, ForwardRequest]
    refused: str | None = None


class Parts:
    """Units and conditions of the designs of a run, part by part of the images, so that passes start early.

    This is what does not depend on the model. A part has `images` images; inputs that are equal run once per part. A
    unit that is selected out of the order of the images belongs to the part that is made at that time. Designs with
    equal selections share their units, and what they have in common of their conditions is made once. `keep`: several
    models need the requests, which are then made once.
    """

    def __init__(
        self, samples: Iterable[Sample], seed: int, *, images: int = IMAGES_PER_PART, keep: bool = False
    ) -> None:
        self._samples = list(with_partners(samples))
        order = {image: number for number, image in enumerate(dict.fromkeys(one.image_id for one in self._samples))}
        self._part_of = {image: number // images for image, number in order.items()}
        self._seed, self._keep = seed, keep
        ends = range(images, len(order) + images, images)
        self._shares = [min(end / len(order), 1.0) for end in ends] or [1.0]
        self._selected: list[tuple[Selection, Iterator[Candidates]]] = []
        self._ahead: dict[str, Iterator[list[UnitRequests]]] = {}
        self._kept: dict[str, list[list[UnitRequests]]] = defaultdict(list)
        self._applied, self._applied_in = Applied(seed), 0

    @property
    def shares(self) -> list[float]:
        """Share of the images up to the end of each part, from first to last."""
        return self._shares

    def requests(self, design: Design, part: int) -> list[UnitRequests]:
        """Return the requests of one part of a design, the first part first."""
        kept = self._kept[design.id]
        if part < len(kept):
            return kept[part]
        if part != self._applied_in:
            self._applied, self._applied_in = Applied(self._seed), part
        made = next(self._ahead.setdefault(design.id, self._by_part(design)))
        if self._keep:
            kept.append(made)
        return made

    def _by_part(self, design: Design) -> Iterator[list[UnitRequests]]:
        part, requests = 0, list[UnitRequests]()
        for made in self._made(design):
            while self._part_of.get(made.unit.image_id, 0) > part:
                yield requests
                part, requests = part + 1, []
            requests.append(made)
        for _ in self._shares[part:]:
            yield requests
            requests = []

    def _made(self, design: Design) -> Iterator[UnitRequests]:
        """Yield the first candidate that allows all conditions; without one, the first with its reason, if counted."""
        for candidates in self._candidates(design.units):
            refused: UnitRequests | None = None
            for unit in candidates:
                made = _made(design, replace(unit, seed=self._seed), self._applied)
                if made.refused is None:
                    yield made
                    break
                refused = refused or made
            else:
                if refused is not None and not design.optional:
                    yield refused

    def _candidates(self, selection: Selection) -> Iterator[Candidates]:
        """Return the candidates of a selection, which designs with an equal one share."""
        for known, unread in self._selected:
            if known == selection:
                return copy(unread)
        (unread,) = tee(selection(self._samples, self._seed), 1)  # a copy of it starts at the first candidate
        self._selected.append((selection, unread))
        return copy(unread)


class Applied:
    """Perturbed samples, each made once however many conditions begin with the same perturbations."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        # samples before and after; the one before is kept because no other has its id while it lives
        self._made: dict[tuple[int, str], tuple[Sample, Perturbation, Sample]] = {}

    def apply(self, perturbations: Sequence[Perturbation], sample: Sample) -> Sample:
        """Return what `vlaudit.perturbations.apply` returns; raise `RefusedSample` as it does."""
        for perturbation in perturbations:
            sample = self._apply(perturbation, sample)
        return sample

    def _apply(self, perturbation: Perturbation, sample: Sample) -> Sample:
        key = id(sample), repr(perturbation)
        if key in self._made and self._made[key][1] == perturbation:  # an equal `repr` alone proves nothing
            return self._made[key][2]
        made = apply((perturbation,), sample, self._seed)
        self._made[key] = sample, perturbation, made
        return made


def _made(design: Design, unit: Unit, applied: Applied) -> UnitRequests:
    if reason := design.measure.refusal(unit):
        return UnitRequests(unit, {}, reason)
    requests = {}
    try:
        for name, perturbations in design.conditions.items():
            sample = applied.apply(perturbations, unit.sample)
            requests[name] = ForwardRequest(sample, design.measure.readings(sample))
    except RefusedSample as refusal:
        return UnitRequests(unit, {}, refusal.reason)
    return UnitRequests(unit, requests)
