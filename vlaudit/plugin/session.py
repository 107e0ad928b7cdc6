"""The hooks of a session that audits; registered once everything that was asked for is loaded."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from pytest_html.basereport import BaseReport

from vlaudit.auditing.cases import cases_of, names_of
from vlaudit.auditing.options import Options
from vlaudit.auditing.record import Ledger, drawn_by
from vlaudit.auditing.run import Run
from vlaudit.errors import VlauditError
from vlaudit.plugin.options import unfinished
from vlaudit.plugin.outcomes import RUN, audited, case_of
from vlaudit.plugin.uncaptured import Uncaptured
from vlaudit.reporting.document import RunDocument
from vlaudit.reporting.files import check_writable
from vlaudit.reporting.html import finish, render_sections, report_title
from vlaudit.reporting.terminal import verdict_table


class AuditSession:
    """One session in one process: the controller, which writes the report, or a worker of pytest-xdist."""

    def __init__(self, run: Run, config: pytest.Config) -> None:
        self.run, self.config = run, config
        self.ledger = Ledger(run, " ".join(["pytest", *map(str, config.invocation_params.args)]))
        run.stream = Uncaptured(config)
        self.is_worker = hasattr(config, "workerinput")
        self._page = unfinished(run.options.html)
        self._document: RunDocument | None = None
        self._report: str | None = None

    @classmethod
    def begin(cls, options: Options, config: pytest.Config) -> AuditSession:
        """Check where reports go, load what was asked for, and tell pytest-html where to write."""
        for path in (options.html, _json_path(options)):
            check_writable(path)
        is_worker = hasattr(config, "workerinput")
        elsewhere = not is_worker and getattr(config.option, "dist", "no") != "no"  # workers of pytest-xdist audit
        session = cls(Run.prepare(options, elsewhere=elsewhere, checked=is_worker), config)
        config.stash[RUN] = session.run
        if not session.is_worker:
            config.option.htmlpath = str(session._page)
            config.option.self_contained_html = True
        return session

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Check the names in the thresholds file, before any test is deselected."""
        try:
            audits = [item for item in items if isinstance(item, pytest.Function) and audited(item) is not None]
            # A test that is selected by its id comes without the other cases of its module.
            declared = [case for module in {item.module for item in audits} for case in cases_of(module)]
            self.run.thresholds.check_names(names_of([*declared, *map(case_of, audits)]))
        except (VlauditError, TypeError, ValueError) as error:
            raise pytest.UsageError(str(error)) from None

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note what the tests that were not deselected need."""
        try:
            self.run.select(case for item in session.items if (case := audited(item)) is not None)
        except VlauditError as error:
            raise pytest.UsageError(str(error)) from None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write down the verdicts, wherever they fell."""
        if report.when == "call" and not self.is_worker:
            self.ledger.note(report.user_properties)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        """Draw what was measured here, let pytest-html write, and finish its page before the terminal sums up."""
        drawn = drawn_by(self.run)
        if self.is_worker:
            self.config.workeroutput["vlaudit"] = drawn  # type: ignore[attr-defined]  # pytest-xdist's
        self.ledger.receive(drawn)
        if self.run.options.gate and not self.ledger.judged and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        yield
        if self.is_worker:
            return
        if self.ledger.filled:
            self._document = self.ledger.document()
            self._document.to_json(_json_path(self.run.options))
            self._report = self._finished()
        else:  # no verdict fell: there is nothing to report, and an earlier report stays
            self._silence_pytest_html()
            self._page.unlink(missing_ok=True)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        """Send all audits of a model to one worker, so that its passes run once; a --dist of the user's own stays."""
        if config.option.dist != "load":
            return None
        from vlaudit.plugin.workers import ByModel  # noqa: PLC0415 (pytest-xdist need not be installed)

        return ByModel(config, log, list(self.run.models))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a worker has drawn."""
        self.ledger.receive(getattr(node, "workeroutput", {}).get("vlaudit", {}))

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_report_title(self, report: Any) -> None:
        """Name the report."""
        report.title = report_title(list(self.run.models))

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_summary(self, prefix: list[str]) -> None:
        """Put our sections into pytest-html's page."""
        prefix.append(render_sections(self.ledger.document(), self.ledger.exhibits))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the verdicts."""
        if self._document is not None:
            terminalreporter.section("audit")
            for line in verdict_table(self._document, report=self._report):
                terminalreporter.write_line(line)

    def _finished(self) -> str | None:
        """Return the path of the finished report, or None where pytest-html wrote none (`-p no:html`)."""
        if not self._page.is_file():
            return None
        self._silence_pytest_html()
        try:
            finish(self._page, self.run.options.html)
        except VlauditError as error:
            warnings.warn(pytest.PytestWarning(str(error)), stacklevel=2)
            self._page.replace(self.run.options.html)
        return str(self.run.options.html)

    def _silence_pytest_html(self) -> None:
        """Keep pytest-html from naming its unfinished page in the terminal."""
        for plugin in self.config.pluginmanager.get_plugins():
            if isinstance(plugin, BaseReport):
                self.config.pluginmanager.unregister(plugin)


def _json_path(options: Options) -> Path:
    return options.json or options.html.with_suffix(".json")
