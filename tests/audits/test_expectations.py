"""Criteria of `--expect published` alone, and its text for a failure."""

import importlib

import pytest
import small_runs

from vlaudit.auditing.cases import cases_of
from vlaudit.auditing.judging import NotDemanded, judge
from vlaudit.auditing.models import Models
from vlaudit.auditing.options import ModelOptions, Options
from vlaudit.auditing.record import RunRecord, VerdictRecord
from vlaudit.auditing.run import Run
from vlaudit.datasets.scenes import sample
from vlaudit.models.toy import GroundedToy
from vlaudit.thresholds import read_thresholds


class Albef(GroundedToy):
    """The grounded toy under the name of the family that the study examined."""

    name = "albef"


def run_of(finding, expect, *names):
    """Return a run of some cases of an audit on a healthy model, and the cases."""
    cases = [case for case in cases_of(importlib.import_module(f"audits.test_{finding}")) if case.name in names]
    options = Options((ModelOptions("albef", "albef", adapter=Albef()),), limit=40, batch_size=64, expect=expect)
    data = small_runs.Given(tuple(sample(3, index) for index in range(40)))
    run = Run(options, Models(options.models), data, read_thresholds())
    run.select(("albef", case) for case in cases)
    return run, cases


@pytest.mark.parametrize(("expect", "judged"), [("published", True), ("desirable", False)])
def test_a_published_observation_is_judged_under_its_expectation_alone(expect, judged):
    """That grayscale lowers probabilities is neither desirable nor a defect; elsewhere nothing is measured for it."""
    run, (case,) = run_of("color_bias", expect, "gray_lowers_probability")
    found = judge(run, "albef", case)
    assert isinstance(found, NotDemanded) != judged
    assert bool(run.tables()) == judged


def test_the_failure_of_a_healthy_model_states_that_the_weakness_does_not_reproduce():
    run, (case,) = run_of("mirror_skew", "published", "mirror_consistency")
    found = judge(run, "albef", case)
    assert found.verdict.outcome == "fail"
    record = RunRecord(run, "test")
    record.add(VerdictRecord.of(found, 0.1))
    (finding,) = record.document().findings
    assert "the published weakness does not reproduce" in finding.failing.lower()
    assert "habit" not in finding.failing
