"""Names in a thresholds file are checked against the collected audits, before anything runs."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

AUDIT = """
import pytest
import vlaudit.authoring as va
from vlaudit.perturbations import Cover

DESIGN = va.Design("looking", va.OneSlot(va.NOUNS), {"shown": (), "covered": (Cover(),)}, va.MatchProbability())
FINDING = va.Finding("looking", "The model looks at what a caption names.", "a test", "It does not look.")

@pytest.mark.audit(FINDING, DESIGN, va.Mean("shown.p", minus="covered.p"))
def test_covering_matters(judge):
    judge()

@pytest.mark.audit(FINDING, DESIGN, va.Mean("shown.p"))
def test_shown_match(judge):
    judge()
"""
BOUNDS = """
[desirable.any.any.{finding}]
{criterion} = {{ at_least = 0.3, why = "a caption must be about something" }}
shown_match = {{ at_least = 0.3, why = "a caption must be about something" }}
"""


@pytest.fixture
def audit(pytester):
    """Return a function that runs the audit with bounds for the given names."""
    pytester.makeconftest("from fixtures.model import judge, model")
    pytester.makepyfile(test_looking=AUDIT)
    pytester.syspathinsert(Path(__file__).parents[2])

    def run(*selection, finding="looking", criterion="covering_matters"):
        bounds = pytester.path / "bounds.toml"
        bounds.write_text(BOUNDS.format(finding=finding, criterion=criterion))
        chosen = ("--model", "toy-grounded", "--limit", "60", "--thresholds", bounds, *selection)
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:html", *chosen)

    return run


def test_own_bounds_extend_the_shipped_ones(audit):
    audit().assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"criterion": "covering_mater"}, "*bounds.toml, line 3: finding looking has no criterion *covering_matters*"),
        (
            {"finding": "lookin"},
            "*bounds.toml, line 2: no collected audit has a finding 'lookin': did you mean looking*",
        ),
    ],
)
def test_a_misspelt_name_ends_the_run_before_anything_runs(audit, names, message):
    done = audit(**names)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines([message])


def test_selecting_one_test_does_not_make_the_others_unknown(audit):
    audit("test_looking.py::test_shown_match[toy-grounded]").assert_outcomes(passed=1)
    audit("-k", "shown").assert_outcomes(passed=1, deselected=1)
