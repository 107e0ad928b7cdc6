"""The JSON document: it is complete, written atomically, and other files are refused."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlaudit.__main__ import main
from vlaudit.deciding import compare
from vlaudit.errors import DataError, UsageError
from vlaudit.findings import Criterion, Verdict, not_applicable
from vlaudit.known_failures import KnownFailure
from vlaudit.reporting.document import RunDocument, criterion_record, schema
from vlaudit.reporting.files import check_writable, write_whole
from vlaudit.statistics.base import Estimate

DEMANDED = Criterion("vision_effect", "because", 0.01, at_least=0.1)
numbers = st.floats(-1e6, 1e6)


@st.composite
def verdicts(draw):
    criterion = draw(
        st.sampled_from(
            [
                DEMANDED,
                Criterion("x.most", "why <b>", 0.01, at_most=-0.5),
                Criterion("both", "", 0.01, within=(-1.0, 2.5)),
            ]
        )
    )
    if draw(st.booleans()):
        reason = draw(st.text(max_size=20))
        return Verdict(criterion, "error", reason) if draw(st.booleans()) else not_applicable(criterion, reason)
    low, value, high = sorted(draw(st.tuples(numbers, numbers, numbers)))
    shown = draw(st.dictionaries(st.text(max_size=5), st.one_of(st.floats(), st.text(max_size=5)), max_size=3))
    units = draw(st.integers(2, 10**6))
    return compare(Estimate(value, low, high, 0.01, units, units, "betting", draw(st.integers(0, 9)), shown), criterion)


def test_written_content_is_read_again(demo, tmp_path):
    document = demo.document()
    document.to_json(tmp_path / "run.json")
    assert RunDocument.from_json(tmp_path / "run.json") == document


KNOWN = KnownFailure(criterion="x.y", model="m", sha256="0" * 16, low=-1.0, high=0.5, why="a reason of ten letters")


@given(verdict=verdicts(), known=st.sampled_from([None, KNOWN]), as_known=st.sampled_from([None, True, False]))
@settings(max_examples=60)
def test_every_verdict_survives_json_that_others_can_read(demo, verdict, known, as_known):
    """Strict JSON: no NaN and no infinity for any verdict."""
    record = criterion_record(verdict, "x", known_failure=known, as_known=as_known)
    text = record.model_dump_json()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert type(record).model_validate_json(text) == record
    assert record.outcome == verdict.outcome


def test_a_record_has_the_content_of_its_verdict():
    found = Estimate(0.3, 0.2, 0.4, 0.01, 30, 20, "bootstrap", 7, {"best": "layer 3", "naive": math.nan})
    record = criterion_record(compare(found, DEMANDED), "text_dominance", duration=1.5)
    assert (record.id, record.title, record.bound) == ("text_dominance.vision_effect", "vision effect", "at least 0.1")
    assert (record.value, record.low, record.high, record.units, record.clusters) == (0.3, 0.2, 0.4, 30, 20)
    assert (record.method, record.seed, record.alpha, record.duration) == ("bootstrap", 7, 0.01, 1.5)
    assert record.shown == {"best": "layer 3", "naive": "nan"}


def test_an_id_that_names_its_finding_already_keeps_its_name():
    criterion = Criterion("color_bias.object_under_gray", "why", 0.01, at_least=0.0)
    assert criterion_record(not_applicable(criterion, ""), "color_bias").id == "color_bias.object_under_gray"


def test_an_open_side_of_an_interval_is_null():
    found = Estimate(0.3, 0.2, math.inf, 0.01, 30, 20, "bootstrap")
    record = criterion_record(Verdict(DEMANDED, "pass", "", found), "x")
    assert (record.low, record.high, record.interval) == (0.2, None, "[0.200, ∞]")


def test_the_summary_counts_every_criterion(demo):
    document = demo.document()
    assert sum(document.summary.outcomes.values()) == sum(len(finding.criteria) for finding in document.findings)
    assert document.summary.outcomes["fail"] == 2
    assert next(iter(document.summary.outcomes)) == "fail", "the one that matters most comes first"


def test_the_schema_describes_what_is_written(demo):
    described, written = schema(), json.loads(demo.document().model_dump_json())
    assert set(written) == set(described["properties"]) == {*described["required"], *_optional(described)}
    assert written["schema_version"] == described["properties"]["schema_version"]["const"] == "1"


def _optional(described):
    return [name for name, field in described["properties"].items() if "default" in field or "const" in field]


def test_the_command_prints_the_schema(capsys):
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == schema()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "does not follow schema version 1"),
        ("{}", "Field required"),
        ('{"schema_version": "2"}', "schema_version: Input should be '1'"),
    ],
)
def test_other_files_are_an_error_with_their_name(tmp_path, content, said):
    path = tmp_path / "run.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"run\.json") as error:
        RunDocument.from_json(path)
    assert said in str(error.value)


def test_a_missing_document_is_refused_by_name(tmp_path):
    with pytest.raises(DataError, match=r"none\.json cannot be read: No such file"):
        RunDocument.from_json(tmp_path / "none.json")


def test_a_killed_write_leaves_the_previous_report_whole(tmp_path, monkeypatch):
    """For a failure while writing or while moving; no other file is left."""
    path = tmp_path / "report.html"
    write_whole(path, "previous")
    for step in ("write_text", "replace"):
        with monkeypatch.context() as patched:
            patched.setattr(Path, step, _killed)
            with pytest.raises(KeyboardInterrupt):
                write_whole(path, "next")
        assert path.read_text() == "previous"
        assert list(tmp_path.iterdir()) == [path]


def _killed(*_arguments, **_named):
    raise KeyboardInterrupt


def test_a_report_folder_is_made(tmp_path):
    write_whole(tmp_path / "a" / "b" / "report.html", "text")
    assert (tmp_path / "a" / "b" / "report.html").read_text() == "text"


@pytest.mark.parametrize("ask", [check_writable, lambda path: write_whole(path, "")], ids=["check", "write"])
def test_a_folder_that_cannot_be_written_is_named(tmp_path, ask):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"report .*file.report\.html cannot be written"):
        ask(tmp_path / "file" / "report.html")


def test_a_folder_is_no_report(tmp_path):
    with pytest.raises(UsageError, match="it is a folder; name a file"):
        check_writable(tmp_path)


def test_checking_leaves_nothing_behind(tmp_path):
    check_writable(tmp_path / "report.html")
    assert not list(tmp_path.iterdir())
