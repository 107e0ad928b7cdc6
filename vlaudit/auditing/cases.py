"""Collect the cases of audit modules without pytest: from functions that carry the `audit` mark."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from types import ModuleType
from typing import Any, get_args

from vlaudit.auditing.options import Expect
from vlaudit.auditing.run import Run
from vlaudit.errors import UsageError, nearest
from vlaudit.findings import AuditCase, Design, Finding, case_name
from vlaudit.statistics.base import Statistic

MARK = "audit"
"""Name of the mark that makes a test an audit."""

ARGUMENTS = ("not_for", "only")
"""Arguments of the mark that are given by name."""


def cases_of(module: ModuleType) -> list[AuditCase]:
    """Return the cases of a module in the order of its tests, in classes too, parametrizations expanded.

    Tests with the mark `skip`, or `skipif` with a true value, are left out, as pytest does. Raises `UsageError` where
    a test has two `audit` marks.
    """
    classes = (one for name, one in vars(module).items() if inspect.isclass(one) and name.startswith("Test"))
    owners: list[Any] = [module, *classes]
    return [case for owner in owners for case in _cases_in(owner)]


def _cases_in(owner: ModuleType | type) -> Iterator[AuditCase]:
    for name, test in vars(owner).items():
        if name.startswith("test_") and not any(map(_skips, getattr(test, "pytestmark", ()))):
            yield from _cases(name, test)


def _skips(mark: Any) -> bool:
    return bool(mark.name == "skip" or (mark.name == "skipif" and mark.args[:1] == (True,)))


def _cases(name: str, test: Any) -> Iterator[AuditCase]:
    marks = list(getattr(test, "pytestmark", ()))
    parametrized = [_parameter_sets(mark) for mark in marks if mark.name == "parametrize"]
    for chosen in product(*parametrized):  # in pytest's order: the decorator next to the function varies last
        parameters = {name: value for values, _ in chosen for name, value in values.items()}
        audits = [mark for mark in (*marks, *(mark for _, own in chosen for mark in own)) if mark.name == MARK]
        check_marks(name, audits)
        yield from (make_case(mark, name, parameters, test.__doc__) for mark in audits)


def check_marks(test: str, marks: Sequence[Any]) -> None:
    """Raise `UsageError` where a test has more than one `audit` mark."""
    if len(marks) > 1:
        raise UsageError(f"{test}: a test must have one audit mark, got {len(marks)}; write one test per criterion")


def _parameter_sets(mark: Any) -> list[tuple[dict[str, object], Sequence[Any]]]:
    """Return the values by name of each set of a parametrization, with the marks of the set."""
    given = {**dict(zip(("argnames", "argvalues"), mark.args, strict=False)), **mark.kwargs}
    names = given["argnames"]
    if isinstance(names, str):
        names = [name.strip() for name in names.split(",") if name.strip()]
        alone = len(names) == 1  # as pytest has it: names in a list take values in a tuple
    else:
        alone = False
    return [_parameter_set(names, one, alone=alone) for one in given["argvalues"]]


def _parameter_set(names: Sequence[str], one: Any, *, alone: bool) -> tuple[dict[str, object], Sequence[Any]]:
    if hasattr(one, "marks"):  # pytest.param
        return dict(zip(names, one.values, strict=True)), one.marks
    return dict(zip(names, (one,) if alone else one, strict=True)), ()


def make_case(mark: Any, function: str, parameters: Mapping[str, object], doc: str | None) -> AuditCase:
    """Return the case that a mark declares for one test function with these parameters, the model left out.

    Raises `UsageError` where the mark does not name a finding, a design and a statistic, or has an unknown argument.
    """
    explanation = " ".join((doc or "").split())
    kinds = [type(one).__name__ for one in mark.args]
    if not (len(kinds) == 3 and isinstance(mark.args[0], Finding) and isinstance(mark.args[1], Design)):
        raise UsageError(
            f"{function}: its mark must be @pytest.mark.audit(FINDING, DESIGN, STATISTIC), got ({', '.join(kinds)})"
        )
    for name in mark.kwargs:
        if name not in ARGUMENTS:
            raise UsageError(f"{function}: its audit mark has no argument {name!r}{nearest(name, ARGUMENTS)}")
    if (only := mark.kwargs.get("only")) not in (None, *get_args(Expect)):
        raise UsageError(f"{function}: only must be desirable or published, got {only!r}")
    if not isinstance(mark.kwargs.get("not_for", {}), Mapping):
        raise UsageError(f"{function}: not_for must map architectures to reasons, got {mark.kwargs['not_for']!r}")
    finding, design, statistic = mark.args
    if isinstance(statistic, type) or not isinstance(statistic, Statistic):
        raise UsageError(f"{function}: its statistic must be one such as va.Mean(COLUMN), got {statistic!r}")
    return AuditCase(finding, design, statistic, case_name(function, parameters), explanation, **mark.kwargs)


def check_thresholds(run: Run, cases: Sequence[AuditCase]) -> list[str]:
    """Check the thresholds of a run against all collected cases, selected or not, and return notes for the user.

    Raises `UsageError` for an entry of a misspelt name or with a wrong number of cases.
    """
    notes = run.thresholds.check_names(names_of(cases))
    for family in run.models:
        capabilities = run.models.capabilities(family)
        applies: dict[str, dict[str, bool]] = defaultdict(dict)
        for case in cases:
            applies[case.finding.id][case.name] = case.unsupported(capabilities) is None
        run.thresholds.check_cases(
            family, run.data_name, run.options.expect, applies, architecture=capabilities.architecture
        )
    return notes


def names_of(cases: Iterable[AuditCase]) -> dict[str, set[str]]:
    """Return the names of the criteria of each finding."""
    names: dict[str, set[str]] = defaultdict(set)
    for case in cases:
        names[case.finding.id].add(case.name)
    return names
