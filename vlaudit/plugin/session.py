"""The hooks of a session that audits, registered once models, data and thresholds are loaded."""

from __future__ import annotations

from typing import Any

import pytest
from markupsafe import escape

from vlaudit.auditing.cases import cases_of, check_thresholds
from vlaudit.auditing.judging import criterion_of
from vlaudit.auditing.options import Options
from vlaudit.auditing.record import RunRecord, VerdictRecord, measurements_of
from vlaudit.auditing.run import Run
from vlaudit.errors import VlauditError
from vlaudit.plugin.appendix import Appendix
from vlaudit.plugin.errors import stop
from vlaudit.plugin.options import ReportPaths
from vlaudit.plugin.outcomes import PROPERTY, RUN, audited, case_of, check_fixtures, takes_judge
from vlaudit.plugin.terminal import Terminal
from vlaudit.reporting.document import RunDocument
from vlaudit.reporting.files import check_writable, write_whole
from vlaudit.reporting.html import render_page
from vlaudit.reporting.terminal import verdict_table


class AuditSession:
    """One session in one process: the controller, which writes the report, or a worker of pytest-xdist."""

    def __init__(self, run: Run, paths: ReportPaths, config: pytest.Config) -> None:
        self.run, self.paths, self.config = run, paths, config
        self.is_worker = hasattr(config, "workerinput")
        self.record = RunRecord(run, " ".join(["pytest", *map(str, config.invocation_params.args)]))
        self.appendix = Appendix(config)
        self.document: RunDocument | None = None
        self.notes: list[str] = []
        run.stream = Terminal(config)

    @classmethod
    def begin(cls, options: Options, paths: ReportPaths, config: pytest.Config) -> AuditSession:
        """Check the report paths and load everything; `VlauditError` names a mistake."""
        for path in paths:
            check_writable(path)
        is_worker = hasattr(config, "workerinput")
        has_workers = not is_worker and getattr(config.option, "dist", "no") != "no"
        run = config.stash[RUN] = Run.prepare(options, elsewhere=has_workers, checked=is_worker)
        return cls(run, paths, config)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Check the names in the thresholds file, before any test is deselected."""
        try:
            for item in items:
                check_fixtures(item)
            audits = [item for item in items if isinstance(item, pytest.Function) and audited(item) is not None]
            # A test that is selected by its id comes without the other cases of its module.
            declared = [case for module in {item.module for item in audits} for case in cases_of(module)]
            self.notes = check_thresholds(self.run, [*declared, *map(case_of, audits)])
        except (VlauditError, TypeError, ValueError) as error:
            stop(session, str(error))

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Register the cases of the tests that will run."""
        try:
            selected = {item: one for item in session.items if (one := audited(item)) is not None}
            self.run.select(selected.values())
            for family, case in (one for item, one in selected.items() if takes_judge(item)):
                criterion_of(self.run, family, case)  # a missing bound shows before anything is measured
        except VlauditError as error:
            stop(session, str(error))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Add a failed collection to the appendix."""
        if report.failed:
            self.appendix.add(report)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect the verdicts, of this process or its workers."""
        self.appendix.add(report)
        for name, value in report.user_properties:
            if name == PROPERTY and report.when == "call":
                self.record.add(VerdictRecord.model_validate_json(str(value)))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the report, or as a worker send the measurements; a gate that decided nothing fails."""
        measurements = measurements_of(self.run)
        if self.is_worker:
            self.config.workeroutput["vlaudit"] = measurements  # type: ignore[attr-defined]  # pytest-xdist's
            return
        self.record.add_measurements(measurements)
        if self.run.options.gate and not self.record.decided and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if not self.record.empty:  # otherwise an earlier report stays
            self._write()

    def _write(self) -> None:
        self.document = self.record.document()
        self.document.to_json(self.paths.json)
        write_whole(self.paths.html, render_page(self.document, self.record.exhibits, self.appendix.table()))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        """Send all audits of a model to one worker, so that its passes run once; an explicit --dist is kept."""
        if config.option.dist != "load":
            return None
        from vlaudit.plugin.workers import ByModel  # noqa: PLC0415 (pytest-xdist need not be installed)

        return ByModel(config, log, list(self.run.models))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add the measurements of a worker."""
        self.record.add_measurements(getattr(node, "workeroutput", {}).get("vlaudit", {}))

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_summary(self, prefix: list[str]) -> None:
        """Add the verdict and the path of our report to pytest-html's own page (--html)."""
        if self.document is not None:
            sentence, path = self.document.summary.sentence, self.paths.html
            prefix.append(f"<p>vlaudit: {escape(sentence)} Report: {escape(path)}</p>")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the verdicts."""
        if self.document is not None:
            terminalreporter.section("audit")
            for line in (*verdict_table(self.document, report=str(self.paths.html)), *self.notes):
                terminalreporter.write_line(line)
