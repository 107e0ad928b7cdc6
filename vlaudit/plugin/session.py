"""The hooks of a session that audits, registered once models, data and thresholds are loaded."""

from __future__ import annotations

import gc
import textwrap
from pathlib import Path
from typing import Any

import pytest
from markupsafe import escape

from vlaudit.auditing.cases import cases_of, check_thresholds
from vlaudit.auditing.judging import criterion_of
from vlaudit.auditing.options import Options
from vlaudit.auditing.record import RunRecord, VerdictRecord, measurements_of
from vlaudit.auditing.run import Run
from vlaudit.errors import UsageError, VlauditError
from vlaudit.plugin.appendix import Appendix
from vlaudit.plugin.errors import stop
from vlaudit.plugin.extent import Extent
from vlaudit.plugin.marks import CONFLICTS
from vlaudit.plugin.outcomes import PROPERTY, RUN, audited, case_of, check_fixtures, takes_judge
from vlaudit.plugin.report_paths import ReportPaths
from vlaudit.plugin.terminal import Terminal
from vlaudit.reporting.document import RunDocument
from vlaudit.reporting.files import write_together
from vlaudit.reporting.html import render_page
from vlaudit.reporting.terminal import verdict_table

_WIDTH = 80
"""Characters of a line in the terminal."""


class AuditSession:
    """One session in one process: the controller, which writes the report, or a worker of pytest-xdist."""

    def __init__(self, run: Run, paths: ReportPaths, config: pytest.Config) -> None:
        self.run, self.paths, self.config = run, paths, config
        self.is_worker = hasattr(config, "workerinput")
        self.record = RunRecord(run, " ".join(["pytest", *map(str, config.invocation_params.args)]))
        self.appendix = Appendix(config)
        self.extent = Extent(config)
        self.document: RunDocument | None = None
        self.report: Path | None = None
        self.interrupted = self.unwritten = ""
        self.notes: list[str] = []
        self._audits = self._asserted = False  # whether audits ran, and whether one made assertions of its own
        run.stream = Terminal(config)
        config.pluginmanager.register(self.extent, "vlaudit-extent")

    @classmethod
    def begin(cls, options: Options, paths: ReportPaths, config: pytest.Config) -> AuditSession:
        """Check the report paths and load everything; `VlauditError` names a mistake."""
        is_worker = hasattr(config, "workerinput")
        if not is_worker:
            paths.check()
        has_workers = not is_worker and getattr(config.option, "dist", "no") != "no"
        run = config.stash[RUN] = Run.prepare(options, elsewhere=has_workers, checked=is_worker)
        return cls(run, paths, config)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Check the names in the thresholds file, before any test is deselected."""
        try:
            for message in self.config.stash[CONFLICTS]:
                raise UsageError(message)
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
        text = getattr(report, "vlaudit", None)
        if text is None:
            return
        self._audits = True
        self.record.add_measurements(text)
        verdicts = [str(value) for name, value in report.user_properties if name == PROPERTY]
        for verdict in verdicts:
            self.record.add(VerdictRecord.model_validate_json(verdict))
        self._asserted |= not verdicts and not report.skipped

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the report, or as a worker send the measurements; nothing is measured here."""
        measurements, failure = measurements_of(self.run), self.run.failure
        if self.is_worker:
            sent = {"measurements": measurements, "stopped": tuple(self.extent.stopped(failure))}
            self.config.workeroutput["vlaudit"] = sent  # type: ignore[attr-defined]  # pytest-xdist's
            return
        self.record.add_measurements(measurements)
        if session.exitstatus != pytest.ExitCode.USAGE_ERROR:
            self.interrupted = self.extent.interruption(session, failure)
        if not self.record.empty:  # otherwise an earlier report stays
            self._write()
        session.exitstatus = self._exit_status(session.exitstatus)
        gc.freeze()  # pytest collects garbage at its end, several times in older versions: skip what lives until then

    def _write(self) -> None:
        """Write page and document; those of an interrupted run never replace a report."""
        self.document = self.record.document(interrupted=self.interrupted)
        fingerprints = [subject.fingerprint for subject in self.document.subject]
        html, json = self.paths.of_run(self.run.options, fingerprints, selection=self.extent.selection)
        page = render_page(self.document, self.record.exhibits, self.appendix.table())
        texts = [(html, page), (json, self.document.to_text())]
        try:
            self.report, _ = write_together(texts, replace=not self.interrupted)
        except UsageError as error:
            self.unwritten = str(error)
        if self.report not in (None, html):
            self.notes.append(f"This run is incomplete, so the earlier report stays: {html}")

    def _exit_status(self, status: int | pytest.ExitCode) -> int | pytest.ExitCode:
        """Return the exit status: what passed for pytest may be incomplete, undecided, or judge nothing."""
        if status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            return status
        if self.unwritten:
            return pytest.ExitCode.USAGE_ERROR
        if self.interrupted:
            return pytest.ExitCode.INTERRUPTED
        if self.run.options.gate and not self.record.decided:
            return pytest.ExitCode.TESTS_FAILED
        return pytest.ExitCode.NO_TESTS_COLLECTED if self._audits and not self._judged else status

    @property
    def _judged(self) -> bool:
        return self._asserted or (self.document is not None and self.document.summary.status != "not audited")

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
        self.record.add_measurements(getattr(node, "workeroutput", {}).get("vlaudit", {}).get("measurements", {}))

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_summary(self, prefix: list[str]) -> None:
        """Add the verdict and the path of our report to pytest-html's own page (--html)."""
        if self.document is not None:
            sentence, path = self.document.summary.sentence, self.report or "not written"
            prefix.append(f"<p>vlaudit: {escape(sentence)} Report: {escape(path)}</p>")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the verdicts."""
        lines = self._lines()
        if lines or self.unwritten:
            terminalreporter.section("audit")
        for line in lines:
            terminalreporter.write_line(line)
        if self.unwritten:
            terminalreporter.write_line(f"ERROR: {self.unwritten}; the verdicts above are not stored", red=True)

    def _lines(self) -> list[str]:
        if self.document is not None:
            report = None if self.report is None else str(self.report)
            return [*verdict_table(self.document, report=report), *self.notes]
        nothing = "Nothing was judged; no report is written."
        if self.interrupted:
            return textwrap.wrap(f"Interrupted ({self.interrupted}). {nothing}", _WIDTH)
        return [nothing] if self._audits and not self._asserted else []
