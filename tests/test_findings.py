import re
from dataclasses import dataclass, replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from vlaudit.errors import UsageError
from vlaudit.findings import AuditCase, Criterion, Design, Exhibit, Finding, case_name, decide, not_applicable
from vlaudit.measures import ClsImportance, MatchProbability, Measure, SideProbability, TextShift, WordProbability
from vlaudit.models.toy import GroundedToy
from vlaudit.perturbations import Mirror
from vlaudit.reporting.exhibits import Bars, Pairs
from vlaudit.selection import EverySample, OneSlot
from vlaudit.statistics import Mean, Proportion
from vlaudit.statistics.base import Estimate, NoEstimate
from vlaudit.statistics.means import mean_interval
from vlaudit.traces import Match, Words

numbers = st.floats(-2, 2, allow_nan=False)
three = st.lists(numbers, min_size=3, max_size=3).map(sorted)


def criterion(alpha=0.05, **bound):
    return Criterion("side_accuracy", "twice chance", alpha, **bound)


def estimate(low, value, high, clusters=100, alpha=0.05):
    return Estimate(value, low, high, alpha, 2 * clusters, clusters, "betting")


def outcome(found, **bound):
    return decide(found, criterion(**bound)).outcome


@given(three, numbers)
def test_an_interval_on_one_side_of_a_bound_decides(ends, bound):
    low, _, high = ends
    found = estimate(*ends)
    expected = "pass" if low >= bound else "fail" if high < bound else "inconclusive"
    assert outcome(found, at_least=bound) == expected
    mirrored = estimate(-high, -ends[1], -low)
    assert outcome(mirrored, at_most=-bound) == expected


@given(three, st.lists(numbers, min_size=2, max_size=2, unique=True).map(sorted))
def test_within_requires_both_bounds(ends, bounds):
    low, _, high = ends
    expected = (
        "pass"
        if bounds[0] <= low and high <= bounds[1]
        else "fail"
        if high < bounds[0] or low > bounds[1]
        else "inconclusive"
    )
    assert outcome(estimate(*ends), within=tuple(bounds)) == expected


@given(three, numbers, st.floats(0, 1), st.floats(0, 1))
def test_a_narrower_interval_never_takes_a_decision_back(ends, bound, from_below, from_above):
    low, value, high = ends
    wide = outcome(estimate(*ends), at_least=bound)
    narrow = estimate(low + from_below * (value - low), value, max(high - from_above * (high - value), value))
    assert wide in (outcome(narrow, at_least=bound), "inconclusive")


def test_the_reason_states_estimate_and_bound():
    verdict = decide(estimate(0.91, 0.95, 0.98), criterion(at_least=0.9))
    assert (verdict.outcome, verdict.reason) == ("pass", "0.950 [0.910, 0.980] against at least 0.9")
    assert verdict.needed is None


def test_no_estimate_is_an_error_with_its_reason():
    verdict = decide(NoEstimate("column 'p' has 3 NaN of 40 values"), criterion(at_most=0.1))
    assert (verdict.outcome, verdict.reason) == ("error", "column 'p' has 3 NaN of 40 values")
    assert verdict.estimate is None


def test_not_applicable_is_never_a_failure():
    verdict = not_applicable(criterion(at_least=0.5), "the model cannot read these stimuli")
    assert (verdict.outcome, verdict.reason) == ("not applicable", "the model cannot read these stimuli")


def test_an_interval_of_less_certainty_than_promised_is_refused():
    with pytest.raises(UsageError, match=r"side_accuracy: the interval must have alpha <= 0.01, got 0.05"):
        decide(estimate(0.7, 0.8, 0.9), criterion(alpha=0.01, at_least=0.5))


@pytest.mark.parametrize("bound", [{}, {"at_least": 0.5, "at_most": 0.6}])
def test_a_criterion_has_exactly_one_bound(bound):
    with pytest.raises(UsageError, match="side_accuracy: exactly one of at_least, at_most, within"):
        criterion(**bound)


@pytest.mark.parametrize("bound", [{"within": (0.6, 0.5)}, {"within": (0.5, 0.5)}, {"at_least": np.nan}])
def test_bounds_that_nothing_can_meet_are_refused(bound):
    with pytest.raises(UsageError, match="side_accuracy"):
        criterion(**bound)


@pytest.mark.parametrize("alpha", [0.0, 1.0, np.nan])
def test_an_alpha_that_is_no_error_rate_is_refused(alpha):
    with pytest.raises(UsageError, match="alpha must be strictly between 0 and 1"):
        criterion(alpha=alpha, at_least=0.5)


@pytest.mark.parametrize(
    ("bound", "said"),
    [({"at_least": 0.5}, "at least 0.5"), ({"at_most": 0.1}, "at most 0.1"), ({"within": (0, 1)}, "within [0, 1]")],
)
def test_a_criterion_reads_as_a_demand(bound, said):
    assert str(criterion(**bound)) == said


@given(three, numbers)
def test_an_inconclusive_criterion_states_the_images_needed(ends, bound):
    verdict = decide(estimate(*ends), criterion(at_least=bound))
    if verdict.needed is None:
        assert verdict.outcome != "inconclusive" or ends[1] == pytest.approx(bound, abs=0.01)
    else:
        assert verdict.outcome == "inconclusive"
        assert verdict.needed > verdict.estimate.clusters
        assert f"about {verdict.needed:,} images would decide it" in verdict.reason


def test_a_value_on_its_bound_is_decided_by_no_number():
    verdict = decide(estimate(0.4, 0.5, 0.6), criterion(at_least=0.5))
    assert verdict.needed is None
    assert verdict.reason.endswith("the value equals the bound, no number decides it")


def test_the_number_for_a_value_between_two_bounds_depends_on_both():
    """The farther bound may be the one that the interval crosses: a reach of 0.3 to 0.2, not 0.05 to 0.1."""
    verdict = decide(estimate(0.55, 0.6, 0.9), criterion(within=(0.5, 0.8)))
    assert verdict.needed > 100 * (0.3 / 0.2) ** 2


def test_the_number_for_a_value_outside_depends_on_the_nearer_bound():
    one = decide(estimate(0.3, 0.45, 0.6), criterion(within=(0.5, 0.8)))
    other = decide(estimate(0.3, 0.45, 0.6), criterion(at_least=0.5))
    assert one.needed == other.needed


@pytest.mark.parametrize("truth", [0.75, 0.9])
def test_the_stated_number_of_images_usually_decides(truth):
    """Simulate an inconclusive criterion with the stated number of images and count the decisions."""
    rng, bound = np.random.default_rng(1), criterion(alpha=0.01, at_least=0.8)
    decided = early = asked = 0
    for _ in range(40):
        verdict = judged(rng, truth, 60, bound)
        if verdict.needed is None or verdict.needed > 2000:
            continue
        asked += 1
        decided += judged(rng, verdict.estimate.value, verdict.needed, bound).outcome != "inconclusive"
        early += judged(rng, verdict.estimate.value, verdict.needed // 4, bound).outcome != "inconclusive"
    assert asked > 15
    assert decided > 0.6 * asked
    assert early < 0.5 * asked


def judged(rng, truth, images, bound):
    means = rng.binomial(4, truth, images) / 4
    low, high, method = mean_interval(means, (0.0, 1.0), bound.alpha, rng)
    value = float(means.mean())
    return decide(Estimate(value, min(low, value), max(high, value), bound.alpha, images, images, method), bound)


# -- designs and cases

SIDES = Design("sides", OneSlot("color"), {"own": (), "flip": (Mirror(),)}, WordProbability(reference="own"))
OWN = {"own": ()}


def case(design=SIDES, statistic=None, exhibits=(), shown=(), **settings):
    finding = Finding("mirror", "claim", "source", "failing", exhibits=exhibits, shown=shown)
    return AuditCase(finding, design, statistic or Mean("own.p"), "flips", **settings)


@pytest.mark.parametrize(
    "design",
    [
        SIDES,
        Design("match", EverySample(), OWN, MatchProbability()),
        Design("cls", EverySample(), OWN, ClsImportance()),
    ],
    ids=lambda design: design.id,
)
def test_a_design_knows_its_columns_before_anything_runs(design):
    assert {"unit_id", "image_id"} < design.columns
    assert design.units.columns < design.columns
    assert design.measure.columns(design.conditions) < design.columns


@pytest.mark.parametrize(
    ("wrong", "where", "near"),
    [
        (case(statistic=Mean("own.pp")), "mirror.flips: Mean(column='own.pp'", ""),
        (case(statistic=Mean("own.pp")), "reads the column 'own.pp'", "own.p"),
        (case(statistic=Mean("own.p", minus="flop.p")), "reads the column 'flop.p'", "flip.p"),
        (case(statistic=Mean("own.p", where=("knid", "color"))), "reads the column 'knid'", "kind"),
        (case(replace(SIDES, competence=Proportion("own.corect"))), "design sides: Proportion(column='own.corect'", ""),
        (case(replace(SIDES, competence=Proportion("own.corect"))), "reads the column 'own.corect'", "own.correct"),
        (
            case(exhibits=(Bars("Title", SIDES, {"flipped": "flip.smae"}),)),
            "mirror, exhibit 'Title': it reads the column 'flip.smae'",
            "flip.same",
        ),
        (
            case(exhibits=(Pairs("Title", SIDES, {"x": "own.p"}, {"x": "flip.p"}, {"a": "own", "b": "filp"}),)),
            "mirror, exhibit 'Title': it shows the condition 'filp'",
            "flip",
        ),
        (
            case(replace(SIDES, measure=WordProbability(reference="ownn"))),
            "design sides: its measure names the condition 'ownn'",
            "own",
        ),
        (case(replace(SIDES, measure=SideProbability())), "names the condition 'mirrored'", ""),
        (case(shown=(Design("shift", EverySample(), OWN, TextShift()),)), "design shift: its measure names", ""),
        (
            case(replace(SIDES, not_for={"two-steam": "no"})),
            "design sides: not_for names the architecture 'two-steam'",
            "two-stream",
        ),
        (case(not_for={"bert": "no"}), "mirror.flips: not_for names the architecture 'bert'", ""),
    ],
)
def test_a_name_that_does_not_exist_is_refused_with_the_nearest(wrong, where, near):
    with pytest.raises(UsageError, match="which does not exist") as raised:
        wrong.check()
    assert where in str(raised.value)
    assert near in str(raised.value).partition("which does not exist")[2]


def test_a_condition_that_is_no_tuple_of_perturbations_is_refused():
    wrong = replace(SIDES, conditions={"own": (), "flip": Mirror()})
    with pytest.raises(UsageError, match=re.escape("the condition 'flip' must be a tuple of perturbations, such as")):
        case(wrong).check()


def test_names_that_exist_are_accepted():
    bars = Bars("Title", SIDES, {"flipped": "flip.same", "word": "own.p"})
    pairs = Pairs("Title", SIDES, {"x": "own.p"}, {"x": "flip.p"}, {"a": "own", "b": "flip"})
    assert isinstance(bars, Exhibit)
    assert isinstance(pairs, Exhibit)
    right = case(exhibits=(bars, pairs), shown=(SIDES,), not_for={"two-stream": "no"})
    right.check()
    assert right.id == "mirror.flips"


@dataclass(frozen=True)
class Anything(Measure):
    """Reads and requires what it is given."""

    needs: frozenset = frozenset()
    requires: frozenset = frozenset()


def unsupported(**settings):
    capabilities = replace(GroundedToy().capabilities, **settings.pop("capabilities", {}))
    design_settings = settings.pop("design", {})
    design = Design("any", EverySample(), OWN, Anything(**settings), **design_settings)
    return design.unsupported(capabilities)


def test_a_design_that_suits_the_model_is_supported():
    assert unsupported(needs=frozenset({Match(), Words()}), requires=frozenset({"comparable matches"})) is None


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"design": {"not_for": {"single-stream": "it cannot"}}}, "it cannot"),
        ({"needs": frozenset({Match()}), "capabilities": {"readings": frozenset({Words})}}, "has no Match"),
        (
            {"requires": frozenset({"joint softmax"}), "capabilities": {"joint_softmax": False}},
            "its text and image keys do not share one softmax",
        ),
        (
            {"requires": frozenset({"comparable matches"}), "capabilities": {"match": "score"}},
            "its match scores can be compared between captions of one image only",
        ),
    ],
)
def test_a_design_that_does_not_suit_the_model_says_why(settings, reason):
    assert reason in unsupported(**settings)


def test_a_criterion_may_be_shown_where_its_design_is_measured():
    shown = case(Design("any", EverySample(), OWN, Anything()), not_for={"single-stream": "shown, not judged"})
    capabilities = GroundedToy().capabilities
    assert shown.design.unsupported(capabilities) is None
    assert shown.unsupported(capabilities) == "shown, not judged"
    assert shown.unsupported(replace(capabilities, architecture="two-stream")) is None


def test_competence_is_required_of_models_for_which_it_is_defined():
    design = replace(SIDES, competence=Proportion("own.correct"), competence_requires="comparable matches")
    capabilities = GroundedToy().capabilities
    assert case(design).competence(capabilities) == Proportion("own.correct")
    assert case(design).competence(replace(capabilities, match="score")) is None
    without = replace(design, competence_requires=None)
    assert case(without).competence(replace(capabilities, match="score")) == Proportion("own.correct")


@pytest.mark.parametrize(
    ("function", "parameters", "name"),
    [
        ("test_flips", {}, "flips"),
        ("test_links", {"kind": "people", "direction": "text_image"}, "links[people-text_image]"),
        ("links_test_", {"layer": 3}, "links_test_[3]"),
    ],
)
def test_a_case_is_named_by_its_test_and_its_parameters(function, parameters, name):
    assert case_name(function, parameters) == name
