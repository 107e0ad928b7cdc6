"""The toys keep the model boundary; one reads the image, the other does not."""

from dataclasses import replace

import pytest
import torch

from vlaudit.errors import RequestError
from vlaudit.models.base import ForwardRequest
from vlaudit.models.toy import BlindToy, GroundedToy
from vlaudit.samples import Box, Phrase, Region, Sample, Slot, Span
from vlaudit.traces import Attention, Hidden, HiddenPieces, Match, Words

COLORS = Words(("red", "blue", "green"))
SHIRT = Region("shirt", Box(0, 0, 8, 8), "shirt", ("red",))
SAMPLE = Sample(
    "s",
    "i",
    None,
    "a red shirt",
    (SHIRT,),
    (Phrase("p", 0, 11, "clothing", ("shirt",)),),
    (),
    (Slot(2, 5, "color", ("shirt",)),),
)
COVERED = replace(SAMPLE, regions=(replace(SHIRT, visible=False),))
BLUE = replace(SAMPLE, regions=(replace(SHIRT, attributes=("blue",)),))


def ask(toy, sample, *readings):
    return toy.forward([ForwardRequest(sample, frozenset(readings))])[0]


def color(toy, sample):
    return ask(toy, sample.hiding(sample.slots[0]), COLORS)[COLORS].exp()[0]


def test_the_grounded_toy_names_the_color_in_the_image():
    assert color(GroundedToy(), SAMPLE).argmax() == 0
    assert color(GroundedToy(), BLUE).argmax() == 1
    assert color(GroundedToy(), COVERED).tolist() == pytest.approx([1 / 3] * 3)


def test_the_blind_toy_answers_independently_of_the_image():
    for sample in (BLUE, COVERED):
        assert torch.equal(color(BlindToy(), SAMPLE), color(BlindToy(), sample))
        assert torch.equal(ask(BlindToy(), SAMPLE, Match())[Match()], ask(BlindToy(), sample, Match())[Match()])


def test_the_grounded_toy_matches_what_is_true():
    odds = [float(ask(GroundedToy(), sample, Match())[Match()]) for sample in (SAMPLE, BLUE, COVERED)]
    assert odds[0] > 0 > max(odds[1:])


def test_the_grounded_toy_links_a_phrase_to_its_region():
    reading = Attention("text", "image")
    trace = ask(GroundedToy(), SAMPLE, reading)
    mass = trace[reading][0, :, list(trace.text.positions(0, 11)), 1]
    assert mass[0].min() > 0.9
    assert mass[2].max() < 0.5


@pytest.mark.parametrize(("toy", "grows"), [(GroundedToy(), True), (BlindToy(), False)])
def test_only_the_states_of_the_grounded_toy_mix_with_the_image(toy, grows):
    reading = Hidden("text")
    shift = (ask(toy, SAMPLE, reading)[reading] - ask(toy, BLUE, reading)[reading]).norm(dim=-1).sum(-1)
    assert bool((shift.diff() > 0).all()) == grows
    assert bool(shift.any()) == grows


def test_what_a_toy_cannot_answer_is_refused_by_name():
    request = ForwardRequest(SAMPLE, frozenset({HiddenPieces()}))
    assert "HiddenPieces" in GroundedToy().refusal(request)
    with pytest.raises(RequestError, match=r"sample s: .*HiddenPieces"):
        GroundedToy().forward([request])
    two_words = replace(SAMPLE, hidden_phrases=(Span(0, 5),))
    assert GroundedToy().refusal(ForwardRequest(two_words, frozenset({COLORS}))) == "a hidden phrase must be one word"
