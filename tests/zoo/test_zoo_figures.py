"""Figures, their bounds, and the cards made of them."""

import json
from dataclasses import replace

import pytest

from fixtures.zoo import card, figures
from fixtures.zoo.figures import KINDS, Count, Figures, requirements
from vlaudit.errors import DataError, UsageError
from vlaudit.known_failures import read_known_failures

CONDITIONS = ("clean", "blank", "gray", "covered", "mirrored")


@pytest.fixture
def good():
    """Figures that meet every bound."""
    named = {condition: dict.fromkeys(KINDS, Count(98, 100)) for condition in CONDITIONS}
    named["blank"] = dict.fromkeys(KINDS, Count(20, 100))
    contrasts = ("random caption", *(f"{kind} foil" for kind in KINDS))
    return Figures(
        fingerprint="sha256:0",
        training={"seed": 0, "steps": 9, "minutes": {"look": 1.5}, "processes": 1, "device": "cpu"},
        seed=1,
        scenes=100,
        named=named,
        named_of_all=named,
        matched=dict.fromkeys(contrasts, Count(99, 100)),
        hinted={"hint": Count(1, 2)},
        floors=dict.fromkeys(KINDS, 0.25),
    )


def missed(each):
    return [asked.text for asked in requirements(each) if not asked.held]


def with_named(each, condition, kind, count):
    named = each.named | {condition: each.named[condition] | {kind: count}}
    return replace(each, named=named)


def test_good_figures_meet_every_bound(good):
    assert missed(good) == []
    assert len(requirements(good)) == 10 + 10 + 1 + 4 + 1


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_word_has_its_own_bound(good, kind):
    bound = 97 if kind.endswith("side") else 93
    assert missed(with_named(good, "clean", kind, Count(bound, 100))) == []
    assert f"masked {kind}" in missed(with_named(good, "clean", kind, Count(bound - 1, 100)))


@pytest.mark.parametrize("right", [14, 36])
def test_a_blank_image_must_leave_a_word_near_its_floor_on_either_side(good, right):
    assert missed(with_named(good, "blank", "color", Count(right, 100))) == ["color with a blank image, from its floor"]


def test_object_words_lost_without_colour_have_a_bound(good):
    assert missed(with_named(good, "gray", "object", Count(92, 100))) == ["object words lost without colour"]


def test_the_bounds_of_other_families_are_in_their_recipes(good, monkeypatch):
    other = replace(good, family="uniter")
    required = {"clean color": 0.97, "match object foil": 0.995, "covered colour": 0.1}
    recipe = replace(figures.read_recipe(figures.recipe_path("uniter")), required=required)
    monkeypatch.setattr(figures, "read_recipe", lambda path: recipe)
    assert [asked.text for asked in requirements(other)] == list(required)
    assert missed(other) == ["match object foil", "covered colour"]
    assert "Bounds on these weights." in figures.tables(other)


def test_a_model_without_match_or_bounds_has_no_tables_of_them(good, monkeypatch):
    recipe = replace(figures.read_recipe(figures.recipe_path("bert")), required={})
    monkeypatch.setattr(figures, "read_recipe", lambda path: recipe)
    blind = replace(good, family="bert", named={"clean": good.named["clean"]}, matched={})
    text = figures.tables(blind)
    assert "Matching:" not in text
    assert "Bounds on" not in text
    assert "| word" in text


def test_a_figure_without_questions_misses_its_bound(good):
    assert missed(replace(good, matched=good.matched | {"random caption": Count(0, 0)})) == [
        "match above a random caption"
    ]


def test_figures_survive_writing_and_reading(good, tmp_path):
    figures.write(tmp_path / "card.json", [good, good])
    assert figures.read(tmp_path / "card.json") == [good, good]


@pytest.mark.parametrize("text", ["{", "[{}]", "[1]", '{"a": 1}', "null"])
def test_a_file_without_figures_is_an_error_with_its_name(tmp_path, text):
    (tmp_path / "card.json").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"card\.json: not a file of `evaluate --json`"):
        figures.read(tmp_path / "card.json")


def test_the_card_contains_tables_and_missed_bounds(good, tmp_path, monkeypatch):
    monkeypatch.setattr(card, "HERE", tmp_path)
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / "albef.md").write_text(
        f"# A\n{card.FIGURES}\n{card.MISSED}\n{card.KNOWN_FAILURES}\n", encoding="utf-8"
    )
    folder = tmp_path / "weights" / "albef"
    folder.mkdir(parents=True)
    bad = with_named(good, "clean", "animal", Count(50, 100))
    figures.write(folder / "card.json", [good, bad])
    text = card.write_card("albef").read_text(encoding="utf-8")
    assert figures.tables(good) in text
    assert "- Weights 2: masked animal is 0.500, not at least 0.93." in text
    assert "The audits expect no failures of these weights." in text


def test_cards_of_models_with_regions_share_a_text_and_list_known_failures():
    """Every shipped card is what `render_card` returns."""
    for path in sorted((card.HERE / "weights").glob("*/card.md")):
        family, text = path.parent.name, path.read_text(encoding="utf-8")
        assert "<!--" not in text
        if family == "regions":
            continue
        assert card.render_card(family) == text
        listed = path.parent / "known_failures.toml"
        known = read_known_failures(listed) if listed.is_file() else ()
        assert text.count("| `") == len(known)
        assert all(entry.criterion in text for entry in known)


def test_a_card_without_figures_is_an_error_with_the_command_to_run(tmp_path, monkeypatch):
    monkeypatch.setattr(card, "HERE", tmp_path)
    with pytest.raises(UsageError, match="evaluate albef --json"):
        card.write_card("albef")
    with pytest.raises(UsageError, match="no weights of albef are bundled"):
        card.bundled("albef")


def test_the_json_is_plain(good, tmp_path):
    figures.write(tmp_path / "card.json", [good])
    assert json.loads((tmp_path / "card.json").read_text(encoding="utf-8"))[0]["matched"]["random caption"] == [99, 100]
