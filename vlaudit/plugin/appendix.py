"""The appendix of the report: the table of tests, with the columns and hooks of pytest-html's."""

from __future__ import annotations

import pytest
from markupsafe import Markup

from vlaudit.reporting.html import ResultRow, ResultTable

_HEADER = (Markup("<th>Result</th>"), Markup("<th>Test</th>"), Markup("<th>Duration</th>"), Markup("<th>Links</th>"))


class Appendix:
    """Collects the reports of tests; where pytest-html is installed, its hooks may change header and cells."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._rows: list[ResultRow] = []

    def add(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        """Add a report, if pytest's summary counts it: a setup or teardown that passed is not listed."""
        outcome, _, _ = self._config.hook.pytest_report_teststatus(report=report, config=self._config)
        if not outcome:
            return
        cells = [
            Markup('<td class="col-result">{}</td>').format(outcome.capitalize()),
            Markup('<td class="col-testId">{}</td>').format(report.nodeid),
            Markup('<td class="col-duration">{:.2f} s</td>').format(getattr(report, "duration", 0.0)),
            Markup('<td class="col-links"></td>'),
        ]
        self._call("pytest_html_results_table_row", report=report, cells=cells)
        if cells:  # a hook may empty them, which leaves the test out
            self._rows.append(ResultRow(outcome, tuple(map(_markup, cells)), _log(report)))

    def table(self) -> ResultTable:
        """Return the table with the rows added so far."""
        header: list[str] = list(_HEADER)
        self._call("pytest_html_results_table_header", cells=header)
        return ResultTable(tuple(map(_markup, header)), tuple(self._rows))

    def _call(self, hook: str, **arguments: object) -> None:
        caller = getattr(self._config.hook, hook, None)  # pytest-html may be switched off
        if caller is not None:
            caller(**arguments)


def _markup(cell: object) -> Markup:
    return Markup(str(cell))  # noqa: S704 (escaped above, or by the plugin that implements pytest-html's hooks)


def _log(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return the reason of a skip, a traceback, and what the test printed."""
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
    printed = [f"{title}\n{text}" for title, text in report.sections]
    return "\n\n".join(part.strip() for part in (reason, *printed) if part.strip())
