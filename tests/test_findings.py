import re
from dataclasses import dataclass, replace

import numpy as np
import pytest

from vlaudit.errors import UsageError
from vlaudit.findings import AuditCase, Criterion, Design, Exhibit, Finding, case_name, not_applicable
from vlaudit.measures import ClsImportance, MatchProbability, Measure, SideProbability, TextShift, WordProbability
from vlaudit.models.toy import GroundedToy
from vlaudit.perturbations import Mirror
from vlaudit.reporting.exhibits import Bars, Pairs
from vlaudit.selection import EverySample, OneSlot
from vlaudit.statistics import Mean, Proportion
from vlaudit.traces import Match, Words


def criterion(alpha=0.05, **bound):
    return Criterion("side_accuracy", "twice chance", alpha, **bound)


def test_not_applicable_is_never_a_failure():
    verdict = not_applicable(criterion(at_least=0.5), "the model cannot read these stimuli")
    assert (verdict.outcome, verdict.reason) == ("not applicable", "the model cannot read these stimuli")


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
