"""The image matters at least as much as a text hint.

A word that names an object is hidden. The object is visible or covered, and the caption has a hint or none: a 2x2
design, for the probability of the word and for the match of caption and image. Before that, `image_use` separates a
model that does not look from one that looks and recognizes little: it needs no competence, only that the own image
beats another one.

Source: Jung, Byun and Moon, challenges of vision-language models (ALBEF), Figure 1; VALUE 3.2.
Differs: the study prints one example per cell, here each is a mean over many images; its hint describes the answer as
ours does, and the copy hint, which names the answer, is a condition of its own. "Blocked" is the object covered, as in
the study; the blank image and an equal area covered elsewhere are shown as well. Where both modalities share one
softmax, the attention of [CLS] is judged too, as in VALUE: see `ClsImportance`.
"""

import pytest

import vlaudit.authoring as va
from vlaudit.perturbations import (
    Blank,
    CopyHint,
    Cover,
    CoverElsewhere,
    Hint,
    OtherCaption,
    OtherImage,
    OtherPair,
    Unmask,
)

CELLS = {"shown": (), "covered": (Cover(),), "shown_hint": (Hint(),), "covered_hint": (Cover(), Hint())}
LABELS = {"visible": "shown", "covered": "covered", "visible, hint": "shown_hint", "covered, hint": "covered_hint"}
GROUPS = {"without hint": ("visible", "covered"), "with hint": ("visible, hint", "covered, hint")}
DIFFERENCE = {"bounds": (-1.0, 1.0), "unit": "difference of probabilities"}
EFFECTS = {"image": "vision_effect", "hint, object covered": "hint_effect", "interaction": "interaction"}
OTHER_DAMAGE = {
    "unchanged": (),
    "equal area covered elsewhere": (CoverElsewhere(),),
    "image blanked": (Blank(),),
    "copy hint": (CopyHint(),),
    "copy hint, object covered": (Cover(), CopyHint()),
}
MATCH_CELLS = {f"match.{cell}": (*changes, Unmask()) for cell, changes in CELLS.items()}

WORDS = va.Design(
    "text_dominance.words",
    va.OneSlot(va.NOUNS),
    CELLS,
    va.TwoByTwo(va.WordProbability(), tuple(CELLS)),
    competence=va.AboveChance("shown.correct", chance="shown.chance"),
)
MATCH = va.Design(
    "text_dominance.match",
    va.OneSlot(va.NOUNS),
    {**MATCH_CELLS, "match.other": (Unmask(), OtherCaption())},
    va.TwoByTwo(
        va.MatchProbability({"match.pairwise_accuracy": ("match.shown", "match.other")}, across_images=True),
        tuple(MATCH_CELLS),
        prefix="match.",
    ),
    competence=va.AboveChance("match.pairwise_accuracy", chance="match.pairwise_accuracy.chance"),
)
PREFERRED = "own_image_preferred"
READS_NO_IMAGE = {"text-only": "a text-only model reads no image, by design"}
USED_FOR_WORDS = va.Design(
    "text_dominance.image_use_word",
    va.OneSlot(va.NOUNS, partner="other answer"),
    {"own_image": (), "other_image": (OtherImage(),)},
    va.WordProbability(preferred={PREFERRED: ("own_image", "other_image")}),
    not_for=READS_NO_IMAGE,
)
USED_FOR_MATCHES = va.Design(
    "text_dominance.image_use_match",
    va.OneSlot(va.NOUNS, hide=False, partner="other answer"),
    {"own_image": (), "caption": (OtherCaption(),), "other_image": (OtherImage(),), "pair": (OtherPair(),)},
    # comparisons within one image: valid for every score, and 0.5 for any sum of a caption's and an image's score
    va.MatchProbability({PREFERRED: (("own_image", "caption"), ("pair", "other_image"))}),
    not_for=READS_NO_IMAGE,
)
CONTROLS = va.Design("text_dominance.controls", va.OneSlot(va.NOUNS), OTHER_DAMAGE, va.WordProbability())
IMPORTANCE = va.Design("text_dominance.importance", va.EverySample(), {"own": ()}, va.ClsImportance())

BOTH_IMAGES = {"own image": "own_image.p", "other image": "other_image.p", "own above other (share)": PREFERRED}

FINDING = va.Finding(
    id="text_dominance",
    claim="The image matters at least as much as a text hint.",
    source="Jung, Byun and Moon, challenges of vision-language models (ALBEF), Figure 1; VALUE 3.2",
    failing=(
        "The model guesses from the words around a gap and hardly uses the image: it will describe what such pictures "
        "usually show, also when the object is absent."
    ),
    published={
        "MLM, ALBEF, one example (Figure 1)": (
            "without hint: original 0.9498, blocked 0.2998; with hint: original 0.8210, blocked 0.0937"
        ),
        "ITM, ALBEF, the same example (Figure 1)": (
            "without hint: original 0.9964, blocked 0.7481; with hint: original 0.9974, blocked 0.9562"
        ),
        "VALUE, UNITER (Section 3.2, Figure 3; no numbers)": "text has more modality importance than the image",
        "note": "one example per cell, no average is printed; the blocked score is lower with the hint than without it",
    },
    shown=(CONTROLS,),
    exhibits=(
        va.Bars("Hidden word: own image, image of something else", USED_FOR_WORDS, BOTH_IMAGES),
        va.Bars("Match: own image, image of something else", USED_FOR_MATCHES, BOTH_IMAGES),
        va.Bars("Probability of the hidden word", WORDS, {k: f"{cell}.p" for k, cell in LABELS.items()}, GROUPS),
        va.Bars(
            "Probability of a match",
            MATCH,
            {label: f"match.{cell}.p" for label, cell in (LABELS | {"another image's caption": "other"}).items()},
            GROUPS | {"for comparison": ("another image's caption",)},
        ),
        va.Bars(
            "Effects on the probability of the word",
            WORDS,
            EFFECTS,
            **DIFFERENCE,
            note="interaction: how much larger the effect of the image is with a hint",
        ),
        va.Bars("Effects on the match", MATCH, {k: f"match.{effect}" for k, effect in EFFECTS.items()}, **DIFFERENCE),
        va.Bars("Controls, read by no criterion", CONTROLS, {name: f"{name}.p" for name in OTHER_DAMAGE}),
        va.Curves(
            "Attention of [CLS], by layer",
            IMPORTANCE,
            {"text": "text_mass_layer", "image": "image_mass_layer"},
            unit="attention mass",
            note="[CLS] and [SEP] left out; the mean over heads",
        ),
        va.Curves(
            "Attention of [CLS], per token", IMPORTANCE, {"text": "text_mass_token", "image": "image_mass_token"}
        ),
        va.HeadMap("Attention of [CLS], by head: image minus text", IMPORTANCE, "image_excess", unit="attention mass"),
        va.ExtremeSamples(
            "Where the image matters least",
            WORDS,
            "vision_effect",
            {"visible": "shown.p", "covered": "covered.p", "covered, hint": "covered_hint.p"},
            pictures={"visible": "shown", "covered": "covered"},
        ),
    ),
)


COMPETENT = [pytest.param(d.part, marks=pytest.mark.audit(FINDING, d, d.competence)) for d in (WORDS, MATCH)]
USES = [
    pytest.param(answer, marks=pytest.mark.audit(FINDING, design, va.Mean(PREFERRED)))
    for answer, design in (("word", USED_FOR_WORDS), ("match", USED_FOR_MATCHES))
]


@pytest.mark.parametrize("part", COMPETENT)
def test_competence(judge, part):  # noqa: ARG001 (it names the case)
    """The model recognizes what the images show."""
    judge()


@pytest.mark.parametrize("answer", USES)
def test_image_use(judge, answer):  # noqa: ARG001 (it names the case)
    """The own image speaks more for the true word, and for the own caption, than an image of something else."""
    judge()


@pytest.mark.audit(FINDING, WORDS, va.Mean("shown.p", minus="covered.p"))
def test_vision_effect(judge):
    """Covering an object lowers the probability of its word."""
    judge()


@pytest.mark.audit(FINDING, WORDS, va.Mean("shown.p", minus="covered_hint.p"))
def test_image_over_hint(judge):
    """The visible object raises the word's probability at least as much as a hint with the object covered."""
    judge()


@pytest.mark.audit(FINDING, MATCH, va.Mean("match.shown.accepted", minus="match.other.accepted"))
def test_match_decides(judge):
    """At a probability of one half, true captions are accepted and those of other images are not."""
    judge()


@pytest.mark.audit(FINDING, MATCH, va.Mean("match.shown.p", minus="match.covered.p"))
def test_match_needs_object(judge):
    """Covering an object lowers the match with a caption that names it."""
    judge()


@pytest.mark.audit(FINDING, IMPORTANCE, va.Mean("image_share_token"))
def test_cls_importance(judge):
    """[CLS], which represents the pair, attends to the image too, compared with uniform attention over its tokens."""
    judge()
