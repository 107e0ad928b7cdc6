"""Recognise the tests that are audits, without importing anything heavy."""

from __future__ import annotations

import sys

import pytest

CONFLICTS: pytest.StashKey[list[str]] = pytest.StashKey()
"""Key of the messages about audits whose parametrization conflicts with --model, in the stash of a session."""


def is_audit(item: pytest.Item) -> bool:
    """Return whether a test, or one of its parameter sets, has the mark of an audit: `audit` with a finding."""
    findings = sys.modules.get("vlaudit.findings")  # no mark has a finding if this was never imported
    if findings is None:
        return False
    sets = [value for mark in item.iter_markers("parametrize") for value in mark.args[1:2]]
    marks = [
        mark
        for values in sets
        if isinstance(values, list | tuple)
        for one in values
        for mark in getattr(one, "marks", ())
    ]
    marks += item.iter_markers()
    return any(mark.name == "audit" and isinstance(arg, findings.Finding) for mark in marks for arg in mark.args)


def parametrized_elsewhere(metafunc: pytest.Metafunc) -> str | None:
    """Return where `model` is parametrized other than by --model, or None."""
    for mark in metafunc.definition.iter_markers("parametrize"):
        names = mark.kwargs.get("argnames", mark.args[0] if mark.args else ())
        if "model" in (names.replace(",", " ").split() if isinstance(names, str) else names):
            return "the test's own mark parametrize"
    for fixture in metafunc._arg2fixturedefs.get("model", ()):  # noqa: SLF001 (pytest has no public list of a test's fixtures)
        if fixture.params is not None:
            return f"the fixture model of {fixture.baseid or fixture.func.__module__}"
    return None
