"""From an estimate to what pytest reports: pass, fail without a traceback, xfail, skip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

import pytest

from vlaudit.findings import Criterion, Design, Finding, Verdict, decide, not_applicable
from vlaudit.measures.base import Unit
from vlaudit.models.base import ModelAdapter
from vlaudit.plugin.run import RUN, Run
from vlaudit.statistics.base import NoEstimate, Statistic
from vlaudit.tables import Table

VERDICT: pytest.StashKey[Verdict] = pytest.StashKey()
"""Where an item keeps its verdict."""


class Judge:
    """Judges the criteria of one finding on one model; what an audit's test is given.

    `table` holds what the design measured, `units` what its rows are about, `model` answers for its capabilities.
    """

    def __init__(self, run: Run, family: str, finding: Finding, design: Design, item: pytest.Item) -> None:
        self._run, self._item = run, item
        self.family, self.finding, self.design = family, finding, design

    @property
    def model(self) -> ModelAdapter:
        """The model under audit."""
        return self._run.models[self.family]

    @property
    def table(self) -> Table:
        """One row a unit of the design."""
        return self._run.measured(self.family).tables[self.design.id]

    @property
    def units(self) -> Mapping[str, Unit]:
        """What the rows are about, by `unit_id`."""
        return self._run.measured(self.family).units[self.design.id]

    def __call__(self, criterion_id: str, statistic: Statistic, *, competence: Statistic | None = None) -> None:
        """Judge a criterion by a statistic of the table.

        Where `competence`, the same model on the plain condition, lies below the finding's threshold, the criterion is
        not applicable: a model that cannot read the stimuli says nothing about the finding.
        """
        criterion = self._criterion(criterion_id)
        reason = self._incompetent(competence) or self._too_many_refused()
        if reason is not None:
            self._report(not_applicable(criterion, reason))
        estimate = statistic(self.table, alpha=criterion.alpha, seed=self._run.options.seed)
        self._report(decide(estimate, criterion))

    def skip(self, criterion_id: str, reason: str) -> NoReturn:
        """Report that a criterion does not apply to this model."""
        self._report(not_applicable(self._criterion(criterion_id), reason))
        raise AssertionError("unreachable")  # a verdict that is not applicable skips

    def _criterion(self, criterion_id: str) -> Criterion:
        options = self._run.options
        data = options.data.partition(":")[0]
        return self._run.thresholds.criterion(self.family, data, self.finding.id, criterion_id, options.expect)

    def _incompetent(self, competence: Statistic | None) -> str | None:
        if competence is None:
            return None
        options = self._run.options
        wanted = self._run.thresholds.competence(self.family, options.data.partition(":")[0], self.finding.id)
        found = competence(self.table, alpha=0.05, seed=options.seed)
        if isinstance(found, NoEstimate):
            return f"the model cannot be shown these stimuli: {found.reason}"
        if wanted is not None and found.value < wanted:
            return f"the model cannot read these stimuli: {found} on the plain condition, at least {wanted:g} is needed"
        return None

    def _too_many_refused(self) -> str | None:
        return None

    def _report(self, verdict: Verdict) -> None:
        self._item.stash[VERDICT] = verdict
        text = (
            f"{self.finding.claim}\n{verdict.criterion.id}: {verdict.reason}\nwhy this bound: {verdict.criterion.why}"
        )
        if verdict.outcome == "not applicable":
            pytest.skip(verdict.reason)
        if verdict.outcome in ("fail", "error"):
            pytest.fail(text, pytrace=False)
        if verdict.outcome == "inconclusive":
            if self._run.options.gate:
                pytest.fail(f"inconclusive, and --gate asks for a decision\n{text}", pytrace=False)
            pytest.xfail(verdict.reason)


def judge_of(request: pytest.FixtureRequest) -> Judge:
    """Return the judge of a test by its `audit` mark; a test without one is told how to get it."""
    mark = request.node.get_closest_marker("audit")
    if mark is None or len(mark.args) != 2:
        raise pytest.UsageError(f"{request.node.nodeid}: `judge` needs a mark, @pytest.mark.audit(FINDING, DESIGN)")
    finding, design = mark.args
    family = request.node.callspec.params["model"]
    return Judge(request.config.stash[RUN], family, finding, design, request.node)
