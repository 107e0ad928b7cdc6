"""Progress reaches the terminal although pytest captures the output of tests."""

pytest_plugins = ["pytester"]

TEST = """
from vlaudit.plugin.terminal import Terminal

def test_it(request):
    print("kept")
    stream = Terminal(request.config)
    assert not stream.isatty()
    stream.write("12/40 passes\\n")
"""


def test_a_line_reaches_standard_error_from_inside_a_test(pytester):
    pytester.makepyfile(TEST)
    done = pytester.runpytest_subprocess("-p", "no:vlaudit")
    done.assert_outcomes(passed=1)
    done.stderr.fnmatch_lines(["12/40 passes"])
    assert "kept" not in done.stdout.str() + done.stderr.str()


def test_without_capture_the_line_is_written_unchanged(pytester):
    pytester.makepyfile(TEST)
    done = pytester.runpytest_subprocess("-p", "no:vlaudit", "-s")
    done.stderr.fnmatch_lines(["12/40 passes"])
