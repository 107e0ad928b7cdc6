"""The pytest plugin, registered by its `pytest11` entry point and in no other way.

Hooks hand over to plain functions; nothing is imported here that a run without `--model` does not need.
"""

from __future__ import annotations

import pytest

from vlaudit.errors import VlauditError
from vlaudit.plugin.options import add_options, read_options


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of a run."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line(
        "markers", "audit(finding, design): the finding that a test judges, and the design it reads"
    )


def pytest_sessionstart(session: pytest.Session) -> None:
    """Load and check all that was asked for before anything is collected; a mistake is a usage error, exit code 4."""
    if session.config.option.collectonly:
        return
    try:
        options = read_options(session.config)
        if options is not None:
            from vlaudit.plugin.run import RUN, Run  # noqa: PLC0415 (torch is loaded only where needed)

            session.config.stash[RUN] = Run.prepare(options)
    except VlauditError as error:
        raise pytest.UsageError(str(error)) from None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run whatever asks for a model once a family; ids hold the family, never the path."""
    if "model" not in metafunc.fixturenames:
        return
    names = list(metafunc.config.getoption("model"))
    if not names:
        raise pytest.UsageError(f"{metafunc.definition.nodeid} audits a model: name one with --model, such as albef")
    metafunc.parametrize("model", names, indirect=True, scope="session")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Note what the tests that were not deselected need."""
    if session.config.getoption("model") and not session.config.option.collectonly:
        from vlaudit.plugin.run import RUN  # noqa: PLC0415 (as above)

        session.config.stash[RUN].select(session.items)
