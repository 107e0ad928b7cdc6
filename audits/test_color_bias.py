"""Colour words hang on colour, object words do not.

Source: Jung, Byun and Moon, challenges of vision-language models (ALBEF), Figure 2.
Differs: the study turns images grey and sees the probability of words fall; any damage to an image does that. Here
grayscale is compared with noise in the luminance that changes the pixels as much and keeps their colour. Beside it, a
thing in another colour must be named by that colour, and no colour may be said more often than it is true. Where an
object is asked for, the colour words of its caption are hidden too: they could tell it by habit.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from vlaudit.datasets.answers import answers, false_words
from vlaudit.designs import NOUNS, OneSlot, asked, hiding, of_kinds
from vlaudit.errors import DataError
from vlaudit.findings import Ask, Design, Finding
from vlaudit.measures import MatchProbability, Reduction, Unit, WordProbability
from vlaudit.measures.slots import said, slot_of
from vlaudit.models.base import Capabilities
from vlaudit.perturbations import Foil, Grayscale, LuminanceNoise, Perturbation, Recolor
from vlaudit.reporting.exhibits import Bars, ConditionPictures, Confusion, Telling
from vlaudit.samples import COLORS, Sample, Slot
from vlaudit.statistics import LargestGap, Mean, Proportion
from vlaudit.traces import Match, Words

ACHROMATIC = ("black", "white", "gray")
_DAMAGE: dict[str, tuple[Perturbation, ...]] = {"shown": (), "gray": (Grayscale(),), "noise": (LuminanceNoise(),)}


def _reading(unit: Unit) -> frozenset[Words]:
    return frozenset({Words(answers(unit.sample, asked(unit)))})


def object_asks(unit: Unit) -> Mapping[str, Ask]:
    """Ask for an object, every colour word hidden too, under no damage, without colour, and under the control."""
    hidden = hiding(unit, "color")
    return {f"object.{name}": Ask(hidden, changes, _reading(unit)) for name, changes in _DAMAGE.items()}


def match_asks(unit: Unit) -> Mapping[str, Ask]:
    """Ask whether the caption, and the caption with one noun that is false, match under the same damage."""
    foil = Foil(asked(unit).kind, false_words(unit.sample, asked(unit)))
    asks = {}
    for name, changes in _DAMAGE.items():
        asks[f"match.{name}.said"] = Ask(unit.sample, changes, frozenset({Match()}))
        asks[f"match.{name}.foiled"] = Ask(unit.sample, (*changes, foil), frozenset({Match()}))
    return asks


def color_asks(unit: Unit) -> Mapping[str, Ask]:
    """Ask for a colour, in the image as it is and without colour."""
    hidden, readings = hiding(unit), _reading(unit)
    return {"color.shown": Ask(hidden, (), readings), "color.gray": Ask(hidden, (Grayscale(),), readings)}


def recolor_asks(unit: Unit) -> Mapping[str, Ask]:
    """Ask for a colour, before and after the thing has got another."""
    hidden, readings = hiding(unit), _reading(unit)
    return {"before": Ask(hidden, (), readings), "after": Ask(hidden, (Recolor(),), readings)}


def color_slots(sample: Sample) -> tuple[Slot, ...]:
    """Return the slots that hold one of the basic colour words."""
    return tuple(slot for slot in of_kinds("color")(sample) if sample.text(slot).lower() in COLORS)


def color_facts(sample: Sample, slot: Slot) -> dict[str, object]:
    """Say whether grayscale takes the colour away: black, white and gray stay."""
    return {"chromatic": sample.text(slot).lower() not in ACHROMATIC}


def shown_color(reduction: Reduction) -> str:
    """Return the colour that the thing has: what the caption says; after it was recoloured, what the image shows."""
    if reduction.condition != "after":
        return said(reduction)
    regions = [reduction.sample.region(name) for name in slot_of(reduction).region_ids]
    shown = {word for region in regions for word in region.attributes if word in COLORS}
    if len(shown) != 1:
        raise DataError(f"unit {reduction.unit.id}: what was recoloured must show one colour, got {sorted(shown)}")
    return shown.pop()


def _wants_words(capabilities: Capabilities) -> str | None:
    return capabilities.lacks(Words(COLORS))


def _wants_match(capabilities: Capabilities) -> str | None:
    return capabilities.lacks(Match())


_NAMED = of_kinds(*NOUNS)
OBJECTS = Design(
    "color_bias.objects",
    OneSlot(_NAMED, object_asks, tried=()),
    object_asks,
    WordProbability(answers, clean="object.shown"),
    _wants_words,
)
MATCHED = Design(
    "color_bias.match",
    OneSlot(_NAMED, match_asks, tried=("match.shown.foiled",)),
    match_asks,
    MatchProbability(above={f"{name}.told": ((f"match.{name}.said", f"match.{name}.foiled"),) for name in _DAMAGE}),
    _wants_match,
)
COLORED = Design(
    "color_bias.colors",
    OneSlot(color_slots, color_asks, color_facts, tried=()),
    color_asks,
    WordProbability(answers, clean="color.shown"),
    _wants_words,
)
RECOLORED = Design(
    "color_bias.recolored",
    OneSlot(color_slots, recolor_asks, tried=("after",)),
    recolor_asks,
    WordProbability(answers, truth=shown_color, clean="before"),
    _wants_words,
)

FINDING = Finding(
    id="color_bias",
    claim="Grayscale costs colour words, not object words; a colour is named as it is shown, and none too often.",
    source="Jung, Byun and Moon, challenges of vision-language models (ALBEF), Figure 2",
    failing=(
        "The model knows things by their usual colours: a black-and-white camera, dusk or an unusual paint will make "
        "it miss them, and it will report the colour that such things usually have."
    ),
    published={
        "MLM, ALBEF (Figure 2)": "grayscale lowers the probability of the word (no numbers in the study's text)",
    },
    exhibits=(
        Bars(
            "Objects and colours without colour",
            {
                "object, as it is": "object.shown.correct",
                "object, grayscale": "object.gray.correct",
                "object, noise that keeps colour": "object.noise.correct",
            },
            unit="accuracy",
        ),
        Bars(
            "Colour words",
            {"as it is": "color.shown.correct", "grayscale": "color.gray.correct"},
            unit="accuracy",
            note="black, white and gray, which grayscale leaves, are among them; the criterion leaves them out",
        ),
        Bars(
            "True caption above one with a false noun",
            {"as it is": "shown.told", "grayscale": "gray.told", "noise that keeps colour": "noise.told"},
            unit="share of pairs",
        ),
        Bars(
            "A thing in another colour",
            {
                "before: its colour": "before.correct",
                "after: its new colour": "after.correct",
                "after: as before": "after.same",
            },
            unit="share of units",
        ),
        Confusion("Colours, true and said", truth="color.shown.truth", predicted="color.shown.answer"),
        Confusion("The same after recolouring", truth="after.truth", predicted="after.answer"),
        Telling(
            "Where the new colour is least believed",
            "after.p",
            {"said": "after.answer", "shown": "after.truth", "probability of the shown": "after.p"},
            pictures=ConditionPictures(recolor_asks, {"before": "before", "after": "after"}),
        ),
    ),
)


@pytest.mark.audit(FINDING, OBJECTS)
def test_object_under_gray(judge):
    """Taking colour away costs object words no more than damage that keeps it."""
    judge(
        "object_under_gray",
        Mean("object.gray.correct", minus="object.noise.correct"),
        competence=Proportion("object.shown.correct"),
    )


@pytest.mark.audit(FINDING, MATCHED)
def test_match_under_gray(judge):
    """Taking colour away costs the match no more than damage that keeps it."""
    judge("match_under_gray", Mean("gray.told", minus="noise.told"), competence=Proportion("shown.told"))


@pytest.mark.audit(FINDING, COLORED)
def test_color_needs_color(judge):
    """Without colour in the image, colours are guessed."""
    judge(
        "color_needs_color",
        Mean("color.shown.correct", minus="color.gray.correct", where="chromatic"),
        competence=Proportion("color.shown.correct"),
    )


@pytest.mark.audit(FINDING, RECOLORED)
def test_recolor_follows_image(judge):
    """A thing in another colour is named by the colour that it has."""
    judge("recolor_follows_image", Proportion("after.correct"), competence=Proportion("before.correct"))


@pytest.mark.audit(FINDING, COLORED)
def test_color_calibration(judge):
    """Every colour is said about as often as it is true."""
    judge(
        "color_calibration",
        LargestGap("color.shown.truth", "color.shown.answer", COLORS),
        competence=Proportion("color.shown.correct"),
    )
