"""The pytest plugin, registered by its `pytest11` entry point and in no other way.

Hooks hand over to plain functions; nothing is imported here that a run without `--model` does not need.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Generator
from typing import Any

import pytest

from vlaudit.errors import VlauditError
from vlaudit.execution.paused_gc import paused_gc
from vlaudit.openmp import use_passive_wait
from vlaudit.plugin.options import OPTIONS, add_options, families, read_options, unfinished


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of a run."""
    add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known; read the options, and tell pytest-html where to write before it looks."""
    config.addinivalue_line(
        "markers", "audit(finding, design): the finding that a test judges, and the design it reads"
    )
    if config.option.collectonly:
        return
    try:
        options = read_options(config)
    except VlauditError as error:
        raise pytest.UsageError(str(error)) from None
    if options is not None:
        config.stash[OPTIONS] = options
        use_passive_wait()
        _name_fixtures(config)
        if not hasattr(config, "workerinput"):  # a worker of pytest-xdist writes no report
            config.option.htmlpath = str(unfinished(options.html))
            config.option.self_contained_html = True


def _name_fixtures(config: pytest.Config) -> None:
    """Load the fixtures of an audit where no conftest.py names them: inside a wheel, beside the package in a clone."""
    for name in ("vlaudit.fixtures", "fixtures"):
        if importlib.util.find_spec(name) is not None:
            config.pluginmanager.import_plugin(f"{name}.model")
            return


def pytest_sessionstart(session: pytest.Session) -> None:
    """Load and check all that was asked for before anything is collected; a mistake is a usage error, exit code 4."""
    options = session.config.stash.get(OPTIONS, None)
    if options is None:
        return
    try:
        with paused_gc():
            from vlaudit.plugin.session import AuditSession  # noqa: PLC0415 (torch is loaded only where needed)

            audit = AuditSession.begin(options, session.config)
    except VlauditError as error:
        raise pytest.UsageError(str(error)) from None
    session.config.pluginmanager.register(audit, "vlaudit-session")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run whatever asks for a model once a family; ids hold the family, never the path."""
    if "model" not in metafunc.fixturenames:
        return
    try:
        names = families(metafunc.config)
    except VlauditError as error:
        raise pytest.UsageError(str(error)) from None
    if not names:
        raise pytest.UsageError(f"{metafunc.definition.nodeid} audits a model: name one with --model, such as albef")
    metafunc.parametrize("model", names, indirect=True, scope="session")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Generator[None, Any, pytest.TestReport]:
    """Let a verdict travel with the reports of its test."""
    if call.when == "call" and item.get_closest_marker("audit") is not None:
        from vlaudit.plugin.outcomes import attach  # noqa: PLC0415 (as above)

        attach(item, call.duration)
    report: pytest.TestReport = yield
    return report
