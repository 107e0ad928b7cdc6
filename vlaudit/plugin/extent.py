"""The extent of a session: all audits, a selection of them, or a run that was cut short."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from vlaudit.plugin.marks import is_audit


class Stopped(NamedTuple):
    """Statement of a process about its extent; plain values, which can leave a worker."""

    selection: bool
    reason: str


class Extent:
    """Records whether audits were left out, and why a run ended early."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._has_workers = getattr(config.option, "dist", "no") != "no"
        self.selection = bool(getattr(config.option, "lf", False) or config.option.ignore or config.option.ignore_glob)
        """True if the session left out audits: its report is not a record of all of them."""
        self._reason = ""
        self._running = ""
        self._ended = self._uncollected = 0

    def stopped(self, failure: str = "") -> Stopped:
        """Return what a worker sends to its controller; `failure` is why its measuring stopped."""
        return Stopped(self.selection, self._reason or failure)

    def add(self, stopped: Stopped) -> None:
        """Add what a worker stated."""
        self.selection |= stopped.selection
        self._note(stopped.reason)

    def interruption(self, session: pytest.Session, failure: str = "") -> str:
        """Return why the run is incomplete, or an empty text; call it in the process that writes the report."""
        if reason := self._reason or failure:
            return reason
        if self._uncollected:
            return f"{self._uncollected} of the files could not be collected"
        if self._ended < session.testscollected:
            why = session.shouldfail or session.shouldstop
            return f"{f'{why}, ' if why else ''}{self._ended} of {session.testscollected} tests ran"
        return ""

    def _note(self, reason: str) -> None:
        self._reason = self._reason or reason  # the first one is the cause

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Note audits that -k, -m, --deselect or another plugin leaves out."""
        self.selection |= any(map(is_audit, items))

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note audits that are left out because single tests or files were named."""
        audits = [item for item in session.items if is_audit(item)]
        self.selection |= any("::" in arg for arg in self._config.args) or _leaves_out_files(session, audits)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Count files that could not be collected."""
        self._uncollected += report.failed

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Remember the test that runs."""
        self._running = nodeid

    def pytest_runtest_logfinish(self) -> None:
        """Count the tests that ended."""
        self._ended += 1

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Note Ctrl-C or `pytest.exit`."""
        during = f" during {self._running}" if self._running and not self._has_workers else ""
        what = (
            str(excinfo.value) or "Ctrl-C"
            if isinstance(excinfo.value, KeyboardInterrupt)
            else f"pytest.exit: {excinfo.value}"
        )
        self._note(f"{what}{during}")

    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Note an error of pytest or a plugin."""
        self._note(f"internal error, {excinfo.exconly(tryshort=True)}")

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Add what a worker of pytest-xdist stated, or that it crashed."""
        if sent := getattr(node, "workeroutput", {}).get("vlaudit"):
            self.add(Stopped(*sent["stopped"]))
        if error:
            self._note(f"worker {node.gateway.id}: {str(error).strip().splitlines()[-1]}")


def _leaves_out_files(session: pytest.Session, audits: list[pytest.Item]) -> bool:
    """Return whether test files were named on the command line, but not all of their folder."""
    patterns = session.config.getini("python_files")
    folders = {item.path.parent for item in audits if session.isinitpath(item.path)}
    siblings = {path for folder in folders for pattern in patterns for path in folder.glob(pattern)}
    return not all(map(session.isinitpath, siblings))
