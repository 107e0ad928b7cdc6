"""Failures of a run are outcomes or one message: nothing is measured twice, lost, or taken from another design."""

import subprocess
import sys
import types
from dataclasses import dataclass, replace

import pytest

import vlaudit
import vlaudit.authoring as va
from vlaudit.auditing.cases import cases_of
from vlaudit.errors import RefusedSample, UsageError
from vlaudit.models.toy import GroundedToy
from vlaudit.perturbations import Blank

DESIGN = va.Design("own.match", va.EverySample(), {"plain": ()}, va.MatchProbability())
FINDING = va.Finding("own", "Captions match their images.", "a test", "They do not.")


def module(**tests):
    """Return a module with audits: names of tests to the arguments of their marks."""
    made = types.ModuleType("own_audits")
    for name, arguments in tests.items():

        def test(judge):
            judge()

        vars(made)[name] = pytest.mark.audit(*arguments)(test)
    return made


def audited(tmp_path, model, *, gate=False, **tests):
    names = "\n".join(
        f'{name.removeprefix("test_")} = {{ at_least = 0.5, why = "a caption must fit its image" }}' for name in tests
    )
    (tmp_path / "own.toml").write_text(f"[desirable.any.any.own]\n{names}\n")
    return vlaudit.audit(
        model, audits=[module(**tests)], thresholds=tmp_path / "own.toml", limit=12, batch_size=4, gate=gate
    )


class Breaking(GroundedToy):
    """Raises in its second pass, and counts the passes."""

    name = "breaking"

    def __init__(self):
        super().__init__()
        self.passes = 0

    def forward(self, requests):
        self.passes += len(requests) > 2  # not those of the start
        if self.passes == 2:
            raise RuntimeError("the device is gone")
        return super().forward(requests)


def test_an_exception_of_the_model_is_an_error_of_every_criterion_and_nothing_is_measured_again(tmp_path, capsys):
    model = Breaking()
    arguments = FINDING, DESIGN, va.Mean("plain.p")
    result = audited(tmp_path, model, test_first=arguments, test_second=arguments)
    records = result.verdicts["breaking"].values()
    assert [record.outcome for record in records] == ["error", "error"]
    assert all("RuntimeError: the device is gone (test_failures.py, line" in record.reason for record in records)
    assert "Traceback" in capsys.readouterr().err  # once, for the author
    assert model.passes == 2
    assert not result.passed
    result.to_html(tmp_path / "page.html")


def test_a_column_of_the_wrong_type_is_an_error_of_its_criterion_alone(tmp_path):
    design = replace(DESIGN, units=va.OneSlot("object"))
    words = va.Design("own.words", va.OneSlot("object"), {"plain": ()}, va.WordProbability())
    result = audited(
        tmp_path,
        GroundedToy(),
        test_good=(FINDING, replace(design, id="own.objects"), va.Mean("plain.p")),
        test_wrong=(FINDING, words, va.Mean("plain.answer")),
    )
    records = result.verdicts["toy-grounded"]
    assert records["own.good"].outcome != "error"
    assert records["own.wrong"].outcome == "error"
    assert "plain.answer" in records["own.wrong"].reason


@pytest.mark.parametrize(
    ("second", "kind"),
    [
        ((FINDING, replace(DESIGN, conditions={"plain": (Blank(),)}), va.Mean("plain.p")), "design 'own.match'"),
        ((replace(FINDING, claim="another"), DESIGN, va.Mean("plain.p")), "finding 'own'"),
    ],
)
def test_ids_that_mean_two_different_things_are_refused(tmp_path, second, kind):
    with pytest.raises(UsageError, match=f"two audits declare a {kind} that differ"):
        audited(tmp_path, GroundedToy(), test_one=(FINDING, DESIGN, va.Mean("plain.p")), test_two=second)


def test_two_criteria_of_one_name_are_refused():
    one, other = (module(test_x=(FINDING, DESIGN, va.Mean(column))) for column in ("plain.p", "plain.score"))
    with pytest.raises(UsageError, match=r"two audits declare a criterion 'own\.x' that differ"):
        vlaudit.audit(GroundedToy(), audits=[one, other], limit=4)


def test_a_class_is_no_model():
    """In a process of its own: in the tests the types of arguments are checked before."""
    code = "import vlaudit; from vlaudit.models.toy import GroundedToy; vlaudit.audit(GroundedToy)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (
        "UsageError: models: must be names or model adapters, got the class GroundedToy; call it first" in done.stderr
    )


def test_tests_in_classes_are_cases_and_skipped_ones_are_not():
    made = module(test_plain=(FINDING, DESIGN, va.Mean("plain.p")))
    held = vars(module(test_inside=(FINDING, DESIGN, va.Mean("plain.p"))))["test_inside"]
    skipped = vars(module(test_skipped=(FINDING, DESIGN, va.Mean("plain.p"))))["test_skipped"]
    made.TestOwn = type("TestOwn", (), {"test_inside": held, "test_skipped": pytest.mark.skip(skipped)})
    assert [case.name for case in cases_of(made)] == ["plain", "inside"]


def test_two_marks_on_one_test_are_refused():
    made = module(test_x=(FINDING, DESIGN, va.Mean("plain.p")))
    pytest.mark.audit(FINDING, DESIGN, va.Mean("plain.score"))(made.test_x)
    with pytest.raises(UsageError, match="one audit mark, got 2"):
        cases_of(made)


@pytest.mark.parametrize("arguments", [(FINDING, DESIGN), (DESIGN, FINDING, va.Mean("plain.p"))])
def test_a_mark_with_wrong_arguments_names_their_types(arguments):
    with pytest.raises(UsageError, match=r"got \((Finding, Design|Design, Finding, Mean)\)"):
        cases_of(module(test_x=arguments))


@dataclass(frozen=True)
class Refused:
    """Refuses all samples but a few, for several reasons."""

    kept: tuple[int, ...] = ()
    drawn_for = "image_id"

    def __call__(self, sample, rng):
        number = int(sample.image_id.split("-")[-1])
        if number in self.kept:
            return sample
        raise RefusedSample(sample.id, f"reason {min(number, 4)}")


@pytest.mark.parametrize("gate", [False, True])
def test_what_the_data_cannot_ask_is_not_applicable_with_the_three_most_common_reasons(tmp_path, gate):
    design = replace(DESIGN, conditions={"plain": (Refused(),)})
    result = audited(tmp_path, GroundedToy(), test_x=(FINDING, design, va.Mean("plain.p")), gate=gate)
    record = result.verdicts["toy-grounded"]["own.x"]
    assert record.outcome == "not applicable"
    assert record.reason == (
        "none of the 12 units can be measured in these data: 8 because reason 4; 1 because reason 0; 1 because reason 1"
    )
    assert result.document.findings[0].status == "not audited"
    assert not result.passed


def test_most_units_refused_by_the_data_are_no_error(tmp_path):
    design = replace(DESIGN, conditions={"plain": (Refused((1, 5, 7)),)})
    result = audited(tmp_path, GroundedToy(), test_x=(FINDING, design, va.Mean("plain.p")))
    assert result.verdicts["toy-grounded"]["own.x"].outcome in ("pass", "inconclusive")


@pytest.mark.parametrize("statistic", [va.Mean("plain.p"), va.Mean("plain.score"), va.BestOf("plain.p")])
def test_one_image_is_too_few_and_no_error(tmp_path, statistic):
    """A phrase type on exactly one image was an error of its criterion."""
    design = replace(DESIGN, conditions={"plain": (Refused((5,)),)})
    result = audited(tmp_path, GroundedToy(), test_x=(FINDING, design, statistic))
    record = result.verdicts["toy-grounded"]["own.x"]
    assert record.outcome == "inconclusive", record.reason
