"""The pytest plugin, registered by its `pytest11` entry point and in no other way.

Hooks hand over to plain functions; nothing is imported here that a run without `--model` does not need.
"""

from __future__ import annotations

import pytest

from vlaudit.errors import VlauditError
from vlaudit.plugin.options import MODELS, add_options, selection


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of a run."""
    add_options(parser)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Load what was asked for before anything is collected: a wrong option or file is a usage error (exit code 4)."""
    if session.config.option.collectonly:
        return
    try:
        asked = selection(session.config)
        if asked:
            from vlaudit.plugin.models import load_models  # noqa: PLC0415 (torch is loaded only where needed)

            session.config.stash[MODELS] = load_models(asked)
    except VlauditError as error:
        raise pytest.UsageError(str(error)) from None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run whatever asks for `model` once a family; ids hold the family, never the path."""
    if "model" not in metafunc.fixturenames:
        return
    names = list(metafunc.config.getoption("model"))
    if not names:
        raise pytest.UsageError(f"{metafunc.definition.nodeid} audits a model: name one with --model, such as albef")
    metafunc.parametrize("model", names, indirect=True, scope="session")
