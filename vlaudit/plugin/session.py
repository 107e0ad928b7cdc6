"""The hooks of a session that audits; registered once everything that was asked for is loaded."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

from vlaudit.errors import VlauditError
from vlaudit.plugin.ledger import Ledger, drawn_by
from vlaudit.plugin.options import Options, unfinished
from vlaudit.plugin.run import RUN, Run, family_of
from vlaudit.reporting.files import check_writable
from vlaudit.reporting.html import finish, render_sections, report_title
from vlaudit.reporting.terminal import verdict_table


class AuditSession:
    """One session in one process: the controller, which writes the report, or a worker of pytest-xdist."""

    def __init__(self, run: Run, config: pytest.Config) -> None:
        self.run, self.config = run, config
        self.ledger = Ledger(run, config)
        self.is_worker = hasattr(config, "workerinput")
        self._page = unfinished(run.options.html)

    @classmethod
    def begin(cls, options: Options, config: pytest.Config) -> AuditSession:
        """Check where reports go, load what was asked for, and tell pytest-html where to write."""
        for path in (options.html, _json_path(options)):
            check_writable(path)
        session = cls(Run.prepare(options), config)
        config.stash[RUN] = session.run
        if not session.is_worker:
            config.option.htmlpath = str(session._page)
            config.option.self_contained_html = True
        return session

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Send all audits of a model to one worker, so that its passes run once."""
        for item in items:
            if (family := family_of(item)) is not None:
                item.add_marker(pytest.mark.xdist_group(family))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note what the tests that were not deselected need."""
        self.run.select(session.items)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write down the verdicts, wherever they fell."""
        if report.when == "call" and not self.is_worker:
            self.ledger.note(report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Draw what was measured here; under --gate, nothing judged is a failure."""
        drawn = drawn_by(self.run)
        if self.is_worker:
            self.config.workeroutput["vlaudit"] = drawn  # type: ignore[attr-defined]  # pytest-xdist's
            return
        self.ledger.receive(drawn)
        if self.run.options.gate and not self.ledger.judged and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

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
        """Write the document, finish the page, and print the verdicts."""
        if self.is_worker or not self.ledger.judged_or_skipped:
            return
        document, options = self.ledger.document(), self.run.options
        document.to_json(_json_path(options))
        report = self._finished()
        terminalreporter.section("audit")
        for line in verdict_table(document, report=str(report) if report else None):
            terminalreporter.write_line(line)

    def _finished(self) -> Path | None:
        """Return the finished report, or None where pytest-html wrote none (`-p no:html`)."""
        if not self._page.is_file():
            return None
        try:
            finish(self._page, self.run.options.html)
        except VlauditError as error:
            warnings.warn(pytest.PytestWarning(str(error)), stacklevel=2)
            self._page.replace(self.run.options.html)
        return self.run.options.html


def _json_path(options: Options) -> Path:
    return options.json or options.html.with_suffix(".json")
