"""docs/reference.md equals the output of `vlaudit reference` and describes every public name."""

import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from vlaudit import authoring
from vlaudit.__main__ import main
from vlaudit.findings import Outcome
from vlaudit.reference import EXIT_CODES, VERDICTS

PAGE = Path(__file__).parents[2] / "docs" / "reference.md"


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_the_page_does_not_depend_on_the_hash_seed(hash_seed):
    command = [sys.executable, "-m", "vlaudit", "reference"]
    done = subprocess.run(command, capture_output=True, check=True, env={**os.environ, "PYTHONHASHSEED": hash_seed})
    assert done.stdout.decode() == PAGE.read_text(encoding="utf-8")


def test_the_page_is_what_the_command_prints(capsys):
    assert main(["reference"]) == 0
    printed = capsys.readouterr().out
    assert PAGE.read_text(encoding="utf-8") == printed, "run: vlaudit reference > docs/reference.md"


@pytest.mark.parametrize("name", authoring.__all__)
def test_every_name_for_audits_is_described_once(name):
    entries = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(f"- `{name}")]
    described = [line for line in entries if line[len(f"- `{name}")] in "(`"]
    assert len(described) == 1
    assert ": " in described[0]


def test_all_verdicts_are_described():
    assert set(VERDICTS) == set(get_args(Outcome))


def test_all_exit_codes_are_described():
    assert {int(code) for code in pytest.ExitCode} <= set(EXIT_CODES)
