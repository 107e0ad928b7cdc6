"""NaN and infinity are refused where traces enter, with the reading and the sample named."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vlaudit.errors import AnswerError
from vlaudit.execution.numbers import check_numbers
from vlaudit.execution.plan import PlannedPass
from vlaudit.models.base import ForwardRequest
from vlaudit.samples import Sample
from vlaudit.traces import Attention, Hidden, Match, TextAxis, Trace, Words

READINGS = [Match(), Hidden("text"), Attention("text", "image"), Words(("red", "blue"))]
NOTHING = -math.inf


def entered(*answers):
    """Check one trace per mapping of readings to values."""
    samples = [Sample(f"s{i}", f"i{i}", None, "a dog") for i in range(len(answers))]
    batch = [PlannedPass(ForwardRequest(sample, frozenset()), ()) for sample in samples]
    traces = [
        Trace("key", {reading: torch.tensor(value) for reading, value in held.items()}, TextAxis(()), None)
        for held in answers
    ]
    check_numbers(batch, traces)


@given(st.lists(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), min_size=2, max_size=2), min_size=1))
def test_words_may_be_impossible_but_not_all_of_them(rows):
    finite = all(not any(math.isnan(x) or x == math.inf for x in row) and max(row) > NOTHING for row in rows)
    if finite:
        entered({READINGS[-1]: rows})
    else:
        with pytest.raises(AnswerError, match=r"sample s0: .*Words"):
            entered({READINGS[-1]: rows})


@pytest.mark.parametrize("reading", READINGS[:-1], ids=lambda reading: type(reading).__name__)
@pytest.mark.parametrize("bad", [math.nan, math.inf, NOTHING])
def test_one_bad_value_of_one_sample_is_named(reading, bad):
    good = {one: [0.5, 0.25] for one in READINGS[:-1]}
    entered(good, good)
    with pytest.raises(AnswerError, match=rf"sample s1: .*{type(reading).__name__}.* in 1 of 2 values"):
        entered(good, good | {reading: [0.5, bad]})


def test_a_request_without_readings_and_an_empty_answer_pass():
    entered({})
    entered({Hidden("text"): []})
