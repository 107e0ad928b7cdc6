"""The wheel contains exactly the files that a user without a clone needs."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    pytest.importorskip("hatchling", reason="hatchling builds the wheel: install the dev extra")
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = out.glob("vlaudit-*.whl")
    with zipfile.ZipFile(built) as file:
        yield file


def tracked(folder):
    """Return the data files of a folder as listed by git; skip without git."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", folder],  # noqa: S607 (git, wherever it is)
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("the files are listed by git, and this is no clone")
    return set(listed.stdout.splitlines())


def test_the_wheel_contains_every_file_of_the_library(wheel):
    assert tracked("vlaudit") <= set(wheel.namelist())


@pytest.mark.parametrize("folder", ["audits", "fixtures"])
def test_the_wheel_contains_audits_and_bundled_models_inside_the_package(wheel, folder):
    """Weights and cards too: `pytest --pyargs vlaudit.audits --model albef` needs no clone."""
    assert {f"vlaudit/{path}" for path in tracked(folder)} <= set(wheel.namelist())


def test_the_wheel_is_marked_as_typed(wheel):
    assert "vlaudit/py.typed" in wheel.namelist()


def test_the_wheel_contains_nothing_else(wheel):
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"vlaudit"}
    assert not [name for name in wheel.namelist() if "__pycache__" in name or name.startswith("vlaudit/tests")]


def test_the_plugin_is_registered_by_its_entry_point(wheel):
    (points,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert "[pytest11]\nvlaudit = vlaudit.plugin" in wheel.read(points).decode()


def test_its_metadata_state_the_licence_and_the_command(wheel):
    (metadata,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    folder = metadata.rpartition("/")[0]
    assert "License-Expression: Apache-2.0\n" in wheel.read(metadata).decode()
    assert wheel.read(f"{folder}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    assert "vlaudit = vlaudit.__main__:main" in wheel.read(f"{folder}/entry_points.txt").decode()
