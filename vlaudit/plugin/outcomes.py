"""What pytest reports for a decided criterion: pass, skip, xfail, or fail without a traceback."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from vlaudit.auditing.judging import Decided, Judge, NotDemanded
from vlaudit.auditing.record import properties
from vlaudit.auditing.run import Run
from vlaudit.errors import UsageError
from vlaudit.findings import Design, Finding
from vlaudit.measures.base import Unit
from vlaudit.models.base import ModelAdapter
from vlaudit.statistics.base import Statistic
from vlaudit.tables import Table

RUN: pytest.StashKey[Run] = pytest.StashKey()
"""Key of the run in the stash of a session."""

DECIDED: pytest.StashKey[Decided] = pytest.StashKey()
"""Key of the decided criterion in the stash of an item."""


class ReportingJudge:
    """The judge of a test: it ends the test with the outcome of the criterion."""

    def __init__(self, judge: Judge, item: pytest.Item, *, gate: bool) -> None:
        self._judge, self._item, self._gate = judge, item, gate

    @property
    def model(self) -> ModelAdapter:
        """The model under audit."""
        return self._judge.model

    @property
    def table(self) -> Table:
        """One row per unit of the design."""
        return self._judge.table

    @property
    def units(self) -> Mapping[str, Unit]:
        """The units of the design's rows, by `unit_id`."""
        return self._judge.units

    def __call__(self, criterion_id: str, statistic: Statistic, *, competence: Statistic | None = None) -> None:
        """Judge a criterion by a statistic of the table and report it."""
        try:
            decided = self._judge(criterion_id, statistic, competence=competence)
        except UsageError as error:
            pytest.fail(str(error), pytrace=False)
        self._report(decided)

    def skip(self, criterion_id: str, reason: str) -> None:
        """Report that a criterion does not apply to this model; the test ends here."""
        try:
            decided = self._judge.not_applicable(criterion_id, reason)
        except UsageError as error:
            pytest.fail(str(error), pytrace=False)
        self._report(decided)

    def _report(self, decided: Decided | NotDemanded) -> None:
        if isinstance(decided, NotDemanded):
            pytest.skip(decided.reason)
        self._item.stash[DECIDED] = decided
        report(decided, gate=self._gate)


def report(decided: Decided, *, gate: bool) -> None:
    """End a test with the outcome of its criterion; return if it passed."""
    verdict = decided.verdict
    if verdict.outcome == "not applicable":
        pytest.skip(verdict.reason)
    if decided.known_failure is not None:
        _expect_failure(decided)
    elif verdict.outcome == "inconclusive" and not gate:
        pytest.xfail(verdict.reason)
    elif verdict.outcome != "pass":
        pytest.fail(_explained(decided, gate=gate), pytrace=False)


def _expect_failure(decided: Decided) -> None:
    """Accept a fail or inconclusive outcome of a known failure; report an error or a pass as a failure."""
    verdict, known = decided.verdict, decided.known_failure
    if verdict.outcome in ("fail", "inconclusive"):
        pytest.xfail(f"known failure: {known}")
    pytest.fail(
        f"{verdict.criterion.id} is listed under known_failures ({known}), but it did not fail: {verdict.outcome}, "
        f"{verdict.reason}; take it off the list",
        pytrace=False,
    )


def _explained(decided: Decided, *, gate: bool) -> str:
    finding, verdict = decided.finding, decided.verdict
    lines = [f"{verdict.criterion.id}: {verdict.outcome}", f"  claim: {finding.claim}", f"  found: {verdict.reason}"]
    if gate and verdict.outcome == "inconclusive":
        lines.append("  --gate asks for a decision: more data (--limit N) would give one")
    return "\n".join([*lines, f"  why this bound: {verdict.criterion.why}"])


def family_of(item: pytest.Item) -> str | None:
    """Return the family that a test audits, or None for a test that audits none."""
    callspec = getattr(item, "callspec", None)
    return None if callspec is None else callspec.params.get("model")


def audited(item: pytest.Item) -> tuple[str, Finding, Design] | None:
    """Return the family, finding and design of an audit's test, or None for any other test."""
    mark, family = item.get_closest_marker("audit"), family_of(item)
    return None if mark is None or family is None else (family, *mark.args)


def judge_of(request: pytest.FixtureRequest) -> ReportingJudge:
    """Return the judge of a test by its `audit` mark; `pytest.UsageError` where it has none."""
    mark, family = request.node.get_closest_marker("audit"), family_of(request.node)
    if mark is None or len(mark.args) != 2 or family is None:
        raise pytest.UsageError(f"{request.node.nodeid}: `judge` needs a mark, @pytest.mark.audit(FINDING, DESIGN)")
    run = request.config.stash[RUN]
    return ReportingJudge(Judge(run, family, *mark.args), request.node, gate=run.options.gate)


def attach(item: pytest.Item, duration: float) -> None:
    """Put the decided criterion of a test into its properties."""
    decided = item.stash.get(DECIDED, None)
    if decided is not None:
        item.user_properties += properties(decided, duration)
