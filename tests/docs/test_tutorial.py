"""Every block of the tutorial runs unchanged, in an empty folder, in the order of the page."""

import re
import runpy
import shlex
from pathlib import Path

import pytest

import vlaudit.auditing.api  # modules must not be imported twice, as runs inside this process would
import vlaudit.authoring
import vlaudit.datasets.scenes
import vlaudit.models.albef.loading
import vlaudit.models.toy
import vlaudit.plugin.session  # noqa: F401
from vlaudit.__main__ import main
from vlaudit.errors import CheckpointError
from vlaudit.models.bundled import bundled_checkpoint
from vlaudit.thresholds import read_thresholds

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
FEW = "6"  # samples for commands that name no --limit; a later --limit wins

NEEDS_ALBEF = "--model albef"
OWN = "pytest test_color_words.py --model"
WITH = "--thresholds demands.toml --limit 100"
OUTCOMES = {
    f"{OWN} toy-grounded {WITH}": {"passed": 1},
    f"{OWN} toy-blind {WITH}": {"failed": 1},
    f"{OWN} toy-blind {WITH} --seed 1": {"xfailed": 1},
    f"pytest test_dark.py --model toy-grounded {WITH}": {"passed": 1},
    "pytest test_mine.py": {"passed": 14, "skipped": 9},
}
"""Outcomes of commands that the page states."""

RUNS = {
    "pytest --pyargs vlaudit.audits --model albef",
    "pytest --pyargs vlaudit.audits --model albef --expect published",
    "pytest --pyargs vlaudit.audits --model albef --gate --junitxml=audit.xml",
    f"{OWN} ./mine.py:Adapter {WITH}",
    "pytest --pyargs vlaudit.audits --model ./mine.py:Adapter",
}
"""Commands whose verdicts depend on the model or on the small number of samples: they must run and judge."""


def commands():
    return [line for kind, text in BLOCKS if kind == "bash" for line in text.splitlines()]


def has_albef():
    try:
        return bundled_checkpoint("albef").is_file()
    except CheckpointError:
        return False


@pytest.fixture
def folder(pytester):
    """An empty folder, with vlaudit installed as the README installs it."""
    return pytester


def test_the_page_holds_the_commands_that_are_checked_here():
    typed = {line for line in commands() if line.startswith("pytest ")}
    assert typed == {*OUTCOMES, *RUNS}


def test_every_block_runs_unchanged(folder, capsys):
    for kind, text in BLOCKS:
        if kind == "bash":
            for line in text.splitlines():
                typed(line, folder, capsys)
        else:
            written(text, folder.path)


def written(text, folder):
    """Write the file named in the first line, or append to it."""
    name, at_end = re.fullmatch(r"# (\S+?)(, at its end)?", text.partition("\n")[0]).groups()
    with (folder / name).open("a" if at_end else "x", encoding="utf-8") as file:
        file.write(text)


def typed(line, folder, capsys):
    program, *arguments = shlex.split(line)
    if program == "python":
        namespace = runpy.run_path(str(folder.path / arguments[0]))
        assert namespace["result"].passed
        assert (folder.path / "toy.html").is_file()
        return
    assert program == "pytest"
    if NEEDS_ALBEF in line and not has_albef():
        return
    done = folder.runpytest_inprocess("-p", "no:cacheprovider", "--limit", FEW, *arguments)
    assert done.ret in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED), line
    done.stdout.no_fnmatch_line("*Traceback*")
    if line in OUTCOMES:
        done.assert_outcomes(**OUTCOMES[line])
    else:
        done.stdout.fnmatch_lines(["*report: *.html"])
        assert sum(done.parseoutcomes().values()) > 0


def test_the_audit_has_25_lines_and_the_adapter_40():
    """An audit and an adapter of one's own stay short."""
    lengths = {text.partition("\n")[0]: text.count("\n") for kind, text in BLOCKS if kind == "python"}
    assert lengths["# test_color_words.py"] <= 25
    assert lengths["# mine.py"] <= 40


def test_thresholds_that_ship_are_a_file_that_can_be_given_back(folder, capsys):
    """The output of `python -m vlaudit thresholds` is a valid file, also with a table of one's own at its end."""
    assert main(["thresholds"]) == 0
    own = folder.path / "own.toml"
    mine = '[desirable.any.any.mine]\nheld = { at_least = 0.5, why = "a reason is given" }\n'
    own.write_text(capsys.readouterr().out + mine, encoding="utf-8")
    named = {"architecture": "cross-attention"}
    shipped, more = (read_thresholds(path).count("albef", "scenes", "desirable", **named) for path in (None, own))
    assert more == shipped + 1
