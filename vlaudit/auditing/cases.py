"""Collect the cases of audit modules without pytest: from functions that carry the `audit` mark."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

from vlaudit.findings import AuditCase, case_name

MARK = "audit"
"""Name of the mark that makes a test an audit."""


def cases_of(module: ModuleType) -> list[AuditCase]:
    """Return the cases of a module in the order of its test functions, parametrizations expanded."""
    return [case for name, test in vars(module).items() if name.startswith("test_") for case in _cases(name, test)]


def _cases(name: str, test: Any) -> Iterator[AuditCase]:
    marks = list(getattr(test, "pytestmark", ()))
    parametrized = next((mark for mark in marks if mark.name == "parametrize"), None)
    if parametrized is None:
        yield from (make_case(mark, name, {}, test.__doc__) for mark in marks if mark.name == MARK)
        return
    names, values = parametrized.args[:2]
    names = [one.strip() for one in names.split(",")] if isinstance(names, str) else list(names)
    for value in values:
        held = getattr(value, "values", value if isinstance(value, tuple) else (value,))
        parameters = dict(zip(names, held, strict=True))
        for mark in (*marks, *getattr(value, "marks", ())):
            if mark.name == MARK:
                yield make_case(mark, name, parameters, test.__doc__)


def make_case(mark: Any, function: str, parameters: Mapping[str, object], doc: str | None) -> AuditCase:
    """Return the case that a mark declares for one test function with these parameters, the model left out.

    Raises `TypeError` or `ValueError` where the mark does not name a finding, a design and a statistic.
    """
    explanation = " ".join((doc or "").split())
    finding, design, statistic = mark.args
    return AuditCase(finding, design, statistic, case_name(function, parameters), explanation, **mark.kwargs)


def names_of(cases: Iterable[AuditCase]) -> dict[str, set[str]]:
    """Return the names of the criteria of each finding."""
    names: dict[str, set[str]] = defaultdict(set)
    for case in cases:
        names[case.finding.id].add(case.name)
    return names


def check_cases(cases: Sequence[AuditCase]) -> None:
    """Raise `UsageError` where a statistic or exhibit reads a column that its design lacks."""
    for case in cases:
        case.check()
