"""The verdict table: it fits the terminal, and a failure is fully explained."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlaudit.deciding import compare
from vlaudit.findings import Criterion, Finding
from vlaudit.reporting.document import criterion_record, finding_record
from vlaudit.reporting.terminal import verdict_table
from vlaudit.statistics.base import Estimate

ids = st.text("abcdefghij_[]-", min_size=1, max_size=90)
values = st.floats(-1e8, 1e8)


def record(name, value, low, high, **bound):
    criterion = Criterion(name, "the reason why", 0.01, **(bound or {"at_least": 0.1}))
    return criterion_record(compare(Estimate(value, low, high, 0.01, 400, 321, "bootstrap"), criterion), "seeing")


def document_of(demo, *criteria, **changes):
    finding = Finding("seeing", "It looks.", "Author 2021", "It will guess.", {})
    document = demo.document(findings=(), **changes)
    records = (finding_record(finding, "albef", criteria),)
    fields = {
        name: getattr(document, name)
        for name in set(type(document).model_fields) - {"findings", "summary", "summaries"}
    }
    return type(document).of(findings=records, **fields)


@given(st.lists(st.tuples(ids, values, values, values), min_size=1, max_size=5), st.sampled_from([80, 100]))
@settings(max_examples=50)
def test_every_line_fits(demo, found, width):
    criteria = []
    for name, *numbers in found:
        low, value, high = sorted(numbers)
        criteria.append(record(name, value, low, high))
    lines = verdict_table(document_of(demo, *criteria), width, "reports/albef.html")
    assert max(map(len, lines)) <= width


def test_a_row_holds_estimate_interval_bound_images_and_verdict(demo):
    lines = verdict_table(document_of(demo, record("effect", 0.5, 0.4, 0.6)))
    assert lines[1] == "seeing"
    assert lines[2].split() == ["effect", "0.500", "[0.400,", "0.600]", "≥", "0.1", "321", "pass"]


def test_columns_are_aligned(demo):
    lines = verdict_table(document_of(demo, record("a", 0.5, 0.4, 0.6), record("longer_name", -0.5, -0.6, -0.4)))
    assert lines[2].index("0.500") == lines[3].index("-0.500")
    assert lines[2].index("pass") == lines[3].index("FAIL")


def test_a_failure_states_claim_estimate_interval_threshold_and_report(demo):
    text = " ".join(
        "\n".join(verdict_table(document_of(demo, record("effect", 0.0, -0.1, 0.05)), 80, "r.html")).split()
    )
    for part in (
        "FAIL seeing.effect claim It looks.",
        "0.000 [-0.100, 0.050] at 99%, 321 images",
        "threshold at least 0.1: the reason why",
        "means It will guess.",
        "Fails: the one criterion, 1 failed.",
        "report: r.html",
    ):
        assert part in text


def test_a_passed_criterion_is_not_explained(demo):
    text = "\n".join(verdict_table(document_of(demo, record("effect", 0.5, 0.4, 0.6))))
    assert "It looks." not in text


@pytest.mark.parametrize("part", ["2,700 images would decide it", "holds 3 NaN", "cannot read these stimuli"])
def test_outcomes_other_than_pass_have_a_reason(demo, part):
    assert part in " ".join("\n".join(verdict_table(demo.document())).split())
