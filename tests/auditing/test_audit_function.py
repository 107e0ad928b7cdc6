"""`vlaudit.audit` gives the results of a run of pytest, and reports errors before anything runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import vlaudit
from vlaudit.auditing.models import Models
from vlaudit.auditing.options import ModelOptions
from vlaudit.auditing.sources import find_cases
from vlaudit.errors import AdapterError, UsageError, VlauditError
from vlaudit.models.toy import BlindToy, GroundedToy
from vlaudit.reporting.document import RunDocument, fails

pytest_plugins = ["pytester"]

AUDIT = '''
import pytest
import vlaudit.authoring as va
from vlaudit.perturbations import Cover

LOOKS = va.Design(
    "looks", va.OneSlot("object", located=True, hide=False), {"shown": (), "covered": (Cover("object"),)},
    va.MatchProbability(),
)
FINDING = va.Finding(
    "looking", "The model looks at what a caption names.", "a test", "It does not look.", {"a figure": "0.5"},
    (va.Bars("Match", LOOKS, {"shown": "shown.p", "covered": "covered.p"}),),
)
COST = va.Mean("shown.p", minus="covered.p")

@pytest.mark.audit(FINDING, LOOKS, COST)
def test_covering_matters(judge):
    """Covering the object lowers the match."""
    judge()

@pytest.mark.parametrize(("column", "side"), [
    pytest.param("shown.p", 1, marks=pytest.mark.audit(FINDING, LOOKS, va.Mean("shown.p"))),
    pytest.param("covered.p", 2, marks=pytest.mark.audit(FINDING, LOOKS, va.Mean("covered.p"))),
])
def test_accepts(judge, column, side):
    judge()

@pytest.mark.audit(FINDING, LOOKS, COST, not_for={"single-stream": "a reason"})
def test_never(judge):
    judge()
'''

DEMANDS = """
[desirable.any.any.looking]
covering_matters = { at_least = 0.3, why = "a caption must be about something" }
accepts = { at_least = 0.5, why = "what is shown must be seen", cases = 2 }
never = { at_least = 0.5, why = "nothing is judged by this one" }
"""


@pytest.fixture
def folder(pytester):
    pytester.makepyfile(test_looking=AUDIT)
    pytester.path.joinpath("demands.toml").write_text(DEMANDS)
    return pytester.path


@pytest.fixture
def run(folder):
    """Return a function that audits toys."""

    def audit(models, **settings):
        given = {"limit": 60, "audits": ["test_looking.py"], "thresholds": "demands.toml", **settings}
        return vlaudit.audit(models, **given)

    return audit


def test_another_seed_draws_other_scenes(run):
    scenes = {seed: set(run("toy-grounded", limit=8, seed=seed).table("looks").images.tolist()) for seed in (0, 5)}
    assert all(name.startswith(f"scenes-{seed}-") for seed, names in scenes.items() for name in names)


def same(document):
    """Return everything of a document but time and the command."""
    values = document.model_dump(mode="json", exclude={"started", "seconds", "command"})
    for finding in values["findings"]:
        for criterion in finding["criteria"]:
            del criterion["duration"]
    return values


@pytest.mark.parametrize(
    ("models", "settings", "options"),
    [
        ("toy-grounded", {}, ()),
        (["toy-blind", "toy-grounded"], {"seed": 3}, ("--seed", "3")),
        ("toy-grounded", {"gate": True, "limit": 20}, ("--gate", "--limit", "20")),
        ("own.py:Mine", {}, ()),
    ],
    ids=["one", "two", "gate", "own"],
)
def test_equal_inputs_give_equal_documents(run, pytester, models, settings, options):
    pytester.makepyfile(own="from vlaudit.models.toy import GroundedToy\nclass Mine(GroundedToy):\n    name = 'mine'")
    named = [part for model in ([models] if isinstance(models, str) else models) for part in ("--model", model)]
    paths = ("--thresholds", "demands.toml", "--audit-json", "run.json")
    pytester.runpytest_inprocess("-p", "no:cacheprovider", "--limit", "60", *named, *paths, *options)
    result = run(models, **settings)
    assert same(result.document) == same(RunDocument.from_json("run.json"))
    assert len(result.document.findings[0].criteria) == 4


def test_a_result_has_verdicts_tables_and_reports(run, folder):
    result = run("toy-grounded")
    verdicts = result.verdicts["toy-grounded"]
    assert list(verdicts) == [
        "looking.covering_matters",
        "looking.accepts[shown.p-1]",
        "looking.accepts[covered.p-2]",
        "looking.never",
    ]
    assert verdicts["looking.covering_matters"].outcome == "pass"
    assert verdicts["looking.covering_matters"].explanation == "Covering the object lowers the match."
    table = result.table("looks")
    assert verdicts["looking.accepts[shown.p-1]"].units == len(table.frame)
    result.to_json("run.json")
    assert RunDocument.from_json("run.json") == result.document
    result.to_html("page.html")
    page = folder.joinpath("page.html").read_text()
    assert "The model looks at what a caption names." in page
    assert "Appendix" not in page
    assert 'srcdoc="&lt;!DOCTYPE html&gt;' in result._repr_html_()
    assert "covering_matters" in str(result)


def test_a_result_passes_as_the_exit_code_says(run, pytester):
    for model in ("toy-grounded", "toy-blind"):
        options = ("--model", model, "--limit", "60", "--thresholds", "demands.toml")
        code = pytester.runpytest_inprocess("-p", "no:cacheprovider", *options).ret
        assert run(model).passed == (code == pytest.ExitCode.OK)


@pytest.mark.parametrize(
    ("outcome", "as_known", "ungated", "gated"),
    [
        ("pass", None, False, False),
        ("fail", None, True, True),
        ("error", None, True, True),
        ("inconclusive", None, False, True),
        ("not applicable", None, False, False),
        ("pass", True, False, False),
        ("pass", False, True, True),
        ("fail", True, False, False),
        ("fail", False, True, True),
        ("error", False, True, True),
        ("inconclusive", True, False, False),
        ("inconclusive", False, True, True),
        ("not applicable", True, False, False),
    ],
)
def test_what_fails_a_run(outcome, as_known, ungated, gated):
    assert fails(outcome, gate=False, as_known=as_known) is ungated
    assert fails(outcome, gate=True, as_known=as_known) is gated


def test_a_model_object_is_audited_like_its_name(run):
    by_name, by_object = run("toy-grounded"), run(GroundedToy())
    assert by_object.verdicts["toy-grounded"].keys() == by_name.verdicts["toy-grounded"].keys()
    for one, other in zip(by_name.document.findings, by_object.document.findings, strict=True):
        assert [c.value for c in one.criteria] == [c.value for c in other.criteria]
    both = run([GroundedToy(), "toy-blind"])
    assert list(both.verdicts) == ["toy-grounded", "toy-blind"]
    assert len(both.table("looks", "toy-blind")) == len(both.table("looks", "toy-grounded"))


def test_audits_may_be_modules_files_or_folders(folder):
    by_file = find_cases(["test_looking.py"])
    assert [case.id for case in find_cases([folder])] == [case.id for case in by_file]
    assert [case.name for case in by_file[1:3]] == ["accepts[shown.p-1]", "accepts[covered.p-2]"]
    assert {case.finding.id for case in find_cases(findings=["color_bias"])} == {"color_bias"}
    assert len({case.id for case in find_cases()}) == len(find_cases()) > 30


@pytest.mark.parametrize(
    ("models", "settings", "message"),
    [
        ("toy-grunded", {}, "there is no such family: did you mean toy-grounded"),
        ([], {}, "models: name at least one"),
        (["toy-blind", BlindToy()], {}, "models: toy-blind is given twice"),
        ("toy-grounded", {"limit": 0}, "limit must be a whole number of at least 1, got 0"),
        ("toy-grounded", {"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ("toy-grounded", {"expect": "good"}, "expect must be desirable or published, got 'good'"),
        ("toy-grounded", {"checkpoint": "x.pth"}, "toy-grounded has no weights; drop the option"),
        (["toy-grounded", "toy-blind"], {"checkpoint": "x.pth"}, "2 models are loaded by name; give a mapping"),
        ("toy-grounded", {"checkpoint": {"toy": "x.pth"}}, "no model 'toy' is audited, only toy-grounded"),
        (BlindToy(), {"checkpoint": "x.pth"}, "0 models are loaded by name"),
        ("toy-grounded", {"audits": ["nowhere.py"]}, "there is no file or folder nowhere.py"),
        ("toy-grounded", {"audits": ["demands.toml"]}, "demands.toml is no Python file"),
        ("toy-grounded", {"audits": ["empty.py"]}, "empty.py declares no audit"),
        ("toy-grounded", {"findings": ["lookin"]}, "no audit declares 'lookin': did you mean looking"),
        ("toy-grounded", {"thresholds": None}, "looking.covering_matters"),
    ],
)
def test_a_mistake_is_one_message_before_anything_runs(run, monkeypatch, models, settings, message):
    Path("empty.py").write_text("")
    monkeypatch.setattr("vlaudit.auditing.run.Run.measured", None)
    with pytest.raises(VlauditError, match=re.escape(message)):
        run(models, **settings)


def test_other_objects_than_adapters_are_refused():
    with pytest.raises(AdapterError, match=r"is no model adapter; see vlaudit\.adapter_checks"):
        Models([ModelOptions("almost", "almost", adapter=object())]).check([], "scenes")


def test_a_table_that_was_not_measured_is_named(run):
    result = run(["toy-grounded", "toy-blind"])
    with pytest.raises(UsageError, match="2 models were audited"):
        result.table("looks")
    with pytest.raises(UsageError, match="lookss of toy-blind was not measured: did you mean looks of toy-blind"):
        result.table("lookss", "toy-blind")


def test_an_audit_without_pytest_marks_imports_no_pytest():
    code = "import sys, vlaudit; vlaudit.audit; print('pytest' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
