"""The number of cases that a thresholds file declares is checked before anything runs."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

AUDIT = """
import pytest
import vlaudit.authoring as va

DESIGN = va.Design("looking", va.OneSlot(va.NOUNS), {"shown": ()}, va.MatchProbability())
FINDING = va.Finding("looking", "The model looks at what a caption names.", "a test", "It does not look.")

@pytest.mark.parametrize("part", ["one", "two"])
@pytest.mark.audit(FINDING, DESIGN, va.Mean("shown.p"))
def test_shown(judge, part):
    judge()
"""


@pytest.fixture
def audit(pytester):
    """Return a function that runs the audit with an entry that declares a number of cases."""
    pytester.makeconftest("from fixtures.model import judge, model")
    pytester.makepyfile(test_looking=AUDIT)
    pytester.syspathinsert(Path(__file__).parents[2])

    def run(cases, *selection):
        bounds = pytester.path / "bounds.toml"
        entry = f'shown = {{ at_least = 0.1, {cases}why = "a caption must be about something" }}'
        bounds.write_text(f"[desirable.any.any.looking]\n{entry}\n")
        chosen = ("--model", "toy-grounded", "--limit", "60", "--thresholds", bounds, *selection)
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:html", *chosen)

    return run


@pytest.mark.parametrize("cases", ["", "cases = 3, "])
def test_a_wrong_number_of_cases_ends_the_run(audit, cases):
    done = audit(cases)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(
        ["*bounds.toml, line 2: looking.shown declares cases = *, its test has 2; write cases = 2"]
    )


def test_a_selection_does_not_change_the_number_of_cases(audit):
    audit("cases = 2, ", "-k", "one").assert_outcomes(passed=1, deselected=1)
    audit("cases = 2, ", "test_looking.py::test_shown[toy-grounded-one]").assert_outcomes(passed=1)
    assert audit("", "-k", "one").ret == pytest.ExitCode.USAGE_ERROR
