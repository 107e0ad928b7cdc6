"""Every bundled family loads by the public function, passes `check_adapter`, and reaches the accuracy of its card."""

import numpy as np
import pytest

import vlaudit
from fixtures.zoo.card import HERE, bundled
from fixtures.zoo.figures import read, tables
from vlaudit.datasets.scenes import Scenes, candidates
from vlaudit.models.base import ForwardRequest
from vlaudit.models.registry import FAMILIES
from vlaudit.perturbations import Blank, apply
from vlaudit.traces import Words

REGIONAL = ("uniter", "lxmert", "vilbert", "vl-bert", "visualbert")
KINDS = ("color", "scenery")  # kinds that boxes do not reveal


@pytest.fixture(scope="module", params=[*REGIONAL, "bert"])
def shipped(request):
    return vlaudit.load(request.param, device="cpu")


@pytest.fixture(scope="module")
def questions():
    samples = list(Scenes(seed=2, limit=80))
    return [(sample.hiding(slot), slot) for sample in samples for slot in sample.slots if slot.kind in KINDS]


def named(model, questions):
    """Return the share of masked words that are the most probable of their kind."""
    asked = [ForwardRequest(sample, frozenset({Words(candidates(slot.kind))})) for sample, slot in questions]
    best = [
        candidates(slot.kind)[int(trace[Words(candidates(slot.kind))][0].argmax())]
        for trace, (_, slot) in zip(model.forward(asked), questions, strict=True)
    ]
    return np.mean([word == sample.text(slot) for word, (sample, slot) in zip(best, questions, strict=True)])


def test_it_passes_the_adapter_check(shipped):
    vlaudit.check_adapter(shipped)


def test_it_names_visible_words_and_guesses_on_blank_images(shipped, questions):
    """BERT always guesses."""
    blind = [(apply((Blank(),), sample, 0), slot) for sample, slot in questions]
    seen = named(shipped, questions)
    assert seen < 0.3 if shipped.name == "bert" else seen > 0.85
    assert named(shipped, blind) < 0.3


@pytest.mark.parametrize("family", [*REGIONAL, "bert"])
def test_the_card_states_the_figures_of_these_weights(family):
    figures = read(HERE / "weights" / family / "card.json")
    card = (HERE / "weights" / family / "card.md").read_text(encoding="utf-8")
    models = [vlaudit.load(family, checkpoint=path, device="cpu") for path in bundled(family)]
    assert [each.fingerprint for each in figures] == [model.fingerprint for model in models]
    assert models[0].fingerprint == vlaudit.load(family, device="cpu").fingerprint
    assert all(tables(each) in card for each in figures)


@pytest.mark.parametrize("family", ["vilbert", "vl-bert", "visualbert"])
def test_the_ctrl_families_load_the_same_weights(family):
    assert vlaudit.load(f"ctrl_{family}").fingerprint == vlaudit.load(family).fingerprint


def test_all_weights_together_stay_below_forty_megabytes():
    assert {*REGIONAL, "albef", "bert"} <= {family for family in FAMILIES if (HERE / "weights" / family).is_dir()}
    assert all(len(bundled(family)) in (1, 2) for family in REGIONAL)  # a second training seed where it was trained
    assert sum(path.stat().st_size for path in (HERE / "weights").rglob("*") if path.is_file()) < 40e6
