"""Each exhibit is drawn from the table of its design, and from no other."""

from vlaudit.findings import Design
from vlaudit.measures import MatchProbability
from vlaudit.measures.base import Unit
from vlaudit.reporting.exhibits import Bars, draw
from vlaudit.samples import Sample
from vlaudit.selection import EverySample
from vlaudit.tables import Table

ONE, OTHER, UNMEASURED = (Design(name, EverySample(), {"own": ()}, MatchProbability()) for name in ("a", "b", "c"))


def bars(design, column="own.p"):
    return Bars(f"bars of {design.id}", design, {"own": column})


def measured(value, count=3):
    units = {f"u{i}": Unit(f"u{i}", Sample(f"u{i}", f"i{i}", None, "a dog")) for i in range(count)}
    return Table.of([{"unit_id": u, "image_id": one.image_id, "own.p": value} for u, one in units.items()]), units


def test_two_designs_may_have_columns_of_one_name():
    tables = {"a": measured(0.25), "b": measured(0.75)}
    drawn = draw([bars(OTHER), bars(ONE)], tables)
    assert [one.title for one in drawn] == ["bars of b", "bars of a"]
    assert ["0.250" in one.html for one in drawn] == [False, True]
    assert ["0.750" in one.html for one in drawn] == [True, False]


def test_exhibits_of_designs_that_were_not_measured_are_left_out():
    """They were not selected, so nothing is missing."""
    assert [one.title for one in draw([bars(ONE), bars(UNMEASURED)], {"a": measured(0.5)})] == ["bars of a"]


def test_an_empty_table_and_a_missing_column_are_reported_for_one_exhibit():
    tables = {"a": (Table.of([]), {}), "b": measured(0.5)}
    drawn = draw([bars(ONE), bars(OTHER, "gone"), bars(OTHER)], tables)
    assert [one.lacks for one in drawn][::2] == ["nothing was measured", ""]
    assert "has no column 'gone'" in drawn[1].lacks
    assert all("Not drawn" in one.html for one in drawn[:2])
