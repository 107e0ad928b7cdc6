"""From the table of a design to a decided criterion; the caller reports it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from vlaudit.auditing.run import Run
from vlaudit.errors import UsageError
from vlaudit.findings import Criterion, Design, Finding, Verdict, decide, not_applicable
from vlaudit.measures.base import Unit
from vlaudit.models.base import ModelAdapter
from vlaudit.statistics.base import NoEstimate, Statistic
from vlaudit.tables import Table


@dataclass(frozen=True)
class Decided:
    """A verdict with whose it is; `known_failure` says why a failure was expected."""

    family: str
    finding: Finding
    verdict: Verdict
    known_failure: str | None = None


@dataclass(frozen=True)
class NotDemanded:
    """Nothing is demanded of a criterion, so nothing is judged; `reason` says why."""

    reason: str


class Judge:
    """Judges the criteria of one finding on one model.

    `table` holds what the design measured, `units` what its rows are about, `model` answers for its capabilities.
    """

    def __init__(self, run: Run, family: str, finding: Finding, design: Design) -> None:
        self._run = run
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

    def __call__(
        self, criterion_id: str, statistic: Statistic, *, competence: Statistic | None = None
    ) -> Decided | NotDemanded:
        """Judge a criterion by a statistic of the table; it does not apply where the design does not fit the model.

        Where `competence`, the same model on the plain condition, lies below the finding's threshold, the criterion is
        not applicable: a model that cannot read the stimuli says nothing about the finding. A gate on drawn data draws
        more where the first look does not decide; every look has an equal part of the criterion's error. Raises
        `UsageError` where the thresholds file lacks the criterion.
        """
        if reason := self.design.unfit(self.model.capabilities):
            return self.not_applicable(criterion_id, reason)
        criterion = self._criterion(criterion_id)
        if isinstance(criterion, NotDemanded):
            return criterion
        share = replace(criterion, alpha=criterion.alpha / self._run.looks)
        for look in range(self._run.looks):
            verdict = self._look(share, statistic, competence, look)
            if verdict.outcome != "inconclusive":
                break
        return self._decided(verdict)

    def _look(self, criterion: Criterion, statistic: Statistic, competence: Statistic | None, look: int) -> Verdict:
        table, seed = self._run.table(self.family, self.design, look), self._run.options.seed
        if fault := self._fault(table):
            # Photos without boxes, say, cannot be asked this at all; a gate must not take that for an answer.
            silent = not len(table) and not self._run.options.gate
            return not_applicable(criterion, fault) if silent else Verdict(criterion, "error", fault)
        if reason := self._incompetent(competence, table):
            return not_applicable(criterion, reason)
        return decide(statistic(table, alpha=criterion.alpha, seed=seed), criterion)

    def not_applicable(self, criterion_id: str, reason: str) -> Decided | NotDemanded:
        """Decide that a criterion does not apply to this model."""
        criterion = self._criterion(criterion_id)
        return criterion if isinstance(criterion, NotDemanded) else self._decided(not_applicable(criterion, reason))

    def _criterion(self, criterion_id: str) -> Criterion | NotDemanded:
        """Return what is demanded; a source may report nothing, the desirable property needs a bound in any case."""
        run, finding = self._run, self.finding
        try:
            return run.thresholds.criterion(self.family, run.data_name, finding.id, criterion_id, run.options.expect)
        except UsageError:
            if run.options.expect != "published":
                raise
            return NotDemanded(f"no source reports {finding.id}.{criterion_id} for {self.family}: nothing to reproduce")

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
        wanted = self._run.thresholds.competence(self.family, self._run.data_name, self.finding.id)
        found = competence(table, alpha=self._run.thresholds.alpha, seed=self._run.options.seed)
        if isinstance(found, NoEstimate):
            return f"the model cannot be shown to read these stimuli: {found.reason}"
        if wanted is not None and found.value < wanted:
            return f"the model cannot read these stimuli: {found} on the plain condition, at least {wanted:g} is needed"
        return None

    def _decided(self, verdict: Verdict) -> Decided:
        """Return the verdict with the known failure that the thresholds list for these weights, if any."""
        options = self._run.options
        known = self._run.thresholds.known_failure(
            verdict.criterion.id, self.family, self.model.fingerprint, options.limit, options.seed
        )
        return Decided(self.family, self.finding, verdict, known)
