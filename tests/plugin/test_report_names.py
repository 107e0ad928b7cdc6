"""Runs that differ in weights, expectation, control or selection write reports of different names."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from vlaudit.auditing.options import ModelOptions, Options
from vlaudit.errors import UsageError
from vlaudit.plugin.report_paths import ReportPaths
from vlaudit.reporting.document import RunDocument
from vlaudit.reporting.files import write_together

pytest_plugins = ["pytester"]

SHA = "0123456789abcdef" * 4
ALBEF = ModelOptions("albef", "albef")
BEST = ModelOptions("albef", "albef", Path("runs/best of 3.pth"))


@dataclass(frozen=True)
class Controlled(Options):
    control: str | None = None


@pytest.mark.parametrize(
    ("options", "selection", "name"),
    [
        (Options((ALBEF,)), False, "albef"),
        (Options((ALBEF,), limit=20, seed=3, data="coco:x"), False, "albef"),
        (Options((BEST,)), False, "albef-best-of-3-01234567"),
        (Options((BEST,), expect="published"), False, "albef-best-of-3-01234567.published"),
        (Options((ALBEF,), expect="published"), True, "albef.published.selection"),
        (Controlled((ALBEF,), control="mirror-blind"), True, "albef.control-mirror-blind.selection"),
        (Controlled((ALBEF,)), False, "albef"),
    ],
)
def test_the_name_states_what_differs(options, selection, name):
    paths = ReportPaths(None, None, Path("reports"), "albef")
    html, json = paths.of_run(options, [SHA], selection=selection)
    assert (html, json) == (Path(f"reports/{name}.html"), Path(f"reports/{name}.json"))


def test_a_folder_of_weights_keeps_its_whole_name_and_any_fingerprint_its_own_hash(tmp_path):
    weights = tmp_path / f"albef-1.5{'x' * 200}"
    weights.mkdir()
    model = ModelOptions("albef", "albef", weights)
    paths = ReportPaths(None, None, tmp_path, "all")
    names = {paths.of_run(Options((model,)), [text], selection=False)[0].name for text in ("mine, v1", "mine, v2")}
    assert len(names) == 2
    assert all(name.startswith("all-albef-1.5") and len(name) < 100 for name in names)


def test_given_paths_are_taken_as_they_are(tmp_path):
    paths = ReportPaths(tmp_path / "page.html", None, Path("reports"), "albef")
    given = tmp_path / "page.html", tmp_path / "page.json"
    assert paths.of_run(Options((BEST,), expect="published"), [SHA], selection=True) == given
    with pytest.raises(UsageError, match="name the same file"):
        ReportPaths(tmp_path / "run.json", None, Path("reports"), "albef").check()


def test_files_of_two_runs_are_never_mixed(tmp_path):
    page, document = tmp_path / "page.html", tmp_path / "page.json"

    def write(run):
        write_together([(page, f"{run} " * 2000), (document, f"{run} " * 1000)])

    for _ in range(5):
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(write, range(24)))
        assert set(page.read_text().split()) == set(document.read_text().split())
        assert len(set(page.read_text().split())) == 1
    assert sorted(one.name for one in tmp_path.iterdir()) == ["page.html", "page.json"]


AUDIT = """
import pytest
import vlaudit.authoring as va

DESIGN = va.Design("{name}", va.EverySample(), {{"own": ()}}, va.MatchProbability())
FINDING = va.Finding("{name}", "A caption fits its image.", "a test", "It does not.")

@pytest.mark.audit(FINDING, DESIGN, va.Mean("own.p"))
def test_first(judge):
    judge()

@pytest.mark.audit(FINDING, DESIGN, va.Mean("own.p"))
def test_second(judge):
    judge()

def test_no_audit():
    pass
"""
BOUNDS = """
[desirable.any.any.{name}]
first = {{ at_least = 0.1, why = "a caption must be about something" }}
second = {{ {bound}, why = "a caption must be about something" }}
"""


@pytest.fixture
def audit(pytester):
    """Return a function that runs pytest in a folder with two audit files, and returns the names of its reports."""
    for name in ("one", "two"):
        (pytester.path / f"test_{name}.py").write_text(AUDIT.format(name=name))
    bounds = pytester.path / "bounds.toml"

    def run(*options, bound="at_least = 0.1"):
        bounds.write_text("".join(BOUNDS.format(name=name, bound=bound) for name in ("one", "two")))
        pytester.runpytest_inprocess("--model", "toy-grounded", "--limit", "8", "--thresholds", bounds, *options)
        return {path.name for path in (pytester.path / "reports").iterdir()}

    run.path = pytester.path
    return run


FULL = {"toy-grounded.html", "toy-grounded.json"}
PART = {"toy-grounded.selection.html", "toy-grounded.selection.json"}


@pytest.mark.parametrize(
    "options",
    [
        ("-k", "first"),
        ("test_one.py",),
        ("test_one.py::test_first", "test_one.py::test_second", "test_two.py"),
        ("--deselect", "test_one.py::test_first"),
        ("--ignore", "test_one.py"),
    ],
    ids=" ".join,
)
def test_a_selection_of_audits_writes_a_report_of_its_own(audit, options):
    assert audit(*options, "-p", "no:cacheprovider") == PART


@pytest.mark.parametrize("options", [(), ("-k", "not no_audit"), (".",), ("test_one.py", "test_two.py")], ids=" ".join)
def test_all_audits_are_no_selection(audit, options):
    assert audit(*options, "-p", "no:cacheprovider") == FULL


def test_the_last_failures_are_a_selection(audit):
    assert audit(bound="at_most = 0.1") == FULL
    before = (audit.path / "reports" / "toy-grounded.json").read_bytes()
    assert audit("--lf", bound="at_most = 0.1") == FULL | PART
    assert (audit.path / "reports" / "toy-grounded.json").read_bytes() == before
    part = RunDocument.from_json(audit.path / "reports" / "toy-grounded.selection.json")
    assert {one.id for finding in part.findings for one in finding.criteria} == {"one.second", "two.second"}


def test_a_selection_of_workers_is_one(audit):
    assert audit("-n", "1", "-k", "first") == PART
