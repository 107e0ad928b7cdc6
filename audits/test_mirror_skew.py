"""A mirrored image has its left and right exchanged, and nothing else.

Source: Jung, Byun and Moon, challenges of vision-language models (ALBEF), Figure 3.
Differs: the study prints the probabilities of "left" and "right" for one pair of images; here the answer is the more
probable of the two, over many pairs, and each question is judged apart: is the side right, does it flip, is one side
preferred, does the match tell sides apart; and what should not change: captions without a side, where a thing stands,
the order of the clauses. Every side word of a caption is hidden together, because in the mirror image none of them
holds any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import pytest

from vlaudit.datasets.answers import answers
from vlaudit.designs import NOUNS, SIDE_KINDS, OneSlot, PairedUnit, asked, can_be_asked, every_sample, hiding, of_kinds
from vlaudit.errors import RefusedSample
from vlaudit.findings import Ask, Design, Finding
from vlaudit.measures import MatchProbability, SideProbability, Unit, WordProbability
from vlaudit.models.base import Capabilities
from vlaudit.perturbations import Mirror, Mismatch, SwapClauses, SwapSides, apply
from vlaudit.reporting.exhibits import Bars, Pairs, Telling
from vlaudit.samples import SIDES, Sample, Slot, words_of
from vlaudit.statistics import LargestSpread, Mean, Proportion
from vlaudit.traces import Match, Words

_MATCH = frozenset({Match()})
_SCENERY = "scenery"
THIRDS = ("left", "middle", "right")
"""Where in the image a thing has its centre."""


def _reading(sample: Sample, slot: Slot) -> frozenset[Words]:
    return frozenset({Words(answers(sample, slot))})


def side_asks(unit: Unit) -> Mapping[str, Ask]:
    """Ask for a hidden side in both images, and for another word, which tells whether the picture can be read."""
    other = next((slot for slot in unit.sample.slots if slot.kind in (*NOUNS, _SCENERY)), None)
    if other is None:
        raise RefusedSample(unit.sample.id, "its caption names nothing beside a side that can be asked for")
    hidden, readings = hiding(unit, *SIDE_KINDS), frozenset({Words(SIDES)})
    return {
        "original": Ask(hidden, (), readings),
        "mirrored": Ask(hidden, (Mirror(),), readings),
        "plain": Ask(unit.sample.hiding(other), (), _reading(unit.sample, other)),
    }


def match_asks(unit: Unit) -> Mapping[str, Ask]:
    """Ask whether the caption, and the caption with its sides exchanged, match both images."""
    return {
        "match.original.said": Ask(unit.sample, (), _MATCH),
        "match.original.swapped": Ask(unit.sample, (SwapSides(),), _MATCH),
        "match.mirrored.said": Ask(unit.sample, (Mirror(),), _MATCH),
        "match.mirrored.swapped": Ask(unit.sample, (Mirror(), SwapSides()), _MATCH),
    }


def sideless_asks(unit: PairedUnit) -> Mapping[str, Ask]:
    """Ask whether a caption without a side matches both images, and another image's caption the first."""
    return {
        "sideless.original": Ask(unit.sample, (), _MATCH),
        "sideless.mirrored": Ask(unit.sample, (Mirror(),), _MATCH),
        "sideless.other": Ask(unit.sample, (Mismatch(unit.other),), _MATCH),
    }


def place_asks(unit: Unit) -> Mapping[str, Ask]:
    """Ask for a thing where it stands; sides are hidden too, because the image may be the mirrored one."""
    if not asked(unit).region_ids:
        raise RefusedSample(unit.sample.id, "no hidden word of its caption is linked to a region")
    return {"placed": Ask(hiding(unit, *SIDE_KINDS), (), _reading(unit.sample, asked(unit)))}


def clause_asks(unit: Unit) -> Mapping[str, Ask]:
    """Ask for a word with the clauses as they are, and exchanged."""
    hidden, readings = hiding(unit), _reading(unit.sample, asked(unit))
    return {"ordered": Ask(hidden, (), readings), "exchanged": Ask(hidden, (SwapClauses(),), readings)}


def sideless(samples: Iterable[Sample], seed: int) -> Iterator[PairedUnit]:
    """Choose the samples whose caption holds neither side word."""
    for unit in every_sample(samples, seed):
        caption = unit.sample.caption.lower()
        if {caption[slice(*span)] for span in words_of(caption)}.isdisjoint(SIDES):
            yield unit


def two_clauses(samples: Iterable[Sample], seed: int) -> Iterator[Unit]:
    """Choose one thing of every sample whose caption has two clauses."""
    for unit in OneSlot(of_kinds(*NOUNS), clause_asks, tried=("exchanged",))(samples, seed):
        if can_be_asked(unit, clause_asks, seed, ("exchanged",)):
            yield unit


def placed(samples: Iterable[Sample], seed: int) -> Iterator[Unit]:
    """Choose one thing a sample, and show it in the image and in its mirror image: both sides see the same things."""
    for unit in OneSlot(of_kinds(*NOUNS), place_asks, tried=())(samples, seed):
        mirrored = apply([Mirror()], unit.sample, seed) if unit.sample.image else unit.sample
        for name, sample in (("original", unit.sample), ("mirrored", mirrored)):
            facts = {**(unit.facts or {}), "third": third(sample, asked(unit))}
            yield replace(unit, id=f"{unit.id}:{name}", sample=sample, facts=facts)


def third(sample: Sample, slot: Slot) -> str:
    """Return in which third of the image the slot's regions have their centre; "" where it has none."""
    if not slot.region_ids or sample.image is None:
        return ""
    centres = [sample.region(name).box.center[0] for name in slot.region_ids]
    return THIRDS[min(int(3 * sum(centres) / len(centres) / sample.image.width), 2)]


def _wants_words(capabilities: Capabilities) -> str | None:
    return capabilities.lacks(Words(SIDES))


def _wants_match(capabilities: Capabilities) -> str | None:
    return capabilities.lacks(Match())


def _wants_odds(capabilities: Capabilities) -> str | None:
    if capabilities.match == "log-odds":
        return None
    return capabilities.lacks(Match()) or "its match scores can be compared between captions of one image only"


_SIDED = of_kinds(*SIDE_KINDS)
SIDED = Design(
    "mirror_skew.sides", OneSlot(_SIDED, side_asks, tried=()), side_asks, SideProbability(answers), _wants_words
)
MATCHED = Design(
    "mirror_skew.match",
    OneSlot(_SIDED, match_asks, tried=()),
    match_asks,
    MatchProbability(
        above={
            "told": (
                ("match.original.said", "match.original.swapped"),
                ("match.mirrored.swapped", "match.mirrored.said"),
            )
        }
    ),
    _wants_match,
)
SIDELESS = Design(
    "mirror_skew.sideless",
    sideless,
    sideless_asks,
    MatchProbability(
        above={"own": (("sideless.original", "sideless.other"),)},
        changes={"change": ("sideless.original", "sideless.mirrored")},
    ),
    _wants_odds,
)
PLACED = Design("mirror_skew.places", placed, place_asks, WordProbability(answers, clean="placed"), _wants_words)
CLAUSES = Design(
    "mirror_skew.clauses",
    two_clauses,
    clause_asks,
    WordProbability(answers, clean="ordered"),
    _wants_words,
)

FINDING = Finding(
    id="mirror_skew",
    claim="Mirroring the image flips left and right, and nothing else; no side is preferred.",
    source="Jung, Byun and Moon, challenges of vision-language models (ALBEF), Figure 3",
    failing=(
        "The model says left or right by habit, or by where things stand in its training images: instructions and "
        "descriptions that turn on a side (a hand, a lane, an eye, a wing) will be wrong about half of the time."
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
            "which of the two tables is the unmirrored image is read from their order; the study's text speaks of a "
            "ski held in the left hand, its figure shows a basketball player"
        ),
    },
    exhibits=(
        Pairs(
            "Probability of each side, image and mirror image",
            first={"left": "original.p_left", "right": "original.p_right"},
            second={"left": "mirrored.p_left", "right": "mirrored.p_right"},
            column="accuracy",
        ),
        Bars(
            "Answers",
            {
                "right, image as it is": "original.correct",
                "right, mirror image": "mirrored.correct",
                "flips with the image": "flips",
                "says left": "left",
                "another word, to compare": "plain.correct",
            },
            unit="share of units",
        ),
        Bars(
            "Probability of a match",
            {
                "true side": "match.original.said.p",
                "other side": "match.original.swapped.p",
                "mirrored, true side": "match.mirrored.swapped.p",
                "mirrored, other side": "match.mirrored.said.p",
            },
            groups={
                "image as it is": ("true side", "other side"),
                "mirror image": ("mirrored, true side", "mirrored, other side"),
            },
        ),
        Bars(
            "Captions without a side",
            {
                "image as it is": "sideless.original.p",
                "mirror image": "sideless.mirrored.p",
                "another image's caption": "sideless.other.p",
            },
        ),
        Bars(
            "Order of the clauses",
            {"as they are": "ordered.correct", "exchanged": "exchanged.correct"},
            unit="accuracy",
        ),
        Telling(
            "Captions without a side that the mirror changes most",
            "change",
            {"image as it is": "sideless.original.p", "mirror image": "sideless.mirrored.p"},
            order="highest",
        ),
    ),
)


@pytest.mark.audit(FINDING, SIDED)
def test_side_accuracy(judge):
    """The side is named right, in the image and in its mirror image."""
    judge("side_accuracy", Mean("accuracy"), competence=Proportion("plain.correct"))


@pytest.mark.audit(FINDING, SIDED)
def test_mirror_consistency(judge):
    """The answer flips when the image does."""
    judge("mirror_consistency", Proportion("flips"), competence=Proportion("plain.correct"))


@pytest.mark.audit(FINDING, SIDED)
def test_side_preference(judge):
    """Left is said as often as it is true: of a pair of mirror images, once."""
    judge("side_preference", Mean("left"), competence=Proportion("plain.correct"))


@pytest.mark.audit(FINDING, MATCHED)
def test_match_side(judge):
    """The caption with the true side matches better than the one with the other side."""
    odds = judge.model.capabilities.match == "log-odds"
    judge("match_side", Mean("told"), competence=Proportion("match.original.said.accepted") if odds else None)


@pytest.mark.audit(FINDING, SIDELESS)
def test_sideless_invariance(judge):
    """A caption that names no side matches the mirror image as well as the image."""
    judge("sideless_invariance", Mean("change"), competence=Proportion("sideless.original.accepted"))


@pytest.mark.audit(FINDING, PLACED)
def test_position_uniform(judge):
    """A thing is named as well at the left, in the middle and at the right."""
    judge("position_uniform", LargestSpread("placed.correct", by="third"), competence=Proportion("placed.correct"))


@pytest.mark.audit(FINDING, CLAUSES)
def test_clause_order_invariance(judge):
    """Exchanging the clauses of the caption leaves the answer as it is."""
    judge("clause_order_invariance", Proportion("exchanged.same"), competence=Proportion("ordered.correct"))
