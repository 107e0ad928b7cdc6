"""The pytest plugin, registered by its `pytest11` entry point only.

Hooks call plain functions. A run without `--model` imports nothing heavy and changes no test.
"""

from __future__ import annotations

import gc
import importlib.util
import signal
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from vlaudit.errors import VlauditError
from vlaudit.execution.paused_gc import paused_gc
from vlaudit.openmp import use_passive_wait
from vlaudit.plugin.errors import raise_error_of, stop
from vlaudit.plugin.marks import CONFLICTS, is_audit, parametrized_elsewhere
from vlaudit.plugin.options import NAMES, OPTIONS, add_options, add_short_names, paths_among, read_names, read_options
from vlaudit.plugin.shipped_audits import locate_shipped_audits


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of a run."""
    add_options(parser)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None, None, None]:
    """Add the short names of the options after every conftest.py has added its own."""
    locate_shipped_audits(args, early_config)
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
    config.stash[CONFLICTS] = []
    if options is not None:
        config.stash[OPTIONS] = options
        use_passive_wait()
        config.add_cleanup(gc.unfreeze)  # cleanups run in reverse: after the last collection of pytest's own


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
    if not hasattr(session.config, "workerinput"):
        _end_on_sigterm(session.config)


def _end_on_sigterm(config: pytest.Config) -> None:
    """End a run that receives SIGTERM (a cancelled job) as Ctrl-C does: with a report of what was judged."""
    unhandled = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if unhandled and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _interrupt)
        config.add_cleanup(_restore_sigterm)


def _restore_sigterm() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _interrupt(number: int, _frame: object) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each audit once per model; ids hold the name of the model, never its path."""
    names = list(metafunc.config.stash[NAMES].values())
    if not names or "model" not in metafunc.fixturenames or not is_audit(metafunc.definition):
        return
    if place := parametrized_elsewhere(metafunc):
        metafunc.config.stash[CONFLICTS].append(
            f"{metafunc.definition.nodeid}: an audit gets its models from --model, but {place} has parameters too; "
            "rename that fixture or argument"
        )
        return
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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Generator[None, Any, pytest.TestReport]:
    """Add the verdict to the properties of its test, so that it travels with the report."""
    judges = call.when == "call" and bool(item.config.stash[NAMES]) and is_audit(item)
    if judges:
        from vlaudit.plugin.outcomes import attach, fail_unjudged, text_of  # noqa: PLC0415 (as above)

        attach(item, call.duration)
    report: pytest.TestReport = yield
    if judges:
        fail_unjudged(item, report)
        report.vlaudit = text_of(item)  # type: ignore[attr-defined]  # reports of a worker arrive with their attributes
    return report
