"""With vlaudit installed, a foreign project runs as before, and audits run in it."""

import pytest

pytest_plugins = ["pytester"]

AUDIT = """
import pytest
import vlaudit.authoring as va

FINDING = va.Finding("matching", "A caption fits its image.", "a test", "It does not.")
DESIGN = va.Design("matching", va.EverySample(), {"shown": ()}, va.MatchProbability())

@pytest.mark.audit(FINDING, DESIGN, va.Mean("shown.p"))
def test_accepted(judge):
    judge()
"""

DEMANDS = """
alpha = 0.05
[desirable.any.scenes.matching]
accepted = { at_least = 0.1, why = "a caption must be about something" }
"""

TAKES_DEVICE = """
def pytest_addoption(parser):
    parser.addoption("--device", default="theirs")
"""

READS_DEVICE = """
def test_device(request):
    assert request.config.getoption("--device") == "{device}"
"""

NAMED = ("--model", "toy-grounded", "--limit", "20", "--thresholds", "demands.toml")


@pytest.fixture
def project(pytester):
    """Return a function that runs a foreign project in this process, or with `apart` in another one."""
    pytester.path.joinpath("demands.toml").write_text(DEMANDS)

    def run(*options, files, apart=False):
        for name, text in files.items():
            path = pytester.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        start = pytester.runpytest_subprocess if apart else pytester.runpytest_inprocess
        return start("-p", "no:cacheprovider", *options)

    run.path = pytester.path
    return run


WITH_A_MODEL = {
    "conftest.py": """
import pytest

@pytest.fixture
def model():
    return "theirs"

@pytest.fixture(params=["a", "b"])
def judge(request):
    return request.param
""",
    "test_theirs.py": """
import pytest

def test_model(model):
    assert model == "theirs"

@pytest.mark.parametrize("model", [1, 2])
def test_models(model):
    assert model in (1, 2)

@pytest.mark.audit
def test_their_own_mark(model, judge):
    assert judge in "ab"

@pytest.mark.audit("a log", "of writes")
def test_their_own_mark_with_arguments(model):
    assert model == "theirs"
""",
}


@pytest.mark.parametrize("options", [(), ("-n", "2"), ("-p", "no:html"), NAMED[:2]], ids=" ".join)
def test_fixtures_and_marks_of_the_same_names_are_theirs(project, options):
    project(*options, files=WITH_A_MODEL).assert_outcomes(passed=6)


def test_only_audits_run_once_per_model(project):
    files = {**WITH_A_MODEL, "test_audit.py": AUDIT}
    del files["conftest.py"]
    files["test_theirs.py"] = (
        "import pytest\n@pytest.fixture\ndef model():\n    return 1\ndef test_one(model): assert model == 1"
    )
    done = project(*NAMED, "-v", files=files)
    done.assert_outcomes(passed=2)
    done.stdout.fnmatch_lines(["*test_audit.py::test_accepted[[]toy-grounded[]] PASSED*", "*::test_one PASSED*"])


@pytest.mark.parametrize("options", [(), ("-n", "2"), ("-p", "no:html")], ids=" ".join)
def test_an_option_of_a_conftest_keeps_its_name(project, options):
    """Ours is still there under its long name, and the other short names are ours."""
    files = {
        "conftest.py": TAKES_DEVICE,
        "test_audit.py": AUDIT,
        "test_theirs.py": READS_DEVICE.format(device="cpu"),
    }
    done = project("--device", "cpu", *NAMED, "--vlaudit-device", "cpu", *options, files=files)
    done.assert_outcomes(passed=2)
    done = project("--device", "tpu", *NAMED, "--vlaudit-device", "gpu", *options, files=files)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["*device (--device) must be auto*got 'gpu'*"])


FLAG = """
def pytest_addoption(parser):
    parser.addoption("--data", action="store_true")
"""
READS_FLAG = """
def test_flag(request):
    assert request.config.getoption("--data") is True
"""


@pytest.mark.parametrize("path", ["checks", "checks/test_theirs.py", "checks/test_theirs.py::test_flag"])
def test_a_path_after_a_flag_of_a_conftest_is_no_value_of_ours(project, path):
    files = {"checks/conftest.py": FLAG, "checks/test_theirs.py": READS_FLAG}
    project("--data", path, files=files).assert_outcomes(passed=1)
    project("--data", path, "--vlaudit-model", "toy-grounded", files=files).assert_outcomes(passed=1)


def test_an_option_of_a_conftest_alone(project):
    files = {"conftest.py": TAKES_DEVICE, "test_theirs.py": READS_DEVICE.format(device="theirs")}
    project(files=files).assert_outcomes(passed=1)


def test_an_option_of_a_deeper_conftest_does_not_clash(project):
    """Pytest loads it during collection, long after our options."""
    project(files={"a/b/conftest.py": TAKES_DEVICE, "a/b/test_theirs.py": "def test_it(): pass"}).assert_outcomes(
        passed=1
    )


@pytest.mark.parametrize("first", [True, False], ids=["loaded before ours", "loaded after ours"])
def test_an_option_of_another_plugin_keeps_its_name(project, first, monkeypatch):
    """`-p` loads a plugin before those that are installed, PYTEST_PLUGINS after them."""
    monkeypatch.syspath_prepend(project.path)
    files = {
        "other_plugin.py": TAKES_DEVICE,
        "test_audit.py": AUDIT,
        "test_theirs.py": READS_DEVICE.format(device="theirs"),
    }
    options = ("-p", "other_plugin") if first else ()
    if not first:
        monkeypatch.setenv("PYTEST_PLUGINS", "other_plugin")
    project(*NAMED, *options, files=files).assert_outcomes(passed=2)


def test_every_option_has_a_long_name(project):
    long = [part.replace("--", "--vlaudit-") for part in NAMED]
    project(*long, "--vlaudit-html", "a/page.html", "--vlaudit-json", "b/run.json", files={"test_audit.py": AUDIT})
    assert project.path.joinpath("a", "page.html").is_file()
    assert project.path.joinpath("b", "run.json").is_file()


def test_values_of_short_names_are_no_folders_of_tests(project):
    """Pytest looks for conftest.py files before it knows the short names: a value must not lead it astray."""
    files = {"conftest.py": TAKES_DEVICE, "data/conftest.py": "assert False", "test_audit.py": AUDIT}
    done = project("--device", "x", "--audit-json", "data", "--model=toy-grounded", files=files)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["*the report data cannot be written: it is a folder*"])


def test_the_help_lists_every_option_once(project):
    done = project("--help", files={"conftest.py": TAKES_DEVICE})
    assert done.ret == 0
    text = done.stdout.str()
    assert text.count("--vlaudit-model") == text.count("--vlaudit-device") == text.count("--device=DEVICE") == 1
    done.stdout.fnmatch_lines(["*--vlaudit-NAME may be written --NAME*"])


def test_a_package_called_fixtures_is_theirs(project):
    files = {
        "fixtures/__init__.py": "NAME = 'theirs'",
        "fixtures/model.py": "raise AssertionError('not ours to load')",
        "conftest.py": "from fixtures import NAME",
        "test_audit.py": AUDIT,
        "test_theirs.py": "from fixtures import NAME\ndef test_it(): assert NAME == 'theirs'",
    }
    project(*NAMED, files=files, apart=True).assert_outcomes(passed=2)


@pytest.mark.parametrize("options", [(), ("-n", "2"), ("-p", "no:html")], ids=" ".join)
def test_audits_without_a_model_are_one_message(project, options):
    done = project(*options, files={"test_audit.py": AUDIT, "test_theirs.py": "def test_it(): pass"})
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    said = done.stdout.str() + done.stderr.str()
    assert said.count("name one with --model") == 1
    assert "Traceback" not in said
    project("-m", "not audit", *options, files={}).assert_outcomes(passed=1, deselected=None if "-n" in options else 1)


def test_pytest_htmls_own_page_is_its_own(project):
    """It names the verdict and our page, which is written without it too."""
    done = project(*NAMED, "--html", "theirs.html", "--self-contained-html", files={"test_audit.py": AUDIT})
    done.assert_outcomes(passed=1)
    theirs = project.path.joinpath("theirs.html").read_text()
    assert "vlaudit: Holds: the one criterion passed. Report: " in theirs
    assert "data-jsonblob" in theirs
    ours = project.path / "reports" / "toy-grounded.html"
    ours.unlink()
    project(*NAMED, "-p", "no:html", files={}).assert_outcomes(passed=1)
    assert "Appendix" in ours.read_text()


def test_the_appendix_has_the_columns_that_hooks_of_pytest_html_add(project):
    files = {
        "conftest.py": """
def pytest_html_results_table_header(cells):
    cells.insert(1, "<th>Owner</th>")

def pytest_html_results_table_row(report, cells):
    cells.insert(1, "<td>us</td>")
""",
        "test_audit.py": AUDIT,
    }
    project(*NAMED, files=files).assert_outcomes(passed=1)
    page = project.path.joinpath("reports", "toy-grounded.html").read_text()
    assert "<th>Result</th><th>Owner</th>" in page
    assert '<td class="col-result">Passed</td><td>us</td>' in page
