"""Settings of the tests, stricter than those of a run.

Array annotations are checked at run time, a warning is an error, and Hypothesis never judges by time.
"""

import os
from pathlib import Path
from unittest.mock import patch

import _pytest.pytester
import hypothesis
import jaxtyping
import pytest

TESTS = Path(__file__).parent

# Doctests are not collected in these: outside packages, two of the same name cannot be imported.
collect_ignore_glob = ["*conftest.py"]

# Every package with arrays; the plugin has none, and its generator hooks must stay generators.
ROOMS = [
    f"vlaudit.{path.stem}"
    for path in sorted((TESTS.parent / "vlaudit").iterdir())
    if path.stem not in {"plugin", "py"} and not path.name.startswith("_") and (path.is_dir() or path.suffix == ".py")
]

# Acts on modules that are imported from here on. An int is a float, as type checkers have it (PEP 484).
jaxtyping.install_import_hook(ROOMS, "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")

hypothesis.settings.register_profile("vlaudit", deadline=None, derandomize=os.environ.get("CI", "").lower() == "true")
hypothesis.settings.load_profile("vlaudit")


COMPILED = {"matplotlib", "numpy", "pandas", "polars", "scipy", "sklearn", "torch", "transformers"}
"""Packages that a process can import only once."""


@pytest.fixture(scope="session", autouse=True)
def _compiled_packages_stay():
    """Keep what a pytester run imports of these packages: it forgets all modules that it imported."""
    forgetting = _pytest.pytester.SysModulesSnapshot

    def snapshot(preserve=None):
        return forgetting(lambda name: name.partition(".")[0] in COMPILED or bool(preserve and preserve(name)))

    with patch.object(_pytest.pytester, "SysModulesSnapshot", snapshot):
        yield


def pytest_addoption(parser):
    parser.addoption(
        "--goldens",
        metavar="DIR",
        help="folder of official outputs that the parity tests compare with (default: tests/goldens)",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Make warnings errors below tests/; first in the list, so that a test's own marks still relax it."""
    for item in items:
        if TESTS in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("error"), append=False)
