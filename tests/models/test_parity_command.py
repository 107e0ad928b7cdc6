"""The parity command finds cases at any depth, and fails on every fault."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from parity.cases import GOLDENS, find_cases
from safetensors.torch import load_file, save_file

TEST = Path(__file__).parent / "test_parity.py"


@pytest.fixture
def copied(tmp_path):
    """Copy a golden case to a family and a name, with outputs added or replaced; an output of None is removed."""

    def copy(family, name, **outputs):
        folder = tmp_path / family / name
        shutil.copytree(GOLDENS / "albef" / "tiny_even", folder)
        path = folder / "outputs.safetensors"
        tensors = load_file(path) | outputs
        save_file({key: tensor for key, tensor in tensors.items() if tensor is not None}, path)
        return folder

    return copy


def run(goldens, cwd=None):
    """Run the command as a reader would, and return its exit code and what it wrote."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(TEST), "--goldens", str(goldens)]
    env = os.environ | {"CUDA_VISIBLE_DEVICES": ""}  # one test per tensor on every machine
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_case_is_found_from_itself_or_from_above(copied, tmp_path, monkeypatch):
    """The family is the folder above by absolute path, so `.` inside a case will do."""
    folder = copied("albef", "one")
    monkeypatch.chdir(folder)
    for start in (folder, tmp_path, ".", "..", Path("../../albef")):
        (case,) = find_cases(start)
        assert (case.family, case.folder.name, case.folder.is_absolute()) == ("albef", "one", True)


def test_a_linked_folder_keeps_the_name_it_is_given(copied, tmp_path):
    """A link called albef to a case's parent is family albef: what the caller names is what counts."""
    folder = copied("stored", "one")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "albef").symlink_to(folder.parent, target_is_directory=True)
    assert [case.family for case in find_cases(tmp_path / "linked")] == ["albef"]


def test_what_is_wrong_fails_and_the_rest_passes(copied, tmp_path):
    """Unknown tensors and families, wrong shapes, values and NaN, another alpha, no outputs: each one fails."""
    expected = load_file(GOLDENS / "albef" / "tiny_even" / "outputs.safetensors")
    copied(
        "albef",
        "spoilt",
        pooled_image=torch.zeros(3, 32),
        mlm_loss_hard=expected["mlm_loss_hard"].squeeze(),
        text_feat=expected["text_feat"] + 1e-4,
        itm_logits=torch.full((3, 2), torch.nan),
        **{"mlm_loss_distill_a0.9": expected["mlm_loss_distill_a0.4"]},
    )
    copied("albef_copy", "unknown", **dict.fromkeys(set(expected) - {"text_feat"}))
    (copied("albef", "silent") / "outputs.safetensors").unlink()
    code, text = run(".", cwd=tmp_path)
    failed = set(re.findall(r"^FAILED [^[]*\[(.*?)\]", text, flags=re.MULTILINE))
    assert failed == {
        *(f"albef/spoilt/{name}" for name in ("pooled_image", "mlm_loss_hard", "text_feat", "itm_logits")),
        "albef/spoilt/mlm_loss_distill_a0.9",
        "albef_copy/unknown/text_feat",
        "albef/silent/outputs.safetensors",
    }
    assert code == 1
    assert re.search(r"parity albef: 2 cases, 39 tensors, .*, 6 FAILED", text)


def test_a_folder_without_a_case_is_a_usage_error(tmp_path):
    """Exit code 4 and one message: the option, the folder, what a case is."""
    code, text = run(tmp_path)
    assert code == 4
    assert f"--goldens {tmp_path}: a parity case is a folder that holds checkpoint.pth" in text
