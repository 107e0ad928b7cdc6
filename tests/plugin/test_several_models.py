"""Several models in one run: their selection, memory, shared inputs and order."""

import re

import pytest

import vlaudit.models.toy
from vlaudit.auditing.models import Models
from vlaudit.auditing.options import ModelOptions
from vlaudit.datasets.scenes import Scenes
from vlaudit.errors import CheckpointError
from vlaudit.models import bundled
from vlaudit.models.bundled import bundled_families
from vlaudit.models.registry import FAMILIES
from vlaudit.reporting.document import RunDocument

pytest_plugins = ["pytester"]

SAMPLES = list(Scenes(0, 4))

OWN = """
import weakref
from vlaudit.models.toy import BlindToy, GroundedToy

ALIVE = weakref.WeakSet()

class Watched:
    def __init__(self):
        super().__init__()
        self.name = type(self).__name__
        ALIVE.add(self)
"""

AUDIT = """
import pytest
from dataclasses import dataclass
from pathlib import Path
import vlaudit.authoring as va

@dataclass(frozen=True)
class Counted(va.EverySample):
    def __call__(self, samples, seed):
        with Path(__file__).with_name("chosen.txt").open("a") as file:
            file.write("units chosen\\n")
        return super().__call__(samples, seed)

FINDING = va.Finding("matching", "A caption fits its image.", "a test", "It does not.")
DESIGN = va.Design("matching", Counted(), {"shown": ()}, va.MatchProbability())
audit = pytest.mark.audit(FINDING, DESIGN, va.Mean("shown.p"))

@audit
def test_first(judge):
    judge()

@audit
def test_second(judge):
    judge()
"""

DEMANDS = """
alpha = 0.05
[desirable.any.scenes.matching]
first = { at_least = 0.1, why = "a caption must be about something" }
second = { at_most = 0.1, why = "a caption must be about something" }
"""


@pytest.fixture
def audit(pytester):
    """Return a function that runs the audit above on given models."""
    pytester.makepyfile(test_matching=AUDIT)
    pytester.path.joinpath("demands.toml").write_text(DEMANDS)

    def run(*models, options=(), run=pytester.runpytest_inprocess):
        named = [part for model in models for part in ("--model", model)]
        given = ("-p", "no:cacheprovider", "--limit", "30", "--thresholds", "demands.toml", *named, *options)
        return run(*given)

    run.path = pytester.path
    return run


def listed(done):
    """The families in the ids of the collected tests, in order, each once."""
    return list(dict.fromkeys(re.findall(r"::test_first\[(.*)\]", done.stdout.str())))


def test_all_is_every_family_with_bundled_weights_in_the_registrys_order(audit):
    done = audit("all", options=("--collect-only", "-q"))
    assert done.ret == 0
    assert listed(done) == bundled_families(FAMILIES)
    assert "albef" in listed(done)
    assert not {"toy-grounded", "toy-blind"} & set(listed(done))


def test_further_models_can_be_named_with_all_and_run_once(audit):
    done = audit("all", "toy-blind", "albef", options=("--collect-only", "-q"))
    assert sorted(listed(done)) == sorted([*bundled_families(FAMILIES), "toy-blind"])
    assert listed(done)[-2:] == ["toy-blind", "albef"]


def test_all_without_bundled_weights_is_an_error(audit, monkeypatch, tmp_path):
    monkeypatch.setattr(bundled, "_FIXTURES", (tmp_path / "fixtures",))
    done = audit("all")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["*--model all: no weights are bundled with this installation*"])


@pytest.mark.parametrize(
    ("models", "options", "message"),
    [
        (("toy-grounded", "toy-blnd"), (), "*--model toy-blnd: there is no such family: did you mean toy-blind*"),
        (("all", "all"), (), "*--model all is given twice*"),
        (("all",), ("--checkpoint", "toy=x.pt"), "*no model named toy runs (--model: *albef*)*"),
        (("all", "toy-blind"), ("--checkpoint", "x.pth"), "*models run; write *=PATH*"),
        (("toy-blind", "all"), ("--checkpoint", "albef=x.pth"), "*checkpoint x.pth: there is no such file*"),
    ],
)
def test_a_mistake_about_one_of_several_models_is_one_message(audit, models, options, message):
    done = audit(*models, options=options)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines([message])
    done.stderr.no_fnmatch_line("*Traceback*")


def test_a_wrong_name_is_found_before_any_model_is_loaded(audit):
    audit.path.joinpath("own.py").write_text(
        f"{OWN}\nclass One(Watched, GroundedToy): pass\nopen('loaded.txt', 'w').close()"
    )
    assert audit("own.py:One", "missing").ret == pytest.ExitCode.USAGE_ERROR
    assert not audit.path.joinpath("loaded.txt").exists()


def test_models_run_one_after_another_on_units_that_are_chosen_once(audit):
    done = audit("toy-grounded", "toy-blind", options=("-v",))
    done.assert_outcomes(passed=2, failed=2)
    order = re.findall(r"test_matching.py::\w+\[([\w-]+)\] ", done.stdout.str())
    assert order[:4] == ["toy-grounded"] * 2 + ["toy-blind"] * 2
    assert audit.path.joinpath("chosen.txt").read_text().count("units chosen") == 1


def test_sharing_what_was_planned_changes_no_number(audit):
    found = {}
    for models in (("toy-grounded", "toy-blind"), ("toy-grounded",), ("toy-blind",)):
        audit(*models)
        document = RunDocument.from_json(audit.path / "reports" / f"{'-'.join(models)}.json")
        for finding in document.findings:
            values = [criterion.model_copy(update={"duration": 0.0}) for criterion in finding.criteria]
            assert found.setdefault(finding.model, values) == values


def test_one_model_is_in_memory_at_a_time(audit, pytester):
    audit.path.joinpath("own.py").write_text(
        OWN
        + """
    def forward(self, requests):
        with open("most.txt", "a") as file:
            file.write(f"{len(ALIVE)} ")
        return super().forward(requests)

class One(Watched, GroundedToy): pass
class Two(Watched, BlindToy): pass
class Three(Watched, GroundedToy): pass
"""
    )
    # In this process pytester's recorder would keep the arguments of every hook call, models included.
    done = audit("own.py:One", "own.py:Two", "own.py:Three", run=pytester.runpytest_subprocess)
    done.assert_outcomes(passed=3, failed=3)
    counts = audit.path.joinpath("most.txt").read_text().split()
    assert set(counts) == {"1"}


def test_a_single_model_stays_in_memory():
    models = Models([asked("toy-blind")])
    models.check(SAMPLES, "scenes")
    first = models["toy-blind"]
    models.release("toy-blind")
    assert models["toy-blind"] is first


def test_one_of_several_models_is_reloaded_on_demand():
    models = Models([asked("toy-blind"), asked("toy-grounded")])
    models.check(SAMPLES, "scenes")
    first = models["toy-blind"]
    assert models["toy-blind"] is first
    models.release("toy-blind")
    assert models["toy-blind"] is not first
    assert models.subject("toy-grounded").family == "toy-grounded"


def test_weights_that_change_during_a_run_are_refused(monkeypatch):
    models = Models([asked("toy-blind"), asked("toy-grounded")])
    models.check(SAMPLES, "scenes")
    monkeypatch.setattr(vlaudit.models.toy.BlindToy, "name", "other")
    with pytest.raises(CheckpointError, match="changed during the run"):
        _ = models["toy-blind"]


def asked(family):
    return ModelOptions(family, family)


def test_each_worker_audits_one_model_with_equal_results(audit):
    """A report of two models from two workers: exhibits and counts travel too."""
    found = []
    for workers in (("-n", "2", "-v"), ()):
        done = audit("toy-grounded", "toy-blind", options=workers)
        done.assert_outcomes(passed=2, failed=2)
        done.stdout.no_fnmatch_line("*node down*")
        ran = re.findall(r"\[(gw\d)\].*\[(toy-\w+)\]", done.stdout.str())
        assert len(set(ran)) == len(dict(map(reversed, ran))), "one worker per model"
        document = RunDocument.from_json(audit.path / "reports" / "toy-grounded-toy-blind.json")
        found.append([(f.model, f.counts, [c.value for c in f.criteria]) for f in document.findings])
    assert found[0] == found[1]


def test_the_report_of_several_models_is_named_as_they_were_typed(audit):
    audit("toy-grounded", "toy-blind")
    page = (audit.path / "reports" / "toy-grounded-toy-blind.html").read_text()
    assert "Audit of 2 models" in page
    for family in ("toy-grounded", "toy-blind"):
        assert f"<h4>{family}</h4>" in page or f"<b>{family}</b>" in page


@pytest.mark.parametrize("options", [("-k", "nothing_of_this_name"), ("--expect", "published")])
def test_without_a_verdict_an_earlier_report_stays(audit, options):
    audit("toy-grounded")
    report = audit.path / "reports" / "toy-grounded.html"
    before = report.read_bytes()
    done = audit("toy-grounded", options=options)
    assert sorted(path.name for path in report.parent.iterdir()) == ["toy-grounded.html", "toy-grounded.json"]
    assert report.read_bytes() == before
    done.stdout.no_fnmatch_line("*partial*")
