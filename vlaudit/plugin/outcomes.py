"""Pytest outcome of a decided criterion: pass, skip, xfail, or fail without a traceback."""

from __future__ import annotations

from typing import Any

import pytest

from vlaudit.auditing.cases import MARK, check_marks, make_case
from vlaudit.auditing.judging import Decided, NotDemanded, judge, judges_competence
from vlaudit.auditing.record import VerdictRecord, text_fields
from vlaudit.auditing.run import Run
from vlaudit.errors import UsageError
from vlaudit.findings import AuditCase, Finding
from vlaudit.reporting.document import fails

RUN: pytest.StashKey[Run] = pytest.StashKey()
"""Key of the run in the stash of a session."""

DECIDED: pytest.StashKey[Decided] = pytest.StashKey()
"""Key of the decided criterion in the stash of an item."""

PROPERTY = "vlaudit"
"""Name of the test property that carries a verdict; properties arrive from the workers of pytest-xdist."""

_NUMBERS = ("outcome", "value", "low", "high", "bound", "clusters")  # as properties of their own, for JUnit XML

CASE: pytest.StashKey[AuditCase] = pytest.StashKey()
"""Key of the audit case in the stash of an item."""


class Judge:
    """The judge of a test: calling it judges the case of the test's mark, and ends the test with the outcome."""

    def __init__(self, run: Run, family: str, item: pytest.Item) -> None:
        self._run, self._family, self._item = run, family, item
        self.case = case_of(item)

    def __call__(self) -> None:
        """Judge the case and report it."""
        try:
            decided = judge(self._run, self._family, self.case)
        except UsageError as error:
            pytest.fail(str(error), pytrace=False)
        if isinstance(decided, NotDemanded):
            pytest.skip(decided.reason)
        self._item.stash[DECIDED] = decided
        report(decided, gate=self._run.options.gate)


def report(decided: Decided, *, gate: bool) -> None:
    """End a test with the outcome of its criterion; return if it passed."""
    verdict, known = decided.verdict, decided.known_failure
    if fails(verdict.outcome, gate=gate, as_known=decided.as_known):
        pytest.fail(_explained(decided, gate=gate), pytrace=False)
    if verdict.outcome == "not applicable":
        pytest.skip(verdict.reason)
    if verdict.outcome != "pass":
        pytest.xfail(verdict.reason if known is None else f"known failure: {known.why}")


def _explained(decided: Decided, *, gate: bool) -> str:
    finding, verdict = decided.case.finding, decided.verdict
    if decided.as_known is False:
        return decided.known_failure_message()
    claim = decided.case.explanation if judges_competence(decided.case) else finding.claim
    lines = [f"{verdict.criterion.id}: {verdict.outcome}", f"  claim: {claim}", f"  found: {verdict.reason}"]
    if gate and verdict.outcome == "inconclusive":
        lines.append("  --gate requires a decision: more data (--limit N) would give one")
    return "\n".join([*lines, f"  why this bound: {verdict.criterion.why}"])


def family_of(item: pytest.Item) -> str | None:
    """Return the family that a test audits, or None for a test that audits none."""
    callspec = getattr(item, "callspec", None)
    return None if callspec is None else callspec.params.get("model")


def audited(item: pytest.Item) -> tuple[str, AuditCase] | None:
    """Return the family and the case of an audit's test, or None for any other test."""
    family = family_of(item)
    return None if item.get_closest_marker(MARK) is None or family is None else (family, case_of(item))


def case_of(item: pytest.Item) -> AuditCase:
    """Return the case of a test by its `audit` mark; `UsageError` where the mark is incomplete."""
    if CASE not in item.stash:
        mark, callspec = item.get_closest_marker(MARK), getattr(item, "callspec", None)
        parameters = {} if callspec is None else {k: v for k, v in callspec.params.items() if k != "model"}
        test = getattr(item, "function", None)
        check_marks(item.nodeid, list(item.iter_markers(MARK)))
        try:
            item.stash[CASE] = make_case(mark, item.originalname, parameters, test.__doc__)  # type: ignore[attr-defined]
        except UsageError as error:
            raise UsageError(f"{item.path.name}::{error}") from None
    return item.stash[CASE]


def judge_of(request: pytest.FixtureRequest) -> Judge:
    """Return the judge of a test; `pytest.UsageError` where it has no `audit` mark."""
    family = family_of(request.node)
    if request.node.get_closest_marker(MARK) is None or family is None:
        raise pytest.UsageError(
            f"{request.node.nodeid}: `judge` needs a mark, @pytest.mark.audit(FINDING, DESIGN, STATISTIC)"
        )
    return Judge(request.config.stash[RUN], family, request.node)


def takes_judge(item: pytest.Item) -> bool:
    """Return whether a test takes the fixture `judge`; one that takes `model` alone makes assertions of its own."""
    return "judge" in getattr(item, "fixturenames", ())


def check_fixtures(item: pytest.Item) -> None:
    """Raise `UsageError` for a test with a finding in its `audit` mark that takes neither `judge` nor `model`."""
    mark = item.get_closest_marker(MARK)
    findings = [arg for arg in mark.args if isinstance(arg, Finding)] if mark else []
    if findings and not {"judge", "model"} & set(getattr(item, "fixturenames", ())):
        raise UsageError(f"{item.nodeid}: an audit's test must take the fixture judge and call it: judge()")


def fail_unjudged(item: pytest.Item, report: pytest.TestReport) -> None:
    """Fail an audit's test that takes the judge and passed without calling it."""
    if report.passed and takes_judge(item) and audited(item) is not None and DECIDED not in item.stash:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: an audit's test must call judge(), this one judged nothing"


def attach(item: pytest.Item, duration: float) -> None:
    """Add the verdict of a test to its properties."""
    decided = item.stash.get(DECIDED, None)
    if decided is None:
        return
    verdict = VerdictRecord.of(decided, duration)
    numbers = ((name, getattr(verdict.criterion, name)) for name in _NUMBERS)
    item.user_properties += [(name, value) for name, value in numbers if value is not None]
    item.user_properties.append((PROPERTY, verdict.model_dump_json()))


def text_of(item: pytest.Item) -> dict[str, Any]:
    """Return the finding of an audit's test as plain values: a worker that is stopped later sends nothing else."""
    one = audited(item)
    return {} if one is None else {"findings": [text_fields(one[1].finding)]}
