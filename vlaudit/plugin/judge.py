"""From an estimate to what pytest reports: pass, fail without a traceback, xfail, skip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest

from vlaudit.errors import UsageError
from vlaudit.findings import Criterion, Design, Finding, Verdict, decide, not_applicable
from vlaudit.measures.base import Unit
from vlaudit.models.base import ModelAdapter
from vlaudit.plugin.run import RUN, Run, family_of
from vlaudit.statistics.base import NoEstimate, Statistic
from vlaudit.tables import Table


@dataclass(frozen=True)
class Decided:
    """A verdict with whose it is; `known_failure` says why a failure was expected."""

    family: str
    finding: Finding
    verdict: Verdict
    known_failure: str | None = None


DECIDED: pytest.StashKey[Decided] = pytest.StashKey()
"""Where an item keeps what was decided."""


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
        return self._run.table(self.family, self.design)

    @property
    def units(self) -> Mapping[str, Unit]:
        """What the rows are about, by `unit_id`."""
        return self._run.units(self.family, self.design)

    def __call__(self, criterion_id: str, statistic: Statistic, *, competence: Statistic | None = None) -> None:
        """Judge a criterion by a statistic of the table; it does not apply where the design does not fit the model.

        Where `competence`, the same model on the plain condition, lies below the finding's threshold, the criterion is
        not applicable: a model that cannot read the stimuli says nothing about the finding. A gate on drawn data draws
        more where the first look does not decide; every look has an equal part of the criterion's error.
        """
        if reason := self.design.unfit(self.model.capabilities):
            self.skip(criterion_id, reason)
        criterion = self._criterion(criterion_id)
        share = replace(criterion, alpha=criterion.alpha / self._run.looks)
        for look in range(self._run.looks):
            verdict = self._look(share, statistic, competence, look)
            if verdict.outcome != "inconclusive":
                break
        self._report(verdict)

    def _look(self, criterion: Criterion, statistic: Statistic, competence: Statistic | None, look: int) -> Verdict:
        table, seed = self._run.table(self.family, self.design, look), self._run.options.seed
        if fault := self._fault(table):
            # Photos without boxes, say, cannot be asked this at all; a gate must not take that for an answer.
            silent = not len(table) and not self._run.options.gate
            return not_applicable(criterion, fault) if silent else Verdict(criterion, "error", fault)
        if reason := self._incompetent(competence, table):
            return not_applicable(criterion, reason)
        return decide(statistic(table, alpha=criterion.alpha, seed=seed), criterion)

    def skip(self, criterion_id: str, reason: str) -> None:
        """Report that a criterion does not apply to this model; the test ends here."""
        self._report(not_applicable(self._criterion(criterion_id), reason))

    def _criterion(self, criterion_id: str) -> Criterion:
        """Return what is demanded; where nothing is, a source is silent (skip) or a thresholds file lacks it (fail)."""
        run, finding = self._run, self.finding
        try:
            return run.thresholds.criterion(
                self.family,
                run.data_name,
                finding.id,
                criterion_id,
                run.options.expect,
                architecture=self.model.capabilities.architecture,
            )
        except UsageError as error:
            if run.options.expect == "published":
                pytest.skip(f"no source reports {finding.id}.{criterion_id} for {self.family}: nothing to reproduce")
            pytest.fail(str(error), pytrace=False)

    def _fault(self, table: Table) -> str | None:
        """Say why a table cannot be judged: nothing in it, or too much left out of it."""
        refused = sum(table.refused.values())
        most = max(table.refused.items(), key=lambda item: item[1], default=("", 0))
        if refused > self._run.thresholds.refused_at_most * table.planned:
            return (
                f"{refused} of {table.planned} units were refused, at most "
                f"{self._run.thresholds.refused_at_most:.0%} may be; {most[1]} because {most[0]}"
            )
        if not table.planned:
            return f"{self._run.data.describe()}: no sample has what this finding asks for"
        return None

    def _incompetent(self, competence: Statistic | None, table: Table) -> str | None:
        if competence is None:
            return None
        wanted = self._run.thresholds.competence(
            self.family, self._run.data_name, self.finding.id, architecture=self.model.capabilities.architecture
        )
        found = competence(table, alpha=self._run.thresholds.alpha, seed=self._run.options.seed)
        if isinstance(found, NoEstimate):
            return f"the model cannot be shown to read these stimuli: {found.reason}"
        if wanted is not None and found.value < wanted:
            return f"the model cannot read these stimuli: {found} on the plain condition, at least {wanted:g} is needed"
        return None

    def _report(self, verdict: Verdict) -> None:
        """Tell pytest, and keep the verdict for the report."""
        options = self._run.options
        known = self._run.known_failure(self.family, verdict.criterion.id)
        self._item.stash[DECIDED] = Decided(self.family, self.finding, verdict, known)
        if verdict.outcome == "not applicable":
            pytest.skip(verdict.reason)
        if known is not None:
            _expect_failure(verdict, known)
        elif verdict.outcome == "inconclusive" and not options.gate:
            pytest.xfail(verdict.reason)
        elif verdict.outcome != "pass":
            pytest.fail(_explained(self.finding, verdict, gate=options.gate), pytrace=False)


def _expect_failure(verdict: Verdict, known: str) -> None:
    """Accept of what is known to fail that it fails, or that the data do not decide it; never an error, nor a pass."""
    if verdict.outcome in ("fail", "inconclusive"):
        pytest.xfail(f"known failure: {known}")
    pytest.fail(
        f"{verdict.criterion.id} is listed under known_failures ({known}), but it did not fail: {verdict.outcome}, "
        f"{verdict.reason}; take it off the list",
        pytrace=False,
    )


def _explained(finding: Finding, verdict: Verdict, *, gate: bool) -> str:
    lines = [f"{verdict.criterion.id}: {verdict.outcome}", f"  claim: {finding.claim}", f"  found: {verdict.reason}"]
    if gate and verdict.outcome == "inconclusive":
        lines.append("  --gate asks for a decision: more data (--limit N) would give one")
    return "\n".join([*lines, f"  why this bound: {verdict.criterion.why}"])


def judge_of(request: pytest.FixtureRequest) -> Judge:
    """Return the judge of a test by its `audit` mark; a test without one is told how to get it."""
    mark, family = request.node.get_closest_marker("audit"), family_of(request.node)
    if mark is None or len(mark.args) != 2 or family is None:
        raise pytest.UsageError(f"{request.node.nodeid}: `judge` needs a mark, @pytest.mark.audit(FINDING, DESIGN)")
    finding, design = mark.args
    return Judge(request.config.stash[RUN], family, finding, design, request.node)
