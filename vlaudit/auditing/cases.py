"""Collect the cases of audit modules without pytest: from functions that carry the `audit` mark."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
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
    parametrized = [_parameter_sets(mark) for mark in marks if mark.name == "parametrize"]
    for chosen in product(*parametrized):  # in pytest's order: the decorator next to the function varies last
        parameters = {name: value for values, _ in chosen for name, value in values.items()}
        for mark in (*marks, *(mark for _, own in chosen for mark in own)):
            if mark.name == MARK:
                yield make_case(mark, name, parameters, test.__doc__)


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
