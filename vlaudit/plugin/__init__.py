"""The pytest plugin, registered by its `pytest11` entry point only.

Hooks call plain functions. A run without `--model` imports nothing heavy and changes no test.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from vlaudit.errors import VlauditError
from vlaudit.execution.paused_gc import paused_gc
from vlaudit.openmp import use_passive_wait
from vlaudit.plugin.errors import raise_error_of, stop
from vlaudit.plugin.options import NAMES, OPTIONS, add_options, add_short_names, paths_among, read_names, read_options


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of a run."""
    add_options(parser)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None, None, None]:
    """Add the short names of the options after every conftest.py has added its own."""
    early_config.known_args_namespace.file_or_dir[:] = paths_among(args, early_config, parser)
    try:
        yield
    finally:
        add_short_names(parser, args)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the mark; where a model is named, read the options and register the fixtures."""
    config.addinivalue_line(
        "markers", "audit(finding, design): the finding that a test judges, and the design it reads"
    )
    try:
        config.stash[NAMES] = read_names(config)
        options = None if config.option.collectonly else read_options(config)
    except VlauditError as error:
        raise pytest.UsageError(str(error)) from None
    if config.stash[NAMES]:
        _register_fixtures(config)
    if options is not None:
        config.stash[OPTIONS] = options
        use_passive_wait()


def _register_fixtures(config: pytest.Config) -> None:
    """Load `fixtures/model.py`, inside a wheel or next to the package in a clone, under a name that only we have."""
    package = Path(__file__).parents[1]
    candidates = (folder / "fixtures" / "model.py" for folder in (package, package.parent))
    spec = importlib.util.spec_from_file_location(
        "vlaudit_fixtures", next(path for path in candidates if path.is_file())
    )
    assert spec is not None  # noqa: S101 (a .py file has one)
    assert spec.loader is not None  # noqa: S101 (as above)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config.pluginmanager.register(module, "vlaudit-fixtures")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Load and check everything before collection; a mistake is a usage error, exit code 4."""
    options = session.config.stash.get(OPTIONS, None)
    if options is None:
        return
    try:
        with paused_gc():
            from vlaudit.plugin.session import AuditSession  # noqa: PLC0415 (torch is loaded only where needed)

            audit = AuditSession.begin(*options, session.config)
    except VlauditError as error:
        raise pytest.UsageError(str(error)) from None
    session.config.pluginmanager.register(audit, "vlaudit-session")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each audit once per model; ids hold the name of the model, never its path."""
    names = list(metafunc.config.stash[NAMES].values())
    if names and "model" in metafunc.fixturenames and is_audit(metafunc.definition):
        metafunc.parametrize("model", names, indirect=True, scope="session")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse to run audits without a model."""
    if session.config.stash[NAMES] or session.config.option.collectonly:
        return
    audits = [item for item in session.items if is_audit(item)]
    if audits:
        others = f" and {len(audits) - 1} more tests audit" if audits[1:] else " audits"
        stop(
            session,
            f"{audits[0].nodeid}{others} a model: name one with --model, such as --model albef, "
            "or leave audits out with -m 'not audit'",
        )


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Raise the usage error of a worker of pytest-xdist."""
    raise_error_of(node)


def is_audit(item: pytest.Item) -> bool:
    """Return whether a test, or one of its parameter sets, has the mark of an audit: `audit` with a finding."""
    findings = sys.modules.get("vlaudit.findings")  # no mark has a finding if this was never imported
    if findings is None:
        return False
    sets = [value for mark in item.iter_markers("parametrize") for value in mark.args[1:2]]
    marks = [
        mark
        for values in sets
        if isinstance(values, list | tuple)
        for one in values
        for mark in getattr(one, "marks", ())
    ]
    marks += item.iter_markers()
    return any(mark.name == "audit" and isinstance(arg, findings.Finding) for mark in marks for arg in mark.args)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Generator[None, Any, pytest.TestReport]:
    """Add the verdict to the properties of its test, so that it travels with the report."""
    judges = call.when == "call" and bool(item.config.stash[NAMES]) and is_audit(item)
    if judges:
        from vlaudit.plugin.outcomes import attach, fail_unjudged  # noqa: PLC0415 (as above)

        attach(item, call.duration)
    report: pytest.TestReport = yield
    if judges:
        fail_unjudged(item, report)
    return report
