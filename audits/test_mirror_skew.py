"""Mirroring an image exchanges left and right, and nothing else.

Source: Jung, Byun and Moon, challenges of vision-language models (ALBEF), Figure 3.
Differs: the study prints the probabilities of "left" and "right" for one pair of images; here they are read over many
pairs, the answer is the more probable of the two, and each question is judged separately: is the side correct, does it
flip, is one side preferred (by its probability), does the match distinguish sides; and the invariances: captions
without a side, accuracy by position along both axes, the order of the clauses. All side words of a caption are hidden together, because none of them is true of the
mirror image.
"""

import pytest

import vlaudit.authoring as va
from vlaudit.perturbations import AskOther, Mirror, OtherCaption, SwapClauses, SwapSides

ORIGINAL = ("match.original.stated", "match.original.swapped")  # true side, other side
MIRRORED = ("match.mirrored.swapped", "match.mirrored.stated")

SIDED = va.Design(
    "mirror_skew.sides",
    va.OneSlot(va.SIDE_KINDS, hide_kinds=va.SIDE_KINDS),
    {"original": (), "mirrored": (Mirror(),), "plain": (AskOther((*va.NOUNS, "scenery")),)},
    va.SideProbability(reference="original", pair=("original", "mirrored")),
    competence=va.AboveChance("plain.correct", chance="plain.chance"),
)
MATCHED = va.Design(
    "mirror_skew.match",
    va.OneSlot(va.SIDE_KINDS, hide=False),
    {
        "match.original.stated": (),
        "match.original.swapped": (SwapSides(),),
        "match.mirrored.stated": (Mirror(),),
        "match.mirrored.swapped": (Mirror(), SwapSides()),
        "match.other": (OtherCaption(),),
    },
    va.MatchProbability({"preferred": (ORIGINAL, MIRRORED), "own": (ORIGINAL[0], "match.other")}),
    competence=va.AboveChance("own", chance="own.chance"),
)
SIDELESS_LABELS = {"original image": "sideless.original.p", "mirror image": "sideless.mirrored.p"}
SIDELESS = va.Design(
    "mirror_skew.sideless",
    va.EverySample(without_words=va.SIDES),
    {"sideless.original": (), "sideless.mirrored": (Mirror(),), "sideless.other": (OtherCaption(),)},
    va.MatchProbability(
        {"own": ("sideless.original", "sideless.other")}, {"change": ("sideless.original", "sideless.mirrored")}
    ),
    competence=va.AboveChance("own", chance="own.chance"),
)
PLACED = va.Design(
    "mirror_skew.places",
    va.BothWays(va.OneSlot(va.NOUNS, located=True, hide_kinds=va.SIDE_KINDS)),
    {"placed": ()},
    va.WordProbability(),
    competence=va.AboveChance("placed.correct", chance="placed.chance"),
)
CLAUSES = va.Design(
    "mirror_skew.clauses",
    va.OneSlot(va.NOUNS),
    {"ordered": (), "exchanged": (SwapClauses(),)},
    va.WordProbability(reference="ordered"),
    optional=True,
    competence=va.AboveChance("ordered.correct", chance="ordered.chance"),
)

FINDING = va.Finding(
    id="mirror_skew",
    claim="Mirroring the image flips left and right, and nothing else; no side is preferred.",
    source="Jung, Byun and Moon, challenges of vision-language models (ALBEF), Figure 3",
    failing=(
        "The model answers left or right by habit, or by where objects were in its training images: instructions and "
        "descriptions that depend on a side (a hand, a lane, an eye, a wing) will be wrong about half of the time."
    ),
    published={
        "MLM, ALBEF, one pair (Figure 3)": (
            "true side left: p(left) 0.1747, p(right) 0.8212; mirrored, true side right: 0.1600 and 0.8330; "
            "right in both"
        ),
        "ITM, ALBEF, the same pair (Figure 3)": (
            "true side left: left 0.9627, right 0.9601; true side right: left 0.9375, right 0.9398: "
            "the true side in both, by 0.0026 and 0.0023"
        ),
        "note": (
            "which of the two tables belongs to the unmirrored image is inferred from their order; the study's text "
            "describes a ski in the left hand, its figure shows a basketball player"
        ),
    },
    exhibits=(
        va.Pairs(
            "Probability of each side, image and mirror image",
            SIDED,
            {"left": "original.p_left", "right": "original.p_right"},
            {"left": "mirrored.p_left", "right": "mirrored.p_right"},
            {"original": "original", "mirrored": "mirrored"},
            "accuracy",
        ),
        va.Bars(
            "Answers",
            SIDED,
            {
                "correct, original image": "original.correct",
                "correct, mirror image": "mirrored.correct",
                "flips with the image": "flips",
                "probability of left": "left",
                "another word, for comparison": "plain.correct",
            },
            unit="share of units",
        ),
        va.Bars(
            "Probability of a match",
            MATCHED,
            {"true side": f"{ORIGINAL[0]}.p", "other side": f"{ORIGINAL[1]}.p"}
            | {"mirror image, true side": f"{MIRRORED[0]}.p", "mirror image, other side": f"{MIRRORED[1]}.p"},
        ),
        va.Bars("Captions without a side", SIDELESS, SIDELESS_LABELS | {"other caption": "sideless.other.p"}),
        va.Bars("Order of the clauses", CLAUSES, {"original": "ordered.correct", "exchanged": "exchanged.correct"}),
        va.ExtremeSamples(
            "Sideless captions that the mirror changes most", SIDELESS, "change", SIDELESS_LABELS, order="highest"
        ),
    ),
)
DESIGNS = (SIDED, MATCHED, SIDELESS, PLACED, CLAUSES)
COMPETENT = [pytest.param(d.part, marks=pytest.mark.audit(FINDING, d, d.competence)) for d in DESIGNS]
AXES = [
    pytest.param(axis, marks=pytest.mark.audit(FINDING, PLACED, va.LargestSpread("placed.correct", by=parts)))
    for axis, parts in (("horizontal", "third"), ("vertical", "half"))
]


@pytest.mark.parametrize("part", COMPETENT)
def test_competence(judge, part):  # noqa: ARG001 (it names the case)
    """The model recognizes what the images show, left and right aside."""
    judge()


@pytest.mark.audit(FINDING, SIDED, va.Mean("accuracy"))
def test_side_accuracy(judge):
    """The side is named correctly, in the image and in its mirror image."""
    judge()


@pytest.mark.audit(FINDING, SIDED, va.Proportion("flips"))
def test_mirror_consistency(judge):
    """The answer flips with the image."""
    judge()


@pytest.mark.audit(FINDING, SIDED, va.Mean("left"))
def test_side_preference(judge):
    """Left has a probability of one half on average over mirror images, its true rate."""
    judge()


@pytest.mark.audit(FINDING, MATCHED, va.Mean("preferred"))
def test_match_side(judge):
    """The caption with the true side matches better than the one with the other side."""
    judge()


@pytest.mark.audit(FINDING, SIDELESS, va.Mean("change"))
def test_sideless_invariance(judge):
    """A caption without a side matches the mirror image as well as the image."""
    judge()


@pytest.mark.parametrize("axis", AXES)
def test_position_uniform(judge, axis):  # noqa: ARG001 (it names the case)
    """An object is named equally well on the left, in the middle and on the right, and above and below."""
    judge()


@pytest.mark.audit(FINDING, CLAUSES, va.Proportion("exchanged.same"))
def test_clause_order_invariance(judge):
    """Exchanging the clauses of the caption does not change the answer."""
    judge()
