"""Cases are read from marks as pytest reads them: names, order, marks of parameter sets."""

from types import ModuleType

import pytest

from vlaudit.auditing.cases import cases_of
from vlaudit.findings import Design, Finding
from vlaudit.measures import MatchProbability
from vlaudit.selection import EverySample
from vlaudit.statistics import Mean

FINDING = Finding("f", "claim", "source", "failing")
DESIGN = Design("f.d", EverySample(), {"own": ()}, MatchProbability())


def audit(column="own.p", **settings):
    return pytest.mark.audit(FINDING, DESIGN, Mean(column), **settings)


@pytest.fixture
def module():
    """A module of tests that are not collected here."""

    @audit()
    def test_plain(judge):
        """One sentence,
        on two lines."""  # noqa: D205, D209 (as a long one is)

    @audit()
    @pytest.mark.parametrize("layer", [1, 2])
    @pytest.mark.parametrize(["kind", "head"], [("people", 3), ("animals", 4)])
    def test_stacked(judge, kind, head, layer): ...

    @pytest.mark.parametrize(
        "kind, head",
        [
            pytest.param("people", 3, marks=[pytest.mark.xfail, audit("own.score")]),
            pytest.param("animals", 4, marks=audit(not_for={"two-stream": "shown"})),
            ("unmarked", 5),
        ],
    )
    def test_marked(judge, kind, head): ...

    @audit()
    @pytest.mark.parametrize(argnames="bounds", argvalues=[(0, 1)], ids=["wide"])
    def test_pair(judge, bounds): ...

    @pytest.mark.parametrize(("one", "other"), [(1, 2)])
    def test_unmarked(one, other): ...

    @audit()
    def not_collected(judge): ...

    made = ModuleType("test_made")
    for test in (test_plain, test_stacked, test_marked, test_pair, test_unmarked, not_collected):
        setattr(made, test.__name__, test)
    return made


def test_every_marked_test_is_a_case_per_set_of_parameters(module):
    assert [case.name for case in cases_of(module)] == [
        "plain",
        *("stacked[people-3-1]", "stacked[people-3-2]", "stacked[animals-4-1]", "stacked[animals-4-2]"),
        *("marked[people-3]", "marked[animals-4]"),
        "pair[(0, 1)]",
    ]


def test_a_case_has_the_content_of_its_mark_and_docstring(module):
    cases = {case.name: case for case in cases_of(module)}
    assert cases["plain"].explanation == "One sentence, on two lines."
    assert (cases["plain"].finding, cases["plain"].design, cases["plain"].id) == (FINDING, DESIGN, "f.plain")
    assert cases["marked[people-3]"].statistic == Mean("own.score")
    assert cases["marked[animals-4]"].not_for == {"two-stream": "shown"}
