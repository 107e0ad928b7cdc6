"""Each audit passes the grounded toy and fails the blind one; defective ALBEFs fail the criteria of the defect."""

import importlib
import inspect
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import naive
import numpy as np
import pytest
import small_models
import small_runs

from vlaudit.auditing.cases import cases_of
from vlaudit.datasets.scenes import sample
from vlaudit.execution.plan import plan
from vlaudit.execution.run import run
from vlaudit.models.toy import BlindToy, GroundedToy
from vlaudit.reporting.exhibits import draw
from vlaudit.thresholds import read_thresholds

AUDITS = Path(__file__).parents[2] / "audits"
FINDINGS = ("text_dominance", "mirror_skew", "color_bias", "fusion_trend", "coref_heads")
UNITS = 60
CRITERIA = {
    "text_dominance": {
        *("competence[words]", "competence[match]", "image_use[word]", "image_use[match]"),
        *("vision_effect", "image_over_hint", "match_decides", "match_needs_object", "cls_importance"),
    },
    "mirror_skew": {
        *(f"competence[{part}]" for part in ("sides", "match", "sideless", "places", "clauses")),
        *("side_accuracy", "mirror_consistency", "side_preference", "match_side", "sideless_invariance"),
        *("position_uniform[horizontal]", "position_uniform[vertical]", "clause_order_invariance"),
    },
    "color_bias": {
        *(f"competence[{part}]" for part in ("objects", "match", "colors", "recolored")),
        *("object_under_gray", "match_under_gray", "color_needs_color", "recolor_follows_image", "color_calibration"),
    },
    "fusion_trend": {"image_moves_text", "shift_grows", "nmi_falls", "final_layer_mixed"},
    "coref_heads": {
        f"links_above_random[{kind}-{direction}]"
        for kind in ("people", "bodyparts", "scene", "clothing", "animals", "instruments", "vehicles", "other")
        for direction in ("text_image", "image_text")
    },
}
PUBLISHED_ONLY = {"color_bias": {"gray_lowers_probability"}, "fusion_trend": {"nmi_rises"}}


@cache
def samples():
    return tuple(sample(11, index) for index in range(UNITS))


def module(finding):
    return importlib.import_module(f"audits.test_{finding}")


@cache
def all_cases(finding):
    return cases_of(module(finding))


@cache
def cases(finding):
    """Return the cases of the desirable properties."""
    return [case for case in all_cases(finding) if case.only is None]


@cache
def run_of(finding, model):
    return small_runs.run_of(cases(finding), model, samples())


def table(model, design):
    return run_of(design.partition(".")[0], model).measured(model.name, by_id(design)).tables[design]


def by_id(design):
    return designs(design.partition(".")[0])[design]


@cache
def designs(finding):
    """Return the designs of an audit by their ids."""
    return {one.id: one for case in cases(finding) for one in (case.design, *case.finding.shown)}


@cache
def verdicts(finding, model, competent=True):
    return small_runs.verdicts(run_of(finding, model), cases(finding), model.name, competent=competent)


def outcomes(finding, model, competent=True):
    return {criterion: verdict.outcome for criterion, verdict in verdicts(finding, model, competent).items()}


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("words")


@pytest.fixture(scope="session")
def untrained(folder):
    return small_models.untrained(folder)


@pytest.fixture(scope="session")
def unfused(folder):
    return small_models.unfused(folder)


GROUNDED, BLIND = GroundedToy(), BlindToy()


@pytest.mark.parametrize("finding", FINDINGS)
def test_an_audit_judges_its_criteria_and_no_others(finding):
    assert set(outcomes(finding, GROUNDED)) == CRITERIA[finding]


@pytest.mark.parametrize("finding", FINDINGS)
def test_the_grounded_toy_fails_nothing_and_passes_what_60_images_decide(finding):
    found = outcomes(finding, GROUNDED)
    assert not {"fail", "error"} & set(found.values())
    assert list(found.values()).count("pass") >= len(found) // 2


@pytest.mark.parametrize(
    ("finding", "criteria"),
    [
        ("text_dominance", {"image_use[word]", "image_use[match]", "cls_importance"}),
        ("fusion_trend", {"image_moves_text", "shift_grows", "nmi_falls", "final_layer_mixed"}),
    ],
)
def test_the_blind_toy_fails_what_needs_the_image(finding, criteria):
    found = outcomes(finding, BLIND)
    assert {criterion for criterion in criteria if found[criterion] == "fail"} == criteria


def test_the_blind_toy_links_no_phrase():
    """The best of all heads is bounded from above head by head, so that a failure takes more images than a pass."""
    some = [case for case in cases("coref_heads") if case.name.endswith("text_image]")]
    found = small_runs.verdicts(
        small_runs.run_of(some, BLIND, [sample(11, index) for index in range(200)]), some, BLIND.name
    )
    assert found["links_above_random[people-text_image]"].outcome == "fail"
    assert "pass" not in {verdict.outcome for verdict in found.values()}


def test_a_model_that_cannot_read_the_stimuli_is_not_judged_on_them():
    """The blind toy recognizes nothing, nor can a constant match be competence; judged without, it fails."""
    for finding in ("color_bias", "mirror_skew"):
        assert set(outcomes(finding, BLIND).values()) == {"not applicable"}
    asked = outcomes("color_bias", BLIND, competent=False)
    assert asked["color_needs_color"] == "fail"
    assert asked["recolor_follows_image"] != "fail"  # it answers as badly before
    assert {outcome for name, outcome in asked.items() if name.startswith("competence")} == {"fail"}
    asked = outcomes("text_dominance", BLIND, competent=False)
    assert asked["vision_effect"] == asked["match_needs_object"] == "fail"
    asked = outcomes("mirror_skew", BLIND, competent=False)
    assert asked["side_accuracy"] == asked["mirror_consistency"] == asked["match_side"] == "fail"


@pytest.mark.parametrize("finding", FINDINGS)
def test_an_untrained_albef_passes_nothing_that_shows_a_skill(finding, untrained):
    """Criteria that need no skill (invariances) may pass; the others fail or do not apply."""
    skilless = {"sideless_invariance", "match_under_gray"}
    found = outcomes(finding, untrained)
    assert set(found) == CRITERIA[finding]
    assert "error" not in found.values()
    passed = {criterion for criterion, outcome in found.items() if outcome == "pass"} - skilless
    # random weights mix the image in too, with depth; the test above shows that they do not use it
    assert passed <= {"image_moves_text", "shift_grows"}


def test_an_untrained_albef_would_fail_criteria_that_need_competence(untrained):
    found = {f: outcomes(f, untrained, competent=False) for f in ("text_dominance", "mirror_skew", "color_bias")}
    assert found["text_dominance"]["vision_effect"] == "fail"
    assert found["mirror_skew"]["side_accuracy"] == found["mirror_skew"]["match_side"] == "fail"
    assert found["color_bias"]["color_needs_color"] == "fail"
    assert "pass" not in {found[f][name] for f in found for name in CRITERIA[f] if name.startswith("competence")}


def test_an_unfused_albef_shows_no_use_of_the_image(unfused):
    """With cross-attention cut, another image changes nothing at all, and covering changes no word."""
    found = outcomes("fusion_trend", unfused)
    assert found["image_moves_text"] == found["shift_grows"] == "fail"
    assert not table(unfused, "fusion_trend.shift")["shift"].any()
    asked = outcomes("text_dominance", unfused, competent=False)
    assert asked["vision_effect"] == asked["match_needs_object"] == "fail"
    assert asked["image_use[word]"] == asked["image_use[match]"] == "fail"
    words = table(unfused, "text_dominance.words")
    assert abs(words["shown.p"] - words["covered.p"]).max() < 1e-6
    assert outcomes("mirror_skew", unfused, competent=False)["mirror_consistency"] == "fail"


def test_criteria_that_do_not_fit_an_architecture_are_not_applicable(untrained):
    for criterion in ("nmi_falls", "final_layer_mixed"):
        verdict = verdicts("fusion_trend", untrained)[criterion]
        assert verdict.outcome == "not applicable"
        assert "never updates the image states" in verdict.reason
    drift = table(untrained, "fusion_trend.drift")
    assert len(drift) == UNITS
    assert drift["drift"].shape == (UNITS, 5)  # stages of the text encoder: embeddings and four layers
    verdict = verdicts("coref_heads", untrained)["links_above_random[animals-image_text]"]
    assert "it has no attention of image on text" in verdict.reason


@pytest.mark.parametrize("finding", FINDINGS)
def test_every_exhibit_is_drawn_for_the_models_that_its_design_suits(finding, untrained):
    """The two models have different architectures: each exhibit suits one of them at least."""
    exhibits, shown = module(finding).FINDING.exhibits, set()
    for model in (GROUNDED, untrained):
        done = run_of(finding, model)
        measured = {
            design.id: (done.table(model.name, design), done.units(model.name, design))
            for design in designs(finding).values()
        }
        drawn = draw(exhibits, measured)
        assert [one.title for one in drawn] == [exhibit.title for exhibit in exhibits]
        for exhibit, one in zip(exhibits, drawn, strict=True):
            suits = exhibit.design.unsupported(model.capabilities) is None
            assert one.lacks == ("" if suits else "nothing was measured")
            shown |= {one.title} if suits else set()
    assert shown == {exhibit.title for exhibit in exhibits}


@pytest.mark.parametrize("finding", FINDINGS)
def test_tables_have_the_columns_that_their_designs_state(finding, untrained):
    for model in (GROUNDED, untrained):
        for design in designs(finding).values():
            if design.unsupported(model.capabilities) is None:
                assert set(run_of(finding, model).table(model.name, design).frame.columns) == design.columns


def test_words_without_choices_are_refused_and_nothing_passes():
    """A kind of slot without choices: with the truth as the only candidate, every model would be right."""
    unknown = [replace(one, slots=tuple(replace(slot, choices=()) for slot in one.slots)) for one in samples()[:9]]
    some = [case for case in cases("text_dominance") if case.design.id == "text_dominance.words"]
    done = small_runs.run_of(some, GROUNDED, unknown)
    for verdict in small_runs.verdicts(done, some, GROUNDED.name).values():
        assert verdict.outcome != "pass"
        assert "has no choices to answer from; the data set must name them" in verdict.reason


def test_thresholds_name_every_criterion_and_no_others():
    """As shipped, for any family and any data; the published ones are among them."""
    file = read_thresholds()._shipped.file
    plain = {f: {criterion.partition("[")[0] for criterion in criteria} for f, criteria in CRITERIA.items()}
    assert {f: set(entries) for f, entries in file.desirable["any"]["any"].items()} == plain
    for tables in (file.desirable, file.published):
        for by_data in tables.values():
            for by_finding in by_data.values():
                for finding, entries in by_finding.items():
                    known = plain[finding] | (PUBLISHED_ONLY.get(finding, set()) if tables is file.published else set())
                    assert {criterion.partition("[")[0] for criterion in entries} <= known
                    assert {c for c in entries if "[" in c} <= CRITERIA[finding]
    found = {f: {case.name for case in all_cases(f) if case.only == "published"} for f in FINDINGS}
    assert {f: names for f, names in found.items() if names} == PUBLISHED_ONLY


def test_cases_are_counted_as_the_tests_are_parametrized():
    for finding, entries in read_thresholds()._shipped.file.desirable["any"]["any"].items():
        names = Counter(case.name.partition("[")[0] for case in cases(finding))
        assert {name: entry.cases for name, entry in entries.items()} == names
    assert names["links_above_random"] == 16


@pytest.mark.parametrize("finding", FINDINGS)
def test_planned_batches_give_what_single_requests_give(finding, untrained):
    """Compare with the reference implementation: nothing merged, nothing batched."""
    few = samples()[:4]
    for design in designs(finding).values():
        alone, units = naive.measure(design, few, untrained)
        done = run(plan([design], few, untrained, 0), untrained, batch_size=16)
        together = done.tables[design.id]
        assert (alone.planned, alone.refused) == (together.planned, dict(together.refused))
        assert set(units) <= set(done.units[design.id])
        assert set(alone.frame.columns) == set(together.frame.columns)
        for column in alone.frame.columns:
            one, other = alone[column], together[column]
            if one.dtype.kind == "f":
                np.testing.assert_allclose(one, other, atol=2e-5)
            else:
                assert one.tolist() == other.tolist(), column


# -- the modules


def test_audits_are_short():
    """Claims, figures of the papers and exhibits included; 700 since competence and use of the image are criteria."""
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in AUDITS.glob("*.py")) <= 710


@pytest.mark.parametrize("finding", FINDINGS)
def test_every_test_explains_its_criterion(finding):
    tests = [test for name, test in vars(module(finding)).items() if name.startswith("test_")]
    assert tests
    for test in tests:
        explanation = inspect.getdoc(test)
        assert explanation
        assert explanation.endswith(".")
    assert all(case.explanation in map(inspect.getdoc, tests) for case in all_cases(finding))


def test_criteria_are_named_as_pytest_names_their_tests():
    """They are the ids of pytest without the model, as used by `-k`, thresholds and reports."""
    command = [sys.executable, "-m", "pytest", str(AUDITS), "--collect-only", "-q", "--model", "toy-grounded"]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider"], cwd=AUDITS.parent, capture_output=True, text=True, check=False
    )
    ids = [line for line in done.stdout.splitlines() if "::" in line]
    named = [
        f"audits/test_{finding}.py::test_{case.name}".replace("[", "[toy-grounded-")
        if "[" in case.name
        else f"audits/test_{finding}.py::test_{case.name}[toy-grounded]"
        for finding in FINDINGS
        for case in all_cases(finding)
    ]
    assert sorted(ids) == sorted(named), done.stderr
