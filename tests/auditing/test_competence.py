"""A model that cannot read the stimuli never passes: competence is judged before the criteria that depend on it."""

import json
from dataclasses import replace
from itertools import cycle

import pytest
from PIL import Image as Pillow

import vlaudit
from vlaudit.models.toy import BlindToy, GroundedToy
from vlaudit.traces import Match, Words

pytest_plugins = ["pytester"]

AUDIT = """
import pytest
import vlaudit.authoring as va
from vlaudit.perturbations import Blank

WORDS = va.Design(
    "seeing.words", va.OneSlot(va.NOUNS), {"shown": (), "blank": (Blank(),)},
    va.WordProbability(), competence=va.Proportion("shown.correct"),
)
MATCH = va.Design("seeing.match", va.OneSlot(va.NOUNS, hide=False), {"own": ()}, va.MatchProbability())
FINDING = va.Finding("seeing", "The model sees.", "a test", "It does not see.")

@pytest.mark.parametrize("part", [pytest.param("words", marks=pytest.mark.audit(FINDING, WORDS, WORDS.competence))])
def test_competence(judge, part):
    judge()

@pytest.mark.audit(FINDING, WORDS, va.Mean("shown.p", minus="blank.p"))
def test_effect(judge):
    judge()
"""
MATCHES = """
@pytest.mark.audit(FINDING, MATCH, va.Mean("own.p"))
def test_matches(judge):
    judge()
"""
BOUNDS = """
[desirable.any.any.seeing]
competence = { at_least = 0.6, why = "a model that names few objects cannot be tested" }
effect = { at_least = -1.5, why = "a bound that every model meets" }
matches = { at_least = 0.1, why = "a caption must fit its image" }
"""


class Wrong(GroundedToy):
    """Answers every word wrongly."""

    name = "toy-wrong"

    def word_probabilities(self, sample, span, words):
        inverse = 1 / super().word_probabilities(sample, span, words)
        return inverse / inverse.sum()


class Reversed(Wrong):
    """Answers every word wrongly and exchanges match and mismatch."""

    name = "toy-reversed"

    def log_odds(self, sample):
        return -super().log_odds(sample)


class Unsure(GroundedToy):
    """Answers every third word wrongly."""

    name = "toy-unsure"

    def word_probabilities(self, sample, span, words):
        right = super().word_probabilities(sample, span, words)
        wrong = int(sample.image_id.split("-")[-1]) % 3 == 0
        return (1 / right) / (1 / right).sum() if wrong else right


@pytest.fixture
def folder(pytester):
    pytester.makepyfile(test_seeing=AUDIT)
    (pytester.path / "bounds.toml").write_text(BOUNDS)
    return pytester.path


@pytest.fixture
def run(folder):
    def audit(model, *, select=None, matches=False, **settings):
        text = (AUDIT + MATCHES) if matches else AUDIT
        if select == "effect":  # as `-k effect`
            text = text.replace("def test_competence", "def unselected")
        (folder / "test_seeing.py").write_text(text)
        given = {"limit": 60, "audits": ["test_seeing.py"], "thresholds": "bounds.toml", **settings}
        result = vlaudit.audit(model, **given)
        return result, {name: record.outcome for name, record in result.verdicts[model.name].items()}

    return audit


COMPETENCE, EFFECT = "seeing.competence[words]", "seeing.effect"


def test_dependents_of_a_competent_model_are_judged(run):
    result, outcomes = run(GroundedToy())
    assert outcomes == {COMPETENCE: "pass", EFFECT: "pass"}
    assert result.passed
    assert result.document.findings[0].status == "holds"


def test_dependents_of_undecided_competence_are_inconclusive(run):
    result, outcomes = run(Unsure())
    assert outcomes == {COMPETENCE: "inconclusive", EFFECT: "inconclusive"}
    assert "not decided whether the model can read" in result.verdicts["toy-unsure"][EFFECT].reason
    assert result.document.findings[0].status == "undecided"
    assert not result.passed
    assert "Holds" not in result.document.summary.sentence


def test_criteria_that_wait_for_a_known_failure_of_competence_are_known_too(run, folder):
    known = "low = 0.5\nhigh = 0.8\nwhy = 'a third of its answers are wrong'"
    (folder / "bounds.toml").write_text(
        f"{BOUNDS}[[known_failures]]\ncriterion = '{COMPETENCE}'\nmodel = 'toy-unsure'\n"
        f"sha256 = 'toy-unsure, no weights'\n{known}\n"
    )
    result, _ = run(Unsure(), gate=True, limit=20)
    records = result.verdicts["toy-unsure"]
    assert [records[name].outcome for name in (COMPETENCE, EFFECT)] == ["inconclusive", "inconclusive"]
    assert records[COMPETENCE].known
    assert records[EFFECT].known
    assert not result.passed  # nothing was decided


def test_incompetence_fails_a_gate_and_data_that_the_user_named(run):
    for settings in ({"gate": True}, {"data": "scenes:seed=3,n=60"}):
        result, outcomes = run(Wrong(), **settings)
        assert outcomes == {COMPETENCE: "fail", EFFECT: "not applicable"}
        assert result.document.findings[0].status == "fails"
        assert not result.passed


def test_a_foreign_checkpoint_on_drawn_scenes_is_not_audited(run):
    result, outcomes = run(Wrong())
    assert outcomes == {COMPETENCE: "not applicable", EFFECT: "not applicable"}
    finding = result.document.findings[0]
    assert finding.status == "not audited"
    assert finding.reason.startswith("this model does not read drawn scenes; use --data (0.000 [")
    assert not result.decided
    assert not result.passed
    for text in (str(result), result.document.summary.sentence, result.document.model_dump_json(), page(result)):
        assert "Holds" not in text
        assert "this model does not read drawn scenes; use --data" in text
    assert "not audited" in str(result)
    assert '"status":"not audited"' in result.document.model_dump_json()


def page(result):
    return result._repr_html_().replace("&gt;", ">")


def test_a_finding_does_not_hold_where_a_part_of_it_was_not_audited(run):
    result, outcomes = run(Wrong(), matches=True)
    assert outcomes["seeing.matches"] == "pass"
    finding = result.document.findings[0]
    assert finding.status == result.document.summary.status == "undecided"
    assert finding.reason.startswith("this model does not read drawn scenes")
    assert result.document.summary.sentence.startswith("No criterion failed, but not all is decided")
    assert result.passed


@pytest.mark.parametrize("settings", [{"gate": True}, {"data": "scenes:seed=3,n=60"}])
def test_a_selection_cannot_hide_incompetence(run, settings):
    result, outcomes = run(Wrong(), select="effect", **settings)
    assert outcomes == {EFFECT: "fail"}
    assert COMPETENCE in result.verdicts["toy-wrong"][EFFECT].reason
    assert not result.passed


def test_a_selection_changes_nothing_on_drawn_scenes_without_a_gate(run):
    result, outcomes = run(Wrong(), select="effect")
    assert outcomes == {EFFECT: "not applicable"}
    assert result.document.findings[0].status == "not audited"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--gate",), pytest.ExitCode.TESTS_FAILED),
        (("--gate", "-k", "not competence"), pytest.ExitCode.TESTS_FAILED),
        (("--gate", "-k", "effect"), pytest.ExitCode.TESTS_FAILED),
        (("--data", "scenes:n=60"), pytest.ExitCode.TESTS_FAILED),
    ],
)
def test_pytest_fails_a_model_that_answers_every_word_wrongly(folder, pytester, options, code):
    (folder / "own.py").write_text(
        "from vlaudit.models.toy import GroundedToy\n"
        "class Wrong(GroundedToy):\n"
        "    name = 'toy-wrong'\n"
        "    def word_probabilities(self, sample, span, words):\n"
        "        inverse = 1 / super().word_probabilities(sample, span, words)\n"
        "        return inverse / inverse.sum()\n"
    )
    chosen = ("--model", "own.py:Wrong", "--limit", "60", "--thresholds", "bounds.toml")
    assert pytester.runpytest_inprocess("-p", "no:cacheprovider", *chosen, *options).ret == code


def test_competence_alone_is_no_evidence(run, folder):
    _, outcomes = run(GroundedToy())
    assert outcomes[COMPETENCE] == "pass"
    (folder / "test_seeing.py").write_text(AUDIT.replace("def test_effect", "def unselected"))
    result = vlaudit.audit(GroundedToy(), limit=60, audits=["test_seeing.py"], thresholds="bounds.toml")
    assert result.document.findings[0].status == "not audited"
    assert not result.passed


# The attacks of issue 9, with the audits that ship

NOT_COREF = ("text_dominance", "mirror_skew", "color_bias", "fusion_trend")


def test_wrong_words_do_not_pass_the_gate():
    result = vlaudit.audit(Wrong(), findings=["text_dominance"], gate=True, limit=40)
    assert not result.passed
    assert "Does not pass the gate" in result.document.summary.sentence


def test_reversed_answers_do_not_pass_the_gate_without_coref_heads():
    result = vlaudit.audit(Reversed(), findings=NOT_COREF, gate=True, limit=40)
    assert not result.passed


class ReversedAlbef:
    """The bundled ALBEF with the classes of its matching head exchanged and its word head negated."""

    def __init__(self):
        self._model = vlaudit.load("albef", device="cpu")

    def __getattr__(self, name):
        return getattr(self._model, name)

    def forward(self, requests):
        return [self._reversed(trace) for trace in self._model.forward(requests)]

    def _reversed(self, trace):
        return replace(trace, arrays={reading: self._read(reading, array) for reading, array in trace.arrays.items()})

    def _read(self, reading, array):
        if isinstance(reading, Words):
            return (-array).log_softmax(-1)
        return -array if isinstance(reading, Match) else array


def test_the_bundled_albef_reversed_does_not_pass_the_gate():
    result = vlaudit.audit(ReversedAlbef(), findings=["text_dominance"], gate=True, limit=24)
    assert not result.passed
    assert result.document.findings[0].status == "fails"


def test_a_text_only_model_on_coco_captions_does_not_hold(run, folder):
    """Its matches pass, its words are guesses."""
    coco(folder / "photos", 24)
    result, outcomes = run(BlindToy(), matches=True, data=f"coco:{folder / 'photos'}")
    assert outcomes == {COMPETENCE: "fail", EFFECT: "not applicable", "seeing.matches": "pass"}
    assert not result.passed
    assert "Holds" not in result.document.summary.sentence


def coco(folder, count):
    """Write photos with a caption each, which names an animal."""
    (folder / "val2017").mkdir(parents=True)
    (folder / "annotations").mkdir()
    images = [{"id": i, "file_name": f"{i:012d}.jpg"} for i in range(count)]
    for image in images:
        Pillow.new("RGB", (20, 12), (image["id"], 50, 200)).save(folder / "val2017" / image["file_name"])
    captions = [
        {"id": i, "image_id": i, "caption": f"A {animal} stands next to a {other}."}
        for i, (animal, other) in zip(range(count), cycle([("dog", "bus"), ("horse", "car"), ("cat", "truck")]))
    ]
    (folder / "annotations" / "captions_val2017.json").write_text(
        json.dumps({"info": {}, "images": images, "annotations": captions})
    )
