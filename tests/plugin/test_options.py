"""A mistake on the command line is one message and exit code 4, before anything is collected."""

import subprocess
import sys
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[1] / "goldens" / "albef" / "tiny_even" / "checkpoint.pth"

pytest_plugins = ["pytester"]


AUDIT = """
import pytest
import vlaudit.authoring as va

FINDING = va.Finding("answers", "It answers.", "a test", "It does not.")
DESIGN = va.Design("answers", va.EverySample(), {"shown": ()}, va.MatchProbability())

@pytest.mark.audit(FINDING, DESIGN, va.Mean("shown.p"))
def test_it_answers(model):
    assert model.vocabulary is not None
"""


@pytest.fixture
def audit(pytester):
    """Return a function that runs pytest in a folder with one audit."""
    pytester.makepyfile(test_one=AUDIT)
    return lambda *options: pytester.runpytest_inprocess("-p", "no:cacheprovider", *options)


def test_an_audit_runs_once_per_model_and_its_id_holds_the_family(audit):
    done = audit("--model", "albef", "--model", "toy-blind", "--checkpoint", f"albef={GOLDEN}", "-v")
    done.assert_outcomes(passed=2)
    done.stdout.fnmatch_lines(["*test_it_answers[[]albef[]] PASSED*", "*test_it_answers[[]toy-blind[]] PASSED*"])


def test_a_bare_path_belongs_to_the_only_model(audit):
    audit("--model", "albef", "--checkpoint", str(GOLDEN)).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--model", "albeff"), "*--model albeff: there is no such family: did you mean albef*"),
        (("--model", "albef", "--checkpoint", "none.pth"), "*checkpoint none.pth: there is no such file*"),
        (("--model", "albef", "--model", "albef"), "*--model albef is given twice*"),
        (("--model", "albef", "--checkpoint", "uniter=x.pt"), "*no model named uniter runs (--model: albef)*"),
        (("--checkpoint", "x.pth"), "*--checkpoint x.pth: 0 models run; name the model with --model*"),
        (
            ("--model", "albef", "--model", "toy-blind", "--checkpoint", "x.pth"),
            "*2 models run; write albef=PATH*",
        ),
        (("--model", "toy-blind", "--checkpoint", "x.pth"), "*toy-blind has no weights; drop the option*"),
        (("--model", "albef", "--checkpoint", "a.pth", "--checkpoint", "b.pth"), "*albef has one already (a.pth)*"),
        (("--model", "albef", "--checkpoint", str(GOLDEN), "--device", "tpu"), "*device (--device) must be auto*"),
    ],
)
def test_a_wrong_option_is_a_usage_error(audit, options, message):
    done = audit(*options)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines([message])
    done.stdout.no_fnmatch_line("*Traceback*")
    done.stderr.no_fnmatch_line("*Traceback*")


def test_an_audit_without_a_model_says_how_to_name_one(audit):
    done = audit()
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["ERROR: test_one.py::test_it_answers audits a model: name one with --model*"])
    done.stdout.no_fnmatch_line("*Traceback*")


def test_an_adapter_of_ones_own_is_called_by_its_name(audit, pytester):
    pytester.makepyfile(
        mine="from vlaudit.models.toy import GroundedToy\nclass Adapter(GroundedToy):\n    name = 'mine'"
    )
    done = audit("--model", "./mine.py:Adapter", "-v")
    done.assert_outcomes(passed=1)
    done.stdout.fnmatch_lines(["*test_it_answers[[]mine[]] PASSED*"])


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=" ".join)
def test_a_misspelt_column_is_one_message_before_anything_runs(audit, pytester, workers):
    pytester.makepyfile(test_one=AUDIT.replace("shown.p", "shwn.p"))
    done = audit("--model", "toy-blind", *workers)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["ERROR: answers.it_answers: *reads the column 'shwn.p'*did you mean shown.p*"])
    done.stdout.no_fnmatch_line("*Traceback*")


def test_an_incomplete_mark_is_one_message(audit, pytester):
    pytester.makepyfile(test_one=AUDIT.replace(', va.Mean("shown.p")', ""))
    done = audit("--model", "toy-blind")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["ERROR: *its mark must be @pytest.mark.audit(FINDING, DESIGN, STATISTIC)*"])


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ('not_four={"single-stream": "it is one"}', "has no argument 'not_four': did you mean not_for?"),
        ('not_for="single-stream"', "not_for must map architectures to reasons, got 'single-stream'"),
    ],
)
def test_a_wrong_argument_of_a_mark_names_the_test(audit, pytester, argument, message):
    pytester.makepyfile(test_one=AUDIT.replace('va.Mean("shown.p"))', f'va.Mean("shown.p"), {argument})'))
    done = audit("--model", "toy-blind")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: test_one.py::test_it_answers: {'its audit mark ' * message.startswith('has')}{message}" in str(
        done.stderr
    )


OWN_PARAMETERS = {
    "a fixture": (AUDIT, "import pytest\n@pytest.fixture(params=[1, 2])\ndef model(request): return request.param"),
    "a mark": (AUDIT.replace("\ndef test_", '\n@pytest.mark.parametrize("model", [1, 2])\ndef test_'), ""),
}


@pytest.mark.parametrize("own", OWN_PARAMETERS)
def test_a_model_with_parameters_of_its_own_is_one_message(audit, pytester, own):
    text, conftest = OWN_PARAMETERS[own]
    pytester.makepyfile(test_one=text)
    pytester.makeconftest(conftest)
    done = audit("--model", "toy-blind")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["ERROR: test_one.py::test_it_answers: an audit gets its models from --model, but *"])
    done.stdout.no_fnmatch_line("*Traceback*")


def test_an_error_in_an_adapter_of_ones_own_is_one_message_with_its_line(audit, pytester):
    pytester.makepyfile(mine="import os\nimport no_such_module")
    done = audit("--model", "mine.py:Adapter")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["ERROR: *mine.py, line 2: ModuleNotFoundError: No module named 'no_such_module'"])
    done.stderr.no_fnmatch_line("*Traceback*")


def test_the_shipped_audits_without_a_model_are_one_message(pytester):
    """From the root of the clone, and by their name in the package from anywhere."""
    root = Path(__file__).parents[2]
    for place, arguments in ((root, ["audits/"]), (pytester.path, ["--pyargs", "vlaudit.audits"])):
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
        assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout
        assert done.stderr.count("name one with --model") == 1
        assert "Traceback" not in done.stdout + done.stderr


def test_collecting_loads_nothing(audit):
    done = audit("--collect-only", "-q", "--model", "albef", "--checkpoint", "none.pth")
    assert done.ret == 0
    done.stdout.fnmatch_lines(["*test_it_answers[[]albef[]]"])
