"""`--control NAME`."""

import pytest

from vlaudit.reporting.document import RunDocument

pytest_plugins = ["pytester"]

AUDIT = '''
import pytest
import vlaudit.authoring as va
from vlaudit.perturbations import OtherCaption

MATCHED = va.Design(
    "matching.pairs", va.EverySample(), {"own": (), "other": (OtherCaption(),)},
    va.MatchProbability({"preferred": ("own", "other")}),
)
FINDING = va.Finding(id="matching", claim="It matches.", source="none", failing="It does not match.")


@pytest.mark.audit(FINDING, MATCHED, va.Proportion("preferred"))
def test_own_caption(judge):
    """The own caption matches better."""
    judge()
'''
BOUND = '[desirable.any.scenes.matching]\nown_caption = { at_least = 0.6, why = "better than chance by far" }\n'


@pytest.fixture
def audit(pytester):
    """Return a function that runs the audit above on 80 scenes."""
    pytester.makepyfile(test_matching=AUDIT)
    bounds = pytester.path / "bounds.toml"
    bounds.write_text(BOUND)

    def run(*options):
        chosen = ("--model", "toy-grounded", "--limit", "80", "--thresholds", bounds, "--audit-json", "run.json")
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", *chosen, *options)

    run.document = lambda: RunDocument.from_json(pytester.path / "run.json")
    return run


def test_a_control_fails_where_the_model_passes(audit):
    audit().assert_outcomes(passed=1)
    assert "control" not in audit.document().subject[0].checkpoint
    audit("--control", "exchanged-match").assert_outcomes(failed=1)
    assert audit.document().subject[0].checkpoint == "none, control exchanged-match"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("exchanged", "*--control exchanged: there is no such control: did you mean exchanged-match?"),
        ("untrained", "*--control untrained: not available for toy-grounded: *; choose another control"),
    ],
)
def test_an_impossible_control_is_a_usage_error(audit, name, message):
    done = audit("--control", name)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines([message])


def test_the_help_lists_the_controls(pytester):
    text = " ".join(pytester.runpytest_inprocess("--help").stdout.str().split())
    assert "blind, deaf, mirror-blind, gray, side-swapped" in text.replace("- ", "-")
