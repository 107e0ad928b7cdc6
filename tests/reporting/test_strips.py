"""The axis of an estimate and its bound has the correct positions."""

from hypothesis import given
from hypothesis import strategies as st

from vlaudit.deciding import compare
from vlaudit.findings import Criterion, not_applicable
from vlaudit.reporting.document import criterion_record
from vlaudit.reporting.strips import strip
from vlaudit.statistics.base import Estimate

values = st.floats(-50, 50).map(lambda value: round(value, 3))


@st.composite
def records(draw):
    low, value, high = sorted(draw(st.tuples(values, values, values)))
    bounds = sorted(draw(st.tuples(values, values).filter(lambda pair: pair[0] < pair[1])))
    bound = draw(st.sampled_from([{"at_least": bounds[0]}, {"at_most": bounds[0]}, {"within": tuple(bounds)}]))
    criterion = Criterion("c", "why", 0.01, **bound)
    return criterion_record(compare(Estimate(value, low, high, 0.01, 9, 9, "bootstrap"), criterion), "f")


@given(records())
def test_everything_lies_on_the_line_and_in_order(record):
    line = strip(record)
    assert 0 <= line.low <= line.value <= line.high <= 100
    assert line.axis[0] < line.axis[1]
    assert 0 <= line.zone[0] <= line.zone[0] + line.zone[1] <= 100 + 1e-9
    assert all(0 <= bound <= 100 for bound in line.bounds)


@given(records())
def test_the_interval_lies_in_the_zone_where_it_passes_and_outside_where_it_fails(record):
    line, rounding = strip(record), 1e-6
    start, end = line.zone[0], sum(line.zone)
    if record.outcome == "pass":
        assert start - rounding <= line.low <= line.high <= end + rounding
    if record.outcome == "fail":
        assert line.high <= start + rounding or line.low >= end - rounding


def test_shares_have_a_common_axis():
    lines = [
        strip(criterion_record(compare(Estimate(v, v - 0.1, v + 0.1, 0.01, 9, 9, ""), _demanded()), "f"))
        for v in (0.2, 0.5, 0.8)
    ]
    assert {line.axis for line in lines} == {(0.0, 1.0)}
    assert [round(line.value) for line in lines] == [20, 50, 80]


def test_without_an_estimate_there_is_no_line():
    assert strip(criterion_record(not_applicable(_demanded(), "why"), "f")) is None


def _demanded():
    return Criterion("c", "why", 0.01, at_least=0.3)
