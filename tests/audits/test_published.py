"""The published figures in the audits are those of the papers, as recorded next to the repository."""

import tomllib
from pathlib import Path

import pytest

from audits.test_coref_heads import FINDING as LINKS
from vlaudit.thresholds import read_thresholds

VALUE = Path(__file__).parents[3] / "shared" / "published" / "value.toml"


@pytest.fixture(scope="module")
def table_2():
    if not VALUE.is_file():
        pytest.skip("the papers' figures are not available next to the repository")
    return tomllib.loads(VALUE.read_text(encoding="utf-8"))["coref"]


def cells(table):
    """Yield criterion, then linked and random weight of UNITER and of LXMERT."""
    for kind in table["ss"]:
        for direction, name in (("image_text", "v_to_t"), ("text_image", "t_to_v")):
            pairs = [(table[model][kind][name], table[model][kind][f"{name}_rand"]) for model in ("ss", "ts")]
            yield f"links_above_random[{kind}-{direction}]", *pairs


def test_every_cell_of_table_2_is_paired_with_its_criterion(table_2):
    shown = {name: text for name, text in LINKS.published.items() if name != "note"}
    assert shown == {
        criterion: (
            f"UNITER-base {uniter[0]:.3f}, random {uniter[1]:.3f}; LXMERT-base {lxmert[0]:.3f}, random {lxmert[1]:.3f}"
        )
        for criterion, uniter, lxmert in cells(table_2)
    }


def test_reproductions_are_judged_on_the_cells_above_random(table_2):
    """Of the two-stream model those from image to text alone."""
    published = read_thresholds()._shipped.file.published
    asked = {family: set(published[family]["any"]["coref_heads"]) for family in ("uniter", "lxmert")}
    assert asked["uniter"] == {criterion for criterion, uniter, _ in cells(table_2) if uniter[0] > uniter[1]}
    assert asked["lxmert"] == {
        criterion for criterion, _, lxmert in cells(table_2) if lxmert[0] > lxmert[1] and "image_text" in criterion
    }
