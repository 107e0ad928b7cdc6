"""Colour words depend on colour, object words do not.

Source: Jung, Byun and Moon, challenges of vision-language models (ALBEF), Figure 2.
Differs: the study converts images to grayscale and reports that word probabilities fall, as they do under any damage.
Here grayscale is compared with luminance noise of equal strength, which keeps colour. In addition, a recoloured object
must be named by its new colour as often as before by its old one, and no colour may be over-predicted. Where an object
is tested, the colour words of its caption are hidden too, because they could give it away.
"""

import pytest

import vlaudit.authoring as va
from vlaudit.perturbations import Foil, Grayscale, LuminanceNoise, Recolor

DAMAGE = {"shown": (), "gray": (Grayscale(),), "noise": (LuminanceNoise(),)}
LABELS = {"unchanged": "shown", "grayscale": "gray", "noise that keeps colour": "noise"}
RECOLOR_LABELS = {"before": "before.correct", "after": "after.correct", "same answer": "after.same"}
HUES = tuple(color for color in va.COLORS if color not in ("black", "white", "gray"))  # those that grayscale removes

OBJECTS = va.Design(
    "color_bias.objects",
    va.OneSlot(va.NOUNS, hide_kinds=("color",)),
    {f"object.{name}": changes for name, changes in DAMAGE.items()},
    va.WordProbability(reference="object.shown"),
    competence=va.AboveChance("object.shown.correct", chance="object.shown.chance"),
)
MATCHED = va.Design(
    "color_bias.match",
    va.OneSlot(va.NOUNS, hide=False),
    {f"match.{name}.stated": changes for name, changes in DAMAGE.items()}
    | {f"match.{name}.foiled": (*changes, Foil("asked")) for name, changes in DAMAGE.items()},
    va.MatchProbability({f"{name}.preferred": (f"match.{name}.stated", f"match.{name}.foiled") for name in DAMAGE}),
    competence=va.AboveChance("shown.preferred", chance="shown.preferred.chance"),
)
COLOR_WORD = va.OneSlot("color", words=va.COLORS, flags={"chromatic": HUES})
COLORED = va.Design(
    "color_bias.colors",
    COLOR_WORD,
    {"color.shown": (), "color.gray": (Grayscale(),)},
    va.WordProbability(reference="color.shown"),
    competence=va.AboveChance("color.shown.correct", chance="color.shown.chance"),
)
RECOLORED = va.Design(
    "color_bias.recolored",
    COLOR_WORD,
    {"before": (), "after": (Recolor(),)},
    va.WordProbability(reference="before"),
    competence=va.AboveChance("before.correct", chance="before.chance"),
)

FINDING = va.Finding(
    id="color_bias",
    claim="Grayscale costs colour words, not object words; a shown colour is named, and none is over-predicted.",
    source="Jung, Byun and Moon, challenges of vision-language models (ALBEF), Figure 2",
    failing=(
        "The model recognises objects by their usual colours: in black-and-white pictures, at dusk or with an unusual "
        "paint it will miss them, and it will report the usual colour instead of the one shown."
    ),
    published={
        "MLM, ALBEF (Figure 2)": "grayscale lowers the probability of the word (no numbers in the study's text)"
    },
    exhibits=(
        va.Bars("Objects", OBJECTS, {k: f"object.{name}.correct" for k, name in LABELS.items()}, unit="accuracy"),
        va.Bars(
            "Colour words",
            COLORED,
            {"unchanged": "color.shown.correct", "grayscale": "color.gray.correct"},
            unit="accuracy",
            note="black, white and gray, which grayscale keeps, are included; the criterion leaves them out",
        ),
        va.Bars("True above false noun", MATCHED, {k: f"{name}.preferred" for k, name in LABELS.items()}, unit="share"),
        va.Bars("A recoloured object", RECOLORED, RECOLOR_LABELS, unit="share of units"),
        va.Confusion("Colours, true and answered", COLORED, truth="color.shown.truth", predicted="color.shown.answer"),
        va.Confusion("The same after recolouring", RECOLORED, truth="after.truth", predicted="after.answer"),
        va.ExtremeSamples(
            "Where the new colour is least probable",
            RECOLORED,
            "after.p",
            {"answer": "after.answer", "shown": "after.truth", "probability of the shown": "after.p"},
            pictures={"before": "before", "after": "after"},
        ),
    ),
)
DESIGNS = (OBJECTS, MATCHED, COLORED, RECOLORED)
COMPETENT = [pytest.param(d.part, marks=pytest.mark.audit(FINDING, d, d.competence)) for d in DESIGNS]
HUE_COST = va.Mean("color.shown.correct", minus="color.gray.correct", where="chromatic")


@pytest.mark.parametrize("part", COMPETENT)
def test_competence(judge, part):  # noqa: ARG001 (it names the case)
    """The model recognizes objects and colours in unchanged images."""
    judge()


@pytest.mark.audit(FINDING, OBJECTS, va.Mean("object.shown.p", minus="object.gray.p"), only="published")
def test_gray_lowers_probability(judge):
    """Grayscale lowers the probability of the word, as in the study."""
    judge()


@pytest.mark.audit(FINDING, OBJECTS, va.Mean("object.gray.correct", minus="object.noise.correct"))
def test_object_under_gray(judge):
    """Grayscale costs object words no more than equal damage that keeps colour."""
    judge()


@pytest.mark.audit(FINDING, MATCHED, va.Mean("gray.preferred", minus="noise.preferred"))
def test_match_under_gray(judge):
    """Grayscale costs the match no more than equal damage that keeps colour."""
    judge()


@pytest.mark.audit(FINDING, COLORED, HUE_COST)
def test_color_needs_color(judge):
    """Without colour in the image, colour words can only be guessed."""
    judge()


@pytest.mark.audit(FINDING, RECOLORED, va.Mean("after.correct", minus="before.correct"))
def test_recolor_follows_image(judge):
    """A recoloured object is named by its new colour as often as before by its old one."""
    judge()


@pytest.mark.audit(FINDING, COLORED, va.LargestGap("color.shown.truth", "color.shown.answer", va.COLORS))
def test_color_calibration(judge):
    """Each colour is answered about as often as it occurs."""
    judge()
