"""Reference implementation of execution: one request at a time, nothing merged, nothing batched."""

from collections import Counter

import torch

from vlaudit.errors import RefusedSample
from vlaudit.measures.base import Reduction
from vlaudit.models.base import ForwardRequest
from vlaudit.perturbations import apply
from vlaudit.tables import IMAGE, UNIT, Table


def measure(design, samples, model, seed=0):
    """Return the table of a design and its units, every condition run by itself."""
    rows, units, refused = [], {}, Counter()
    if design.unsupported(model.capabilities) is None:
        for candidates in design.units(list(samples), seed):
            unit, requests, reason = _chosen(design, candidates, seed)
            if unit is None:
                refused.update([] if design.optional else [reason])
                continue
            try:
                row = _row(design, unit, requests, model)
            except RefusedSample as refusal:
                refused[refusal.reason] += 1
                continue
            rows.append({UNIT: unit.id, IMAGE: unit.image_id, **(unit.facts or {}), **row})
            units[unit.id] = unit
    return Table.of(rows, refused=refused), units


def _chosen(design, candidates, seed):
    """Return the first candidate that can be made, with its requests; otherwise None and the first reason."""
    reasons = []
    for unit in candidates:
        if reason := design.measure.refusal(unit):
            reasons.append(reason)
            continue
        try:
            samples = {name: apply(changes, unit.sample, seed) for name, changes in design.conditions.items()}
            requests = {name: ForwardRequest(one, design.measure.readings(one)) for name, one in samples.items()}
        except RefusedSample as refusal:
            reasons.append(refusal.reason)
        else:
            return unit, requests, None
    return None, None, reasons[0]


def _row(design, unit, requests, model):
    conditions = {}
    for name, request in requests.items():
        if reason := model.refusal(request):
            raise RefusedSample(unit.sample.id, reason)
        with torch.inference_mode():
            (trace,) = model.forward([request])
            (conditions[name],) = design.measure.reduce([Reduction(unit, name, request.sample, trace)])
    return design.measure.row(unit, conditions)
