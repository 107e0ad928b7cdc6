"""The verdict in one sentence, and numbers as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlaudit.reporting import wording

FAILS = {"status": "fails"}
UNAUDITED = {"status": "not audited", "decided": False}
CASES = {
    "Holds: all 3 criteria passed.": ({"pass": 3}, {}),
    "Holds: the one criterion passed.": ({"pass": 1}, {}),
    "Holds: of 3 criteria, 2 passed, 1 not applicable.": ({"pass": 2, "not applicable": 1}, {}),
    "No criterion failed, but not all is decided: of 3 criteria, 2 passed, 1 inconclusive.": (
        {"pass": 2, "inconclusive": 1},
        {"status": "undecided"},
    ),
    "Does not pass the gate: of 3 criteria, 1 inconclusive, 2 passed.": (
        {"pass": 2, "inconclusive": 1},
        {"gate": True, **FAILS},
    ),
    "Fails: of 4 criteria, 1 failed, 1 could not be computed, 2 passed.": ({"pass": 2, "fail": 1, "error": 1}, FAILS),
    "Fails: the one criterion, 1 could not be computed.": ({"error": 1}, {"status": "error"}),
    "Holds: of 3 criteria, 2 passed, 1 failed; 1 known failure among them.": ({"pass": 2, "fail": 1}, {"known": 1}),
    "Reproduces the published findings: all 2 criteria passed.": ({"pass": 2}, {"expect": "published"}),
    "Does not reproduce: of 2 criteria, 1 failed, 1 passed.": (
        {"pass": 1, "fail": 1},
        {"expect": "published", **FAILS},
    ),
    "Nothing was judged: no criterion applies to this model and these data.": ({"not applicable": 2}, UNAUDITED),
    "Nothing was judged: no criterion applies to these models and these data.": (
        {"not applicable": 2},
        {"models": 2, **UNAUDITED},
    ),
    "Nothing was judged: use --data.": ({"not applicable": 2}, {"reason": "use --data", **UNAUDITED}),
    "Does not pass the gate: nothing was judged: use --data.": (
        {"not applicable": 2},
        {"reason": "use --data", "gate": True, **UNAUDITED},
    ),
    "Nothing was decided: of 3 criteria, 2 inconclusive, 1 not applicable.": (
        {"inconclusive": 2, "not applicable": 1},
        {"status": "undecided", "decided": False},
    ),
    "Holds as far as audited: of 3 criteria, 2 passed, 1 not applicable; not audited: color_bias.": (
        {"pass": 2, "not applicable": 1},
        {"unaudited": ["color_bias"]},
    ),
    "Fails: the one criterion, 1 passed, 1 outside the range of a known failure.": (
        {"pass": 1},
        {"outside": 1, **FAILS},
    ),
    "Fails: of 4 criteria on 2 models, 1 failed, 3 passed.": ({"pass": 3, "fail": 1}, {"models": 2, **FAILS}),
    "Holds: all 4 criteria on 2 models passed.": ({"pass": 4}, {"models": 2}),
}


@pytest.mark.parametrize("said", CASES)
def test_a_run_is_one_sentence(said):
    counts, settings = CASES[said]
    assert wording.sentence(counts, **({"status": "holds", "expect": "desirable", "gate": False} | settings)) == said


@given(st.floats(-1e12, 1e12))
def test_a_number_as_text_is_short_and_near(value):
    text = wording.number(value)
    assert len(text) <= 11
    assert float(text) == pytest.approx(value, rel=1e-3, abs=6e-4)


@given(st.floats(-1, 1).filter(bool))
def test_nonzero_numbers_are_not_written_as_zero(value):
    assert float(wording.number(value)) != 0
