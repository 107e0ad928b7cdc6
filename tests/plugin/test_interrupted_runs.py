"""A run that is cut short measures nothing anew, keeps its verdicts, and never replaces a complete report."""

import errno
import os
from pathlib import Path

import pytest

from vlaudit.reporting.document import RunDocument

pytest_plugins = ["pytester"]

AUDIT = """
import os
import pytest
import vlaudit.authoring as va

DESIGN = va.Design("matching", va.EverySample(), {"own": ()}, va.MatchProbability())
FINDING = va.Finding(
    "matching", "A caption fits its image.", "a test", "It does not.",
    exhibits=(va.Bars("Captions", DESIGN, {"p": "own.p"}),),
)

@pytest.mark.audit(FINDING, DESIGN, va.Mean("own.p"))
def test_first(judge):
    judge()

@pytest.mark.audit(FINDING, DESIGN, va.Mean("own.p"))
def test_second(judge):
    judge()
"""

BOUNDS = """
[desirable.any.any.matching]
first = { at_least = 0.1, why = "a caption must be about something" }
second = { at_least = 0.1, why = "a caption must be about something" }
"""

MODEL = """
import os, signal
from pathlib import Path
from vlaudit.models.toy import GroundedToy

PASSES = Path(__file__).with_name("passes.txt")

class Stopping(GroundedToy):
    name = "stopping"
    batches = 0

    def forward(self, requests):
        with PASSES.open("a") as file:
            file.write(".")
        self.batches += len(requests) == 5  # batches of the run; those of the start are smaller or larger
        if self.batches == 3 and (stop := os.environ.get("STOP")):
            if stop in ("SIGINT", "SIGTERM"):
                os.kill(os.getpid(), getattr(signal, stop))
            elif stop == "KeyboardInterrupt":
                raise KeyboardInterrupt
            else:
                raise RuntimeError("the device is gone")
        return super().forward(requests)
"""


@pytest.fixture
def audit(pytester, monkeypatch):
    """Return a function that audits a toy and then a model that stops in its third batch."""
    pytester.makepyfile(test_matching=AUDIT, own=MODEL)
    (pytester.path / "bounds.toml").write_text(BOUNDS)
    common = ("-p", "no:cacheprovider", "--limit", "20", "--batch-size", "5", "--thresholds", "bounds.toml")

    def run(*options, stop="", models=("toy-grounded", "own.py:Stopping"), apart=False):
        monkeypatch.setenv("STOP", stop)
        (pytester.path / "passes.txt").unlink(missing_ok=True)
        named = [part for model in models for part in ("--model", model)]
        if apart:
            return pytester.runpytest_subprocess(*common, *named, *options)
        return pytester.runpytest_inprocess(*common, *named, *options, no_reraise_ctrlc=True)

    run.path = pytester.path
    return run


def report(path, name="toy-grounded-own"):
    return RunDocument.from_json(path / "reports" / f"{name}.json")


def files(path):
    return {one.name: one.read_bytes() for one in (path / "reports").iterdir()}


def judged(document):
    return [(finding.model, one.id, one.outcome) for finding in document.findings for one in finding.criteria]


KEPT = [("toy-grounded", "matching.first", "pass"), ("toy-grounded", "matching.second", "pass")]


def check_interrupted(document, page):
    assert not document.complete
    assert "Ctrl-C during test_matching.py::test_first[stopping]" in document.interrupted
    assert judged(document) == KEPT
    assert document.summary.sentence.startswith("Interrupted (Ctrl-C")
    assert all("Holds" not in summary.sentence for summary in document.summaries.values())
    assert document.summary.sentence in page
    assert document.started.isoformat() in page


def test_ctrl_c_keeps_what_was_judged_and_then_the_complete_report(audit):
    """A signal in the third batch of the second model, in a process of its own."""
    done = audit(stop="SIGINT", apart=True)
    assert done.ret == pytest.ExitCode.INTERRUPTED
    done.stdout.fnmatch_lines(["Interrupted (Ctrl-C during*", "report: *toy-grounded-own.html"])
    check_interrupted(report(audit.path), files(audit.path)["toy-grounded-own.html"].decode())


def test_a_cancelled_job_keeps_what_was_judged_too(audit):
    done = audit(stop="SIGTERM", apart=True)
    assert done.ret == pytest.ExitCode.INTERRUPTED
    assert judged(report(audit.path)) == KEPT
    assert report(audit.path).interrupted.startswith("SIGTERM during test_matching.py::test_first[stopping]")


def test_an_interrupted_run_never_replaces_a_report(audit):
    audit(stop="KeyboardInterrupt")
    assert not report(audit.path).complete
    audit()
    assert report(audit.path).complete
    before, passes = files(audit.path), (audit.path / "passes.txt").read_text()
    done = audit(stop="KeyboardInterrupt")
    assert done.ret == pytest.ExitCode.INTERRUPTED
    assert len((audit.path / "passes.txt").read_text()) < len(passes), "nothing is measured anew"
    done.stdout.fnmatch_lines(
        [
            "report: *toy-grounded-own.interrupted.html",
            "This run is incomplete, so the earlier report stays: *toy-grounded-own.html",
        ]
    )
    after = files(audit.path)
    assert before.items() <= after.items()
    assert set(after) - set(before) == {"toy-grounded-own.interrupted.html", "toy-grounded-own.interrupted.json"}
    page = after["toy-grounded-own.interrupted.html"].decode()
    check_interrupted(report(audit.path, "toy-grounded-own.interrupted"), page)


def test_an_explicit_path_is_kept_too(audit):
    given = ("--audit-html", "page.html", "--audit-json", "run.json")
    audit(*given)
    before = (audit.path / "page.html").read_bytes(), (audit.path / "run.json").read_bytes()
    audit(*given, stop="KeyboardInterrupt")
    assert ((audit.path / "page.html").read_bytes(), (audit.path / "run.json").read_bytes()) == before
    assert not RunDocument.from_json(audit.path / "run.interrupted.json").complete
    assert (audit.path / "page.interrupted.html").is_file()


def test_ctrl_c_before_any_verdict_writes_nothing(audit):
    done = audit(stop="KeyboardInterrupt", models=("own.py:Stopping",))
    assert done.ret == pytest.ExitCode.INTERRUPTED
    done.stdout.fnmatch_lines(["Interrupted (Ctrl-C during *test_first*"])
    assert "Nothing was judged; no report is written." in " ".join(done.outlines)
    assert not list((audit.path / "reports").iterdir())


def test_an_exception_of_the_model_is_an_incomplete_report_and_measures_nothing_again(audit):
    audit(models=("own.py:Stopping",))
    before, passes = files(audit.path), (audit.path / "passes.txt").read_text()
    done = audit(stop="RuntimeError", models=("own.py:Stopping",))
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    assert len((audit.path / "passes.txt").read_text()) == len(passes) - 1, "the third of four batches is the last"
    assert before.items() <= files(audit.path).items()
    found = report(audit.path, "own.interrupted")
    assert not found.complete
    assert "RuntimeError: the device is gone (own.py, line" in found.interrupted
    assert [outcome for *_, outcome in judged(found)] == ["error", "error"]
    done.stdout.fnmatch_lines(["Interrupted (--model stopping: *", "report: *own.interrupted.html"])


def test_a_run_that_stops_at_its_first_failure_is_incomplete(audit):
    first, second = BOUNDS.strip().splitlines()[1:]
    (audit.path / "bounds.toml").write_text(BOUNDS.replace(first, first.replace("at_least", "at_most")))
    assert audit("-x", models=("toy-grounded",)).ret == pytest.ExitCode.TESTS_FAILED
    assert report(audit.path, "toy-grounded").interrupted == "stopping after 1 failures, 1 of 2 tests ran"
    (audit.path / "bounds.toml").write_text(BOUNDS.replace(second, second.replace("at_least", "at_most")))
    assert audit("-x", models=("toy-grounded",)).ret == pytest.ExitCode.TESTS_FAILED
    assert report(audit.path, "toy-grounded").complete, "the last test failed"


def test_a_worker_that_is_interrupted_keeps_the_verdicts_that_it_sent(audit):
    done = audit("-n", "1", stop="KeyboardInterrupt", apart=True)
    assert done.ret == pytest.ExitCode.INTERRUPTED
    found = report(audit.path)
    assert "Ctrl-C" in found.interrupted
    assert judged(found) == KEPT
    assert found.findings[0].claim == "A caption fits its image."


def test_a_full_disk_is_one_message_and_leaves_the_report(audit, monkeypatch):
    models = ("toy-grounded",)
    audit(models=models)
    before, write = files(audit.path), Path.write_text

    def full(path, text, **options):
        if path.suffix == ".tmp" and text:
            write(path, text[: len(text) // 2], **options)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, text, **options)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", full)
        done = audit(models=models)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stdout.fnmatch_lines(["*first*pass", "ERROR: the report *cannot be written: No space left on device*"])
    done.stdout.no_fnmatch_line("*Traceback*")
    assert files(audit.path) == before
