"""From the table of a design to a decided criterion; the caller reports it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vlaudit.auditing.run import Run
from vlaudit.deciding import PASS_ERROR, decide
from vlaudit.errors import UsageError, VlauditError
from vlaudit.findings import AuditCase, Criterion, Outcome, Verdict, not_applicable
from vlaudit.statistics.base import NoEstimate, Statistic
from vlaudit.tables import Table


@dataclass(frozen=True)
class Decided:
    """The verdict on one case and model; `known_failure` is the reason why a failure was expected."""

    family: str
    case: AuditCase
    verdict: Verdict
    known_failure: str | None = None


@dataclass(frozen=True)
class NotDemanded:
    """A criterion without a bound for this model, which is not judged; with the reason."""

    reason: str


def fails(outcome: Outcome, *, gate: bool, known: str | None) -> bool:
    """Return whether an outcome fails the run; a known failure may fail or stay inconclusive, and nothing else."""
    if outcome == "not applicable":
        return False
    if known is not None:
        return outcome not in ("fail", "inconclusive")
    return outcome in ("fail", "error") or (gate and outcome == "inconclusive")


def judge(run: Run, family: str, case: AuditCase) -> Decided | NotDemanded:
    """Judge a case on one model.

    It is not applicable where the design does not suit the model, where the data contain no unit for it, or where the
    competence of the design (accuracy on unperturbed stimuli) is below the finding's threshold: a model that cannot
    read the stimuli is no evidence about the finding. A gate on drawn data draws more where the first look is
    inconclusive; every look has an equal share of the criterion's error. Raises `UsageError` where the thresholds file
    lacks the criterion.
    """
    criterion = criterion_of(run, family, case)
    if isinstance(criterion, NotDemanded):
        return criterion
    reason = case.unsupported(run.models[family].capabilities)
    verdict = not_applicable(criterion, reason) if reason else _judged(run, family, case, criterion)
    return Decided(family, case, verdict, run.known_failure(family, case))


def criterion_of(run: Run, family: str, case: AuditCase) -> Criterion | NotDemanded:
    """Return the criterion with its bound; a source may report none, the desirable property always needs one."""
    if case.only not in (None, run.options.expect):
        return NotDemanded(f"{case.id} is judged under --expect {case.only} alone")
    try:
        return run.thresholds.criterion(
            family,
            run.data_name,
            case.finding.id,
            case.name,
            run.options.expect,
            architecture=run.models.architecture(family),
        )
    except UsageError:
        if run.options.expect != "published":
            raise
        return NotDemanded(f"no source reports {case.id} for {family}: nothing to reproduce")


def _judged(run: Run, family: str, case: AuditCase, criterion: Criterion) -> Verdict:
    """Judge the looks one by one; what cannot be measured or estimated is an error of the criterion."""
    share = replace(criterion, alpha=criterion.alpha / run.looks)
    try:
        for look in range(run.looks):
            verdict = _look(run, family, case, share, run.table(family, case.design, look))
            if verdict.outcome != "inconclusive":
                break
    except VlauditError as error:
        return Verdict(share, "error", str(error))
    return verdict


def _look(run: Run, family: str, case: AuditCase, criterion: Criterion, table: Table) -> Verdict:
    if fault := _fault(run, table):
        # Photos without boxes, for example, contain no unit for some findings; a gate must not accept that.
        silent = not len(table) and not run.options.gate
        return not_applicable(criterion, fault) if silent else Verdict(criterion, "error", fault)
    if reason := _without_rows(case.statistic, table):
        return not_applicable(criterion, reason)
    competence = case.competence(run.models[family].capabilities)
    if competence is not None and (reason := _incompetent(run, family, case, competence, table)):
        return not_applicable(criterion, reason)
    return decide(case.statistic, table, criterion, seed=run.options.seed, pass_error=PASS_ERROR / run.looks)


def _fault(run: Run, table: Table) -> str | None:
    """Return why a table cannot be judged: it has no unit, or too many units were refused."""
    refused = sum(table.refused.values())
    reason, count = max(table.refused.items(), key=lambda item: item[1], default=("", 0))
    if refused > run.thresholds.refused_at_most * table.planned:
        return (
            f"{refused} of {table.planned} units were refused, at most {run.thresholds.refused_at_most:.0%} may be; "
            f"{count} because {reason}"
        )
    if not table.planned:
        return f"{run.data.describe()}: no sample has what this finding needs"
    return None


def _without_rows(statistic: Statistic, table: Table) -> str | None:
    """Return why no unit of the table belongs to a statistic that reads only some of them, or None."""
    where = getattr(statistic, "where", None)
    if where is None or isinstance(where, str) or (table[where[0]] == where[1]).any():
        return None
    return f"none of the {len(table)} units measured in these data has the {where[0]} {where[1]!r}"


def _incompetent(run: Run, family: str, case: AuditCase, competence: Statistic, table: Table) -> str | None:
    architecture = run.models.architecture(family)
    needed = run.thresholds.competence(family, run.data_name, case.finding.id, architecture=architecture)
    found = competence(table, alpha=run.thresholds.alpha, seed=run.options.seed)
    if isinstance(found, NoEstimate):
        return f"competence on these stimuli cannot be estimated: {found.reason}"
    if needed is not None and found.value < needed:
        return f"the model cannot read these stimuli: {found} on the unperturbed condition, at least {needed:g} needed"
    return None
