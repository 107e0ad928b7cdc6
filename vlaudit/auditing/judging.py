"""From the table of a design to a decided criterion; the caller reports it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

import polars as pl

from vlaudit.auditing.run import Run
from vlaudit.deciding import PASS_ERROR, decide
from vlaudit.errors import UsageError, VlauditError
from vlaudit.findings import AuditCase, Criterion, Design, Verdict, not_applicable
from vlaudit.known_failures import KnownFailure
from vlaudit.statistics.base import Statistic
from vlaudit.tables import Table

MOST_COMMON = 3
"""Number of reasons for refused units in a message."""

UNREAD = "this model does not read drawn scenes; use --data"


@dataclass(frozen=True)
class Decided:
    """The verdict on one case and model; `known_failure` is the entry about this criterion and checkpoint, if any."""

    family: str
    case: AuditCase
    verdict: Verdict
    known_failure: KnownFailure | None = None

    @property
    def as_known(self) -> bool | None:
        """True if the outcome is the one of the known failure; None without an entry or without a value.

        An inconclusive criterion without an interval, from too few images, contradicts no range.
        """
        entry, outcome, estimate = self.known_failure, self.verdict.outcome, self.verdict.estimate
        if entry is not None and estimate is not None:
            return entry.expects(outcome, estimate.value, estimate.low, estimate.high)
        return True if entry is not None and outcome == "inconclusive" else None

    def known_failure_message(self) -> str:
        """Return why an outcome is not that of the known failure, and what to do."""
        entry, verdict = self.known_failure, self.verdict
        if entry is None:
            return ""
        what = "no longer fails" if verdict.outcome == "pass" else "left its range"
        return (
            f"{entry.criterion} is listed under known_failures with a value from {entry.low:g} to {entry.high:g} "
            f"({entry.why}), but it {what}: {verdict.outcome}, {verdict.reason}; update or delete the entry"
        )


@dataclass(frozen=True)
class NotDemanded:
    """A criterion without a bound for this model, which is not judged; with the reason."""

    reason: str


def judges_competence(case: AuditCase) -> bool:
    """Return whether a case judges the competence of its design: whether the model can read the stimuli."""
    return case.design.competence is not None and case.statistic is case.design.competence


def judge(run: Run, family: str, case: AuditCase) -> Decided | NotDemanded:
    """Judge a case on one model.

    It is not applicable where the design does not suit the model and where the data contain no unit for it. The
    competence of its design is decided first: a model that cannot read the stimuli is no evidence about the finding. A
    gate on drawn data draws more where the first look is inconclusive; every look has an equal share of the criterion's
    error. Raises `UsageError` where the thresholds file lacks the criterion.
    """
    criterion = criterion_of(run, family, case)
    if isinstance(criterion, NotDemanded):
        return criterion
    reason = case.unsupported(run.models.capabilities(family)) or _undefined_competence(run, family, case)
    verdict = not_applicable(criterion, reason) if reason else _judged(run, family, case, criterion)
    return Decided(family, case, verdict, _known_failure(run, family, case, verdict))


def _known_failure(run: Run, family: str, case: AuditCase, verdict: Verdict) -> KnownFailure | None:
    """Return the known failure of a case, or that of its competence where this is why it has no estimate."""
    known = run.known_failure(family, case.finding.id, case.name)
    if known is not None or verdict.estimate is not None or verdict.outcome != "inconclusive":
        return known
    return run.known_failure(family, case.finding.id, competence_name(case.design))


def competence_name(design: Design) -> str:
    """Return the name of the criterion of a design's competence, within its finding."""
    return f"competence[{design.part}]"


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


def _undefined_competence(run: Run, family: str, case: AuditCase) -> str | None:
    """Return why the competence that a case judges is not defined for a model, or None."""
    if not judges_competence(case) or case.competence(run.models.capabilities(family)) is not None:
        return None
    return f"competence is not judged: this model does not have what it requires ({case.design.competence_requires})"


def _judged(run: Run, family: str, case: AuditCase, criterion: Criterion) -> Verdict:
    """Judge the looks one by one; what cannot be measured is an error of the criterion."""
    try:
        if judges_competence(case):
            return _judged_competence(run, family, case, criterion)
        return _until_decided(_look(run, family, case, criterion, look) for look in range(run.looks))
    except VlauditError as error:
        return Verdict(criterion, "error", str(error))


def _until_decided(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the first verdict that is not inconclusive, else the last."""
    for verdict in verdicts:
        if verdict.outcome != "inconclusive":
            break
    return verdict


def _look(run: Run, family: str, case: AuditCase, criterion: Criterion, look: int) -> Verdict:
    unreadable = _unreadable(run, family, case, criterion, look)
    return unreadable or _decided(run, family, case.design, case.statistic, criterion, look=look)


def _decided(
    run: Run, family: str, design: Design, statistic: Statistic, criterion: Criterion, *, look: int
) -> Verdict:
    """Decide a statistic on all samples up to a look, with the look's share of the error."""
    criterion = replace(criterion, alpha=criterion.alpha / run.looks)
    table = run.table(family, design, look)
    if reason := _without_units(run, statistic, table):
        return not_applicable(criterion, reason)
    return decide(
        statistic,
        table,
        criterion,
        seed=run.options.seed,
        images=run.images(look),
        pass_error=PASS_ERROR / run.looks,
    )


def _without_units(run: Run, statistic: Statistic, table: Table) -> str | None:
    """Return why the data contain no unit for a statistic, or None."""
    if not table.planned:
        return f"{run.data.describe()}: no sample has what this finding needs"
    if not len(table) and not len(table.unanswered):
        common = Counter(table.refused).most_common(MOST_COMMON)
        reasons = "; ".join(f"{count} because {reason}" for reason, count in common)
        return f"none of the {table.planned} units can be measured in these data: {reasons}"
    where = getattr(statistic, "where", None)
    column, wanted = (where, True) if isinstance(where, str) else where or ("", None)
    if not column or any((frame[column] == wanted).any() for frame in _frames_with(table, column)):
        return None
    return f"none of the {len(table)} units measured in these data has the {column} {wanted!r}"


def _frames_with(table: Table, column: str) -> list[pl.DataFrame]:
    """Return the measured and the unanswered units of a table, where they have this column."""
    return [frame for frame in (table.frame, table.unanswered) if column in frame.columns]


def _judged_competence(run: Run, family: str, case: AuditCase, criterion: Criterion) -> Verdict:
    found = _competence(run, family, case.design, case.statistic, criterion, last=run.looks - 1)
    if found.outcome != "fail" or _must_read(run, family):
        return found
    return replace(found, outcome="not applicable", reason=f"{UNREAD} ({found.reason})")


def _competence(run: Run, family: str, design: Design, statistic: Statistic, bound: Criterion, *, last: int) -> Verdict:
    """Return the verdict on the competence of a design, on the looks up to the last one."""

    def decided(look: int) -> Verdict:
        key = family, design.id, bound.id, look
        if key not in run.competences:  # all criteria of the design need it
            run.competences[key] = _decided(run, family, design, statistic, bound, look=look)
        return run.competences[key]

    return _until_decided(map(decided, range(last + 1)))


def _must_read(run: Run, family: str) -> bool:
    """Return whether a model fails if it cannot read the stimuli.

    True for a gate, for data that the user named, and for bundled weights, which were trained on drawn scenes.
    """
    return run.options.gate or run.options.data != "scenes" or run.models.is_bundled(family)


def _unreadable(run: Run, family: str, case: AuditCase, criterion: Criterion, look: int) -> Verdict | None:
    """Return the verdict on a case whose model is not known to read the stimuli; None if it is."""
    capabilities = run.models.capabilities(family)
    bound = run.thresholds.find_criterion(
        family,
        run.data_name,
        case.finding.id,
        competence_name(case.design),
        "desirable",
        architecture=capabilities.architecture,
    )
    statistic = case.competence(capabilities)
    if statistic is None or bound is None:
        return None
    found = _competence(run, family, case.design, statistic, bound, last=look)
    if found.outcome == "pass":
        return None
    reason = f"{bound.id}: {found.reason}"
    if found.outcome != "fail":
        unknown = f"it is not decided whether the model can read these stimuli ({reason})"
        return replace(found, criterion=criterion, reason=unknown, estimate=None)
    if not _must_read(run, family):
        return not_applicable(criterion, f"{UNREAD} ({reason})")
    if run.options.expect == "published":  # no source reports competence, so that no criterion of it is judged
        return not_applicable(criterion, f"the model cannot read these stimuli, so nothing can reproduce ({reason})")
    if _is_selected(run, family, case.design):
        return not_applicable(criterion, f"the model cannot read these stimuli ({reason})")
    return Verdict(
        criterion, "fail", f"the model cannot read these stimuli, and their criterion is not selected ({reason})"
    )


def _is_selected(run: Run, family: str, design: Design) -> bool:
    """Return whether a selected case judges the competence of a design on a model, which then fails."""
    return any(
        judges_competence(case)
        and case.design.id == design.id
        and not case.unsupported(run.models.capabilities(family))
        and isinstance(criterion_of(run, family, case), Criterion)
        for case in run.cases_of(family)
    )
