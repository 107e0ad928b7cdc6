"""A second answer to execution and judging, written to be read: one request at a time, nothing merged, no plugin."""

from collections import Counter
from dataclasses import dataclass

import pytest
import torch

from vlaudit.errors import RefusedSample
from vlaudit.findings import decide, not_applicable
from vlaudit.measures.base import Reduction
from vlaudit.models.base import ForwardRequest
from vlaudit.perturbations import apply
from vlaudit.statistics import NoEstimate
from vlaudit.tables import IMAGE, UNIT, Table


def measure(design, samples, model, seed=0):
    """Return the table of a design and its units, every condition run by itself."""
    rows, units, refused = [], {}, Counter()
    if design.unfit(model.capabilities) is None:
        for unit in design.units(list(samples), seed):
            try:
                row = _row(design, unit, model, seed)
            except RefusedSample as refusal:
                refused[refusal.reason] += 1
                continue
            rows.append({UNIT: unit.id, IMAGE: unit.image_id, **(unit.facts or {}), **row})
            units[unit.id] = unit
    return Table.of(rows, refused=refused), units


def _row(design, unit, model, seed):
    conditions = {}
    for name, ask in design.asks(unit).items():
        sample = apply(ask.changes, ask.sample, seed)
        request = ForwardRequest(sample, ask.readings)
        if reason := model.refusal(request):
            raise RefusedSample(sample.id, reason)
        with torch.inference_mode():
            (trace,) = model.forward([request])
            (conditions[name],) = design.measure.reduce([Reduction(unit, name, sample, trace)])
    return design.measure.row(unit, conditions)


class Skipped(Exception):  # noqa: N818 (an outcome, as in pytest)
    """The test ended here, as not applicable."""


@dataclass
class Judge:
    """Judges as the plugin does, and keeps every verdict by its criterion; `competent` asks for competence first."""

    model: object
    design: object
    finding: str
    thresholds: object
    tables: dict
    verdicts: dict
    competent: bool = True

    @property
    def table(self):
        return self.tables(self.design)[0]

    @property
    def units(self):
        return self.tables(self.design)[1]

    def __call__(self, criterion_id, statistic, *, competence=None):
        if reason := self.design.unfit(self.model.capabilities):
            self.skip(criterion_id, reason)
        criterion = self._criterion(criterion_id)
        if self.competent and competence is not None:
            architecture = self.model.capabilities.architecture
            wanted = self.thresholds.competence(self.model.name, "scenes", self.finding, architecture=architecture)
            found = competence(self.table, alpha=0.05, seed=0)
            if isinstance(found, NoEstimate) or found.value < wanted:
                self.skip(criterion_id, f"cannot read these stimuli: {found}")
        self.verdicts[criterion_id] = decide(statistic(self.table, alpha=criterion.alpha, seed=0), criterion)

    def skip(self, criterion_id, reason):
        self.verdicts[criterion_id] = not_applicable(self._criterion(criterion_id), reason)
        raise Skipped

    def _criterion(self, criterion_id):
        architecture = self.model.capabilities.architecture
        return self.thresholds.criterion(
            self.model.name, "scenes", self.finding, criterion_id, "desirable", architecture=architecture
        )


def audit(module, model, tables, thresholds, *, competent=True, only=None):
    """Run the tests of an audit module on a model; return verdicts by criterion. `tables(design)` measures."""
    verdicts = {}
    for test, arguments, (finding, design) in tests_of(module):
        if only is not None and design is not only:
            continue
        judge = Judge(model, design, finding.id, thresholds, tables, verdicts, competent)
        try:
            test(judge, **arguments)
        except Skipped:
            continue
    return verdicts


def designs_of(module):
    """Return the designs of an audit module by their ids."""
    return {design.id: design for _, _, (_, design) in tests_of(module)}


def tests_of(module):
    """Yield every test of a module with its arguments and the arguments of its audit mark."""
    for name, test in vars(module).items():
        if not name.startswith("test_"):
            continue
        marks = {mark.name: mark for mark in getattr(test, "pytestmark", [])}
        if "parametrize" not in marks:
            yield test, {}, marks["audit"].args
            continue
        names, cases = marks["parametrize"].args
        for case in cases:
            (mark,) = (mark for mark in pytest.param(case).marks or case.marks if mark.name == "audit")
            yield test, dict(zip(names, case.values, strict=True)), mark.args
