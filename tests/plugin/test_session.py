"""A run from the command line: verdicts, exit codes, the document and the report, with one small audit on the toys."""

import pytest

from vlaudit.reporting.document import RunDocument

pytest_plugins = ["pytester"]

AUDIT = """
import pytest
import vlaudit.authoring as va
from vlaudit.perturbations import Cover

FINDING = va.Finding("looking", "The model looks at what a caption names.", "a test", "It does not look.")
DESIGN = va.Design(
    "looking", va.OneSlot("object", located=True, hide=False), {"shown": (), "covered": (Cover("object"),)},
    va.MatchProbability(),
)
COST = va.Mean("shown.p", minus="covered.p")

@pytest.mark.audit(FINDING, DESIGN, COST)
def test_covering_matters(judge):
    judge()

@pytest.mark.audit(FINDING, DESIGN, COST, not_for={"single-stream": "this model has no opinion"})
def test_nothing_to_say(judge):
    judge()
"""

REFUSING = """
from dataclasses import dataclass

@dataclass(frozen=True)
class SometimesRefused:
    every: int
    drawn_for = "image_id"

    def __call__(self, sample, rng):
        missing = int(sample.image_id.split("-")[-1]) % self.every == 0
        return Cover(("missing",) if missing else "object")(sample, rng)
"""

DEMANDS = """
alpha = 0.05
[desirable.any.scenes.looking]
covering_matters = {{ {bound}, why = "a caption must be about something" }}
nothing_to_say = {{ at_least = 0.5, why = "a caption must be about something" }}
"""

KNOWN = """
[[known_failures]]
criterion = "looking.covering_matters"
model = "{model}"
sha256 = "{model}, no weights"
low = -0.2
high = 0.2
why = "it never looks, by design"
"""


@pytest.fixture
def audit(pytester):
    """Return a function that runs the audit above with a given bound."""
    pytester.makepyfile(test_looking=AUDIT)

    def run(*options, bound="at_least = 0.3", model="toy-grounded", limit="200"):
        demands = pytester.path / "demands.toml"
        demands.write_text(DEMANDS.format(bound=bound))
        chosen = ("--model", model, "--limit", limit, "--thresholds", demands)
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", *chosen, *options)

    run.path = pytester.path
    return run


def document(path, name="toy-grounded"):
    return RunDocument.from_json(path / "reports" / f"{name}.json")


def test_a_model_that_looks_passes(audit):
    done = audit()
    done.assert_outcomes(passed=1, skipped=1)
    done.stdout.fnmatch_lines(["*covering_matters*pass*", "*nothing_to_say*n/a*", "*report: *toy-grounded.html"])
    (finding,) = document(audit.path).findings
    assert [criterion.outcome for criterion in finding.criteria] == ["pass", "not applicable"]
    assert finding.criteria[0].alpha == pytest.approx(0.025)


def test_a_blind_model_fails_without_a_traceback(audit):
    done = audit(model="toy-blind")
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    done.assert_outcomes(failed=1, skipped=1)
    done.stdout.fnmatch_lines(
        ["*looking.covering_matters: fail*", "*claim: The model looks*", "*found: *against at least 0.3*"]
    )
    done.stdout.no_fnmatch_line("*Traceback*")
    done.stdout.no_fnmatch_line("*outcomes.py*")


def test_an_undecided_criterion_is_an_xfail_and_fails_the_gate(audit):
    on_the_bound = "within = [0.0, 0.96402758]"  # the grounded toy's effect is 0.964027...
    done = audit(bound=on_the_bound, limit="20")
    done.assert_outcomes(xfailed=1, skipped=1)
    gated = audit("--gate", bound=on_the_bound, limit="20")
    gated.assert_outcomes(failed=1, skipped=1)
    gated.stdout.fnmatch_lines(["*--gate requires a decision*"])


def test_a_gate_draws_more_scenes_until_it_is_decided(audit):
    bound = "at_least = 0.8"
    audit(bound=bound, limit="60").assert_outcomes(xfailed=1, skipped=1)
    first = document(audit.path).findings[0].criteria[0]
    audit("--gate", bound=bound, limit="60").assert_outcomes(passed=1, skipped=1)
    gated = document(audit.path).findings[0].criteria[0]
    assert gated.clusters > first.clusters
    assert gated.alpha == pytest.approx(first.alpha / 3)


def test_a_selection_changes_no_verdict(audit):
    audit()
    whole = document(audit.path).findings[0].criteria[0]
    audit("-k", "covering")
    alone = document(audit.path, "toy-grounded.selection").findings[0].criteria[0]
    assert alone.model_copy(update={"duration": whole.duration}) == whole


def test_criteria_that_no_source_reports_are_not_reproduced(audit):
    done = audit("--expect", "published")
    done.assert_outcomes(skipped=2)
    done.stdout.no_fnmatch_line("*FAILED*")


def test_numbers_are_properties_of_the_test(audit):
    audit("--junitxml", audit.path / "junit.xml")
    text = (audit.path / "junit.xml").read_text()
    for name in ("outcome", "value", "low", "high", "bound"):
        assert f'<property name="{name}"' in text


def test_two_models_are_shown_side_by_side(audit):
    done = audit("--model", "toy-blind")
    done.assert_outcomes(passed=1, failed=1, skipped=2)
    found = document(audit.path, "toy-grounded-toy-blind")
    assert [one.family for one in found.subject] == ["toy-grounded", "toy-blind"]
    assert {one.model for one in found.findings} == {"toy-grounded", "toy-blind"}


def test_a_repeated_run_gives_the_same_numbers(audit):
    found = []
    for _ in range(2):
        audit("--batch-size", "7")
        criteria = document(audit.path).findings[0].criteria
        found.append([one.model_copy(update={"duration": 0.0}) for one in criteria])
    assert found[0] == found[1]


def test_a_known_failure_is_expected_and_nothing_else(audit):
    audit(bound="at_least = 0.3", model="toy-blind")
    demands = audit.path / "known.toml"
    demands.write_text(DEMANDS.format(bound="at_least = 0.3") + KNOWN.format(model="toy-blind"))
    done = audit("--thresholds", demands, model="toy-blind")
    done.assert_outcomes(xfailed=1, skipped=1)
    demands.write_text(DEMANDS.format(bound="at_least = 0.3") + KNOWN.format(model="toy-grounded"))
    done = audit("--thresholds", demands)
    done.assert_outcomes(failed=1, skipped=1)
    done.stdout.fnmatch_lines(["*no longer fails*update or delete the entry*"])


def test_a_known_failure_may_stay_undecided_at_the_gate_too(audit):
    """A bound that lies inside the interval of the blind toy's difference, which is 0 throughout."""
    demands = audit.path / "known.toml"
    demands.write_text(DEMANDS.format(bound="at_least = 0.0"))
    audit("--thresholds", demands, "--gate", model="toy-blind").assert_outcomes(failed=1, skipped=1)
    demands.write_text(DEMANDS.format(bound="at_least = 0.0") + KNOWN.format(model="toy-blind"))
    done = audit("--thresholds", demands, "--gate", model="toy-blind")
    done.assert_outcomes(xfailed=1, skipped=1)
    done.stdout.fnmatch_lines(["Does not pass the gate: nothing was decided: of 2 criteria, 1 inconclusive*"])


def refusing(audit, every):
    """Let the cover of every n-th sample be refused."""
    text = AUDIT.replace('Cover("object")', f"SometimesRefused({every})")
    text = text.replace("\nFINDING", f"{REFUSING}\nFINDING", 1)
    (audit.path / "test_looking.py").write_text(text)


def test_a_run_that_judges_nothing_never_holds(audit):
    """Every criterion is not applicable, no source reports one, or none is selected."""
    refusing(audit, 1)
    for options in ((), ("--expect", "published"), ("-k", "nothing_to_say"), ("-k", "no_such_test")):
        done = audit(*options, limit="20")
        assert done.ret == pytest.ExitCode.NO_TESTS_COLLECTED, options
        assert audit(*options, "--gate", limit="20").ret == pytest.ExitCode.TESTS_FAILED, options
        done.stdout.no_fnmatch_line("*Holds*")


def test_units_that_the_data_do_not_allow_are_counted_and_no_error(audit):
    refusing(audit, 2)
    audit().assert_outcomes(passed=1, skipped=1)
    assert sum(document(audit.path).findings[0].counts.refused.values()) > 30


def test_data_that_allow_no_unit_are_not_applicable_also_for_a_gate(audit):
    """A gate that judged nothing fails as a whole, not by an error of a criterion."""
    refusing(audit, 1)
    for options in ((), ("--gate",)):
        done = audit(*options)
        done.assert_outcomes(skipped=2)
        done.stdout.fnmatch_lines(["*not audited looking: none of the * units can be measured*"])
    assert done.ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--data", "cocoo:x"), "*unknown data set 'cocoo'*coco*"),
        (("--data", "coco:nowhere"), "*nowhere*"),
        (("--limit", "-3"), "*--limit must be a whole number of at least 1, got '-3'*"),
        (("--seed", "x"), "*--seed must be a whole number of at least 0, got 'x'*"),
        (("--batch-size", "0"), "*--batch-size must be a whole number of at least 1, got '0'*"),
        (("--expect", "luck"), "*--expect must be desirable or published, got 'luck'*"),
        (("--thresholds", "none.toml"), "*--thresholds none.toml: cannot read the file*"),
        (("--device", "cuda:77"), "*device (--device) cuda:77*"),
        (("--audit-html", "/proc/report.html"), "*the report /proc/report.html cannot be written*"),
    ],
)
def test_an_invalid_option_is_an_error_before_the_model_runs(audit, options, message):
    done = audit(*options)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines([message])
    done.stdout.no_fnmatch_line("*test_looking.py*")


def test_a_file_called_reports_is_one_message(audit):
    (audit.path / "reports").write_text("not a folder")
    done = audit()
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["*reports is a file, not a folder; move it, or name another path"])
    assert (audit.path / "reports").read_text() == "not a folder"


def test_a_killed_run_leaves_the_previous_report_whole(audit, pytester):
    audit()
    report = audit.path / "reports" / "toy-grounded.html"
    before = report.read_bytes()
    (audit.path / "test_looking.py").write_text(AUDIT.replace("    judge(", "    import os; os._exit(9)\n    judge("))
    options = ("--model", "toy-grounded", "--limit", "20", "--thresholds", audit.path / "demands.toml")
    assert pytester.runpytest_subprocess("-p", "no:cacheprovider", *options).ret == 9
    assert report.read_bytes() == before


def test_workers_give_the_same_verdicts(audit):
    found = []
    for workers in (("-n", "2"), ()):
        audit(*workers, model="toy-blind")
        (finding,) = document(audit.path, "toy-blind").findings
        assert finding.counts.measured > 0
        found.append((finding.counts, [criterion.value for criterion in finding.criteria]))
    assert found[0] == found[1]


def test_criteria_without_a_source_are_skipped_and_missing_entries_are_usage_errors(audit):
    done = audit("--expect", "published", "-rs")
    done.assert_outcomes(skipped=2)
    done.stdout.fnmatch_lines(["*no source reports looking.covering_matters for toy-grounded*"])
    demands = audit.path / "other.toml"
    demands.write_text(DEMANDS.format(bound="at_least = 0.3").replace("looking", "listening"))
    done = audit("--thresholds", demands)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["*no entry for looking.covering_matters*add one under*"])
