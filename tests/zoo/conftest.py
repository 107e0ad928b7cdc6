"""A recipe that trains within a test: every stage of the bundled one with two steps."""

import jaxtyping
import pytest

# Check array annotations of the training program at run time, as those of vlaudit.
jaxtyping.install_import_hook("fixtures.zoo", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")


@pytest.fixture
def tiny():
    """The bundled recipe with a tiny network and few steps."""
    from dataclasses import replace

    from fixtures.zoo.recipe import Network, read_recipe, recipe_path

    recipe = read_recipe(recipe_path("albef"))
    network = Network(
        image_size=96,
        patch_size=24,
        vision_width=32,
        vision_layers=2,
        vision_heads=2,
        text_width=16,
        text_layers=1,
        fusion_layers=1,
        text_heads=2,
        text_intermediate=16,
        projection=8,
        max_tokens=32,
    )
    stages = tuple(replace(stage, steps=2, scenes=4) for stage in recipe.stages)
    return replace(recipe, network=network, stages=stages)
