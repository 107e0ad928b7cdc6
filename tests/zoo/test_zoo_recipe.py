"""A recipe is validated completely when it is read; errors name file and field."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.zoo.recipe import RECIPES, Schedule, read_recipe, recipe_path
from vlaudit.errors import UsageError

TEXT = (RECIPES / "albef.toml").read_text(encoding="utf-8")


def refusal(tmp_path, text):
    path = tmp_path / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        read_recipe(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_the_bundled_recipe_gives_a_network_in_the_published_layout():
    config = read_recipe(recipe_path("albef")).network.config(vocabulary_size=215)
    assert (config.layout, config.text.vocab_size, config.vision.grid) == ("pretraining", 215, 12)


def test_every_bundled_recipe_can_be_read():
    # the recipe of the region encoder has another format, see test_zoo_regions.py
    assert all(read_recipe(path).stages for path in RECIPES.glob("*.toml") if path.stem != "regions")


def test_a_model_without_a_recipe_is_an_error_that_lists_those_with_one():
    with pytest.raises(UsageError, match=r"must be one that has a recipe .*albef.*got 'alpef'"):
        recipe_path("alpef")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("gray = 0.2", "grey = 0.2", "stages[0] has grey, which is not a field"),
        ("clip = 2.0", "", "optimizer must set clip"),
        ("steps = 4200", 'steps = "many"', "stages[0].steps must be of type int, got 'many'"),
        ("steps = 4200", "steps = true", "stages[0].steps must be of type int, got True"),
        ("steps = 4200", "steps = 0", "steps must be at least 1, got 0"),
        ("gray = 0.2", "gray = 1.5", "gray must lie between 0 and 1, got 1.5"),
        ('kind = "dense"', 'kind = "dance"', "kind must be one of dense, mask, match, fill, pair, read, got 'dance'"),
        ('"image words" = 0.5', '"image word" = 0.5', "losses must weigh exactly image words, patch words"),
        ('"image words" = 0.5', '"image words" = "half"', "losses.image words must be of type float, got 'half'"),
        ("fall = 0.5", "fall = 0.01", "0 <= rise <= fall < 1 must hold"),
        ("[network]", "[network", "cannot read the file"),
        ("[[stages]]", "[[phases]]", "the recipe has phases, which is not a field"),
    ],
)
def test_an_invalid_recipe_is_an_error_with_file_field_and_rule(tmp_path, old, new, message):
    assert old in TEXT
    assert message in refusal(tmp_path, TEXT.replace(old, new))


def test_a_stage_must_give_its_reasons(tmp_path):
    stage = TEXT[TEXT.index('why = """') :]
    reason = stage[: stage.index('"""', 9) + 3]
    assert "why must give the reasons" in refusal(tmp_path, TEXT.replace(reason, 'why = " "'))


def test_only_what_changes_the_training_changes_the_key():
    recipe = read_recipe(recipe_path("albef"))
    first, *others = recipe.stages
    reworded = replace(recipe, stages=(replace(first, why="another reason"), *others))
    longer = replace(recipe, stages=(replace(first, steps=first.steps + 1), *others))
    assert reworded.key == recipe.key != longer.key


@given(st.floats(0, 1), st.floats(0.01, 0.4), st.floats(0.4, 0.95), st.floats(0, 1))
def test_the_rate_rises_to_its_peak_and_falls_to_its_floor(done, rise, fall, floor):
    schedule = Schedule(rise, fall, floor)
    assert 0 <= schedule.factor(done) <= 1
    assert schedule.factor((rise + fall) / 2) == 1
    assert schedule.factor(1.0) == pytest.approx(floor)
