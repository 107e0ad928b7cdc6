"""An audit's test that judges nothing is never green, and a missing bound shows before anything runs."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

AUDIT = """
import pytest
import vlaudit.authoring as va

DESIGN = va.Design("own.match", va.EverySample(), {{"plain": ()}}, va.MatchProbability())
FINDING = va.Finding("own", "Captions match.", "a test", "They do not.")

@pytest.mark.audit(FINDING, DESIGN, va.Mean("plain.p"))
def test_matches({argument}):
    {body}
"""
BOUND = """
[desirable.any.any.own]
{name} = {{ at_least = 0.1, why = "a caption must fit its image" }}
"""


@pytest.fixture
def audit(pytester):
    pytester.syspathinsert(Path(__file__).parents[2])

    def run(argument="judge", body="judge()", name="matches"):
        pytester.makepyfile(test_unfinished_audit=AUDIT.format(argument=argument, body=body))
        (pytester.path / "own.toml").write_text(BOUND.format(name=name))
        chosen = ("--model", "toy-grounded", "--limit", "8", "--thresholds", "own.toml")
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", *chosen)

    return run


def test_a_complete_audit_runs(audit):
    assert sum(audit().parseoutcomes().values()) == 1


def test_a_test_that_never_calls_judge_fails(audit):
    done = audit(body="pass")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*an audit's test must call judge(), this one judged nothing*"])


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ({"argument": "", "body": "pass"}, "*test_matches: an audit's test must take the fixture judge*"),
        ({"name": "zzz"}, "*no entry for own.matches*add one under*"),
    ],
)
def test_what_is_missing_is_one_message_and_exit_4(audit, faults, message):
    done = audit(**faults)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines([message])
