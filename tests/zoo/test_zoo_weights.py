"""The bundled ALBEF weights load, use the image, and have the figures of their card."""

import json

import numpy as np
import pytest

import vlaudit
from fixtures.zoo.card import HERE, bundled
from fixtures.zoo.figures import read, requirements, tables
from vlaudit.datasets.scenes import Scenes, candidates
from vlaudit.models.base import ForwardRequest
from vlaudit.perturbations import Blank, SwapSides, apply
from vlaudit.traces import Match, Words

FOLDER = HERE / "weights" / "albef"
pytestmark = pytest.mark.skipif(not (FOLDER / "model.safetensors").is_file(), reason="no weights are bundled")
SCENES = 60


@pytest.fixture(scope="module")
def albef():
    return vlaudit.load("albef", device="cpu")


@pytest.fixture(scope="module")
def samples():
    return list(Scenes(seed=2, limit=SCENES))


def named(model, questions):
    """Return the share of masked words that are the most probable of their kind."""
    requests = [ForwardRequest(sample, frozenset({Words(candidates(slot.kind))})) for sample, slot in questions]
    right = []
    for (sample, slot), trace in zip(questions, model.forward(requests), strict=True):
        words = candidates(slot.kind)
        right.append(words[int(trace[Words(words)][0].argmax())] == sample.text(slot))
    return np.mean(right)


def test_the_model_names_visible_words_and_guesses_on_blank_images(albef, samples):
    seen = [(sample.hiding(slot), slot) for sample in samples for slot in sample.slots]
    blind = [(apply((Blank(),), sample, 0), slot) for sample, slot in seen]
    assert named(albef, seen) > 0.9
    assert named(albef, blind) < 0.4


def test_the_model_prefers_the_true_caption_to_one_with_sides_swapped(albef, samples):
    sided = [sample for sample in samples if any(slot.kind.endswith("side") for slot in sample.slots)]
    requests = [ForwardRequest(sample, frozenset({Match()})) for sample in sided]
    foils = [ForwardRequest(apply((SwapSides(),), sample, 0), frozenset({Match()})) for sample in sided]
    own, other = albef.forward(requests), albef.forward(foils)
    assert np.mean([float(a[Match()]) > float(b[Match()]) for a, b in zip(own, other, strict=True)]) > 0.9


def test_both_seeds_ship_complete_in_less_than_ten_megabytes():
    assert len(bundled("albef")) == 2
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 10e6
    for path in bundled("albef"):
        assert {"config.json", "vocab.txt", "training.json"} <= {each.name for each in path.parent.iterdir()}


def test_the_card_states_the_measured_figures():
    text = (FOLDER / "card.md").read_text(encoding="utf-8")
    measured = read(FOLDER / "card.json")
    assert [each.training["seed"] for each in measured] == [0, 1]
    for each, path in zip(measured, bundled("albef"), strict=True):
        assert tables(each) in text
        assert each.training == json.loads((path.parent / "training.json").read_text(encoding="utf-8"))
        for asked in requirements(each):
            assert asked.held or asked.text in text.split("## Bounds that were missed")[1]
