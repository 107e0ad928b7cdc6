"""What a session writes down: verdicts as they fall, and at its end the document and the report.

Verdicts travel in pytest's `user_properties`, so that they arrive from workers (pytest-xdist) as they do from this
process; what was measured and drawn travels once, when a worker ends.
"""

from __future__ import annotations

import json
import platform
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from vlaudit.auditing.judging import Decided
from vlaudit.auditing.run import Run
from vlaudit.reporting.document import (
    Counts,
    CriterionRecord,
    DataRecord,
    FindingRecord,
    RunDocument,
    Versions,
    criterion_record,
    finding_record,
)
from vlaudit.reporting.exhibits import Drawn, draw

PROPERTY = "vlaudit"
"""Name of the property that carries a verdict."""

Properties = list[tuple[str, object]]
"""The `user_properties` of a test."""


class Ledger:
    """Gathers what the report needs, in the process that writes it."""

    def __init__(self, run: Run, command: str) -> None:
        self.run, self.command = run, command
        self.started = datetime.now(UTC)
        self._criteria: dict[tuple[str, str], list[CriterionRecord]] = defaultdict(list)
        self._findings: dict[tuple[str, str], FindingRecord] = {}
        self._drawn: dict[tuple[str, str], list[Drawn]] = {}
        self._counts: dict[tuple[str, str], Counts] = {}

    def note(self, properties: Properties) -> None:
        """Write down the verdict that the properties of a test carry, if they carry one."""
        carried = dict(properties).get(PROPERTY)
        if not isinstance(carried, str):
            return
        held = json.loads(carried)
        finding = FindingRecord.model_validate_json(json.dumps(held["finding"]))
        key = finding.id, finding.model
        self._findings[key] = finding
        self._criteria[key].append(CriterionRecord.model_validate_json(json.dumps(held["criterion"])))

    def receive(self, drawn: Mapping[str, Any]) -> None:
        """Take what `drawn_by` gave, of this process or of a worker."""
        for entry in drawn.get("findings", ()):
            key = entry["finding"], entry["model"]
            self._drawn[key] = [Drawn(**one) for one in entry["exhibits"]]
            self._counts[key] = Counts.model_validate(entry["counts"])

    @property
    def filled(self) -> bool:
        """Whether any criterion was looked at."""
        return bool(self._criteria)

    @property
    def judged(self) -> bool:
        """Whether any criterion was judged on numbers."""
        return any(one.outcome in ("pass", "fail") for rows in self._criteria.values() for one in rows)

    @property
    def exhibits(self) -> dict[tuple[str, str], list[Drawn]]:
        """What is drawn under each finding, by finding and family."""
        return self._drawn

    def document(self) -> RunDocument:
        """Return the run as a document: model by model, findings in the order in which their tests ran."""
        options, run = self.run.options, self.run
        families = list(run.models)
        findings = tuple(
            finding.model_copy(
                update={"criteria": tuple(self._criteria[key]), "counts": self._counts.get(key, Counts())}
            )
            for key, finding in sorted(self._findings.items(), key=lambda item: families.index(item[0][1]))
        )
        return RunDocument.of(
            versions=_versions(),
            started=self.started,
            seconds=round((datetime.now(UTC) - self.started).total_seconds(), 1),
            command=self.command,
            subject=tuple(run.models.subject(family) for family in families),
            data=self._data(findings),
            expect=options.expect,
            gate=options.gate,
            alpha=run.thresholds.alpha,
            m=max((self._count(family) for family in families), default=0),
            findings=findings,
        )

    def _count(self, family: str) -> int:
        """Return how many criteria share the error of a model."""
        run = self.run
        architecture = run.models.architecture(family)
        return run.thresholds.count(family, run.data_name, run.options.expect, architecture=architecture)

    def _data(self, findings: tuple[FindingRecord, ...]) -> DataRecord:
        refused: dict[str, int] = defaultdict(int)
        for refusal in self.run.data.refusals:
            refused[refusal.reason] += 1
        for finding in findings:
            for reason, count in finding.counts.refused.items():
                refused[reason] += count
        counts = Counts(
            planned=sum(finding.counts.planned for finding in findings),
            measured=sum(finding.counts.measured for finding in findings),
            refused=dict(refused),
        )
        options = self.run.options
        return DataRecord(
            spec=options.data,
            description=self.run.data.describe(),
            seed=options.seed,
            limit=options.limit,
            counts=counts,
        )


def properties(decided: Decided, duration: float) -> Properties:
    """Return the properties of a test: its verdict whole for us, and its numbers by name for JUnit XML."""
    verdict, finding = decided.verdict, decided.case.finding
    criterion = criterion_record(verdict, finding.id, known_failure=decided.known_failure, duration=duration)
    record = finding_record(finding, decided.family, ())
    whole = {"finding": record.model_dump(mode="json"), "criterion": criterion.model_dump(mode="json")}
    numbers = criterion.model_dump(mode="json", include={"outcome", "value", "low", "high", "bound", "clusters"})
    named: Properties = [(name, value) for name, value in numbers.items() if value is not None]
    return [*named, (PROPERTY, json.dumps(whole))]


def drawn_by(run: Run) -> dict[str, Any]:
    """Draw the exhibits of every finding that this process measured; plain values, fit to leave a worker."""
    return {"findings": [_drawn(run, family, finding_id) for family, finding_id in run.measured_findings()]}


def _drawn(run: Run, family: str, finding_id: str) -> dict[str, Any]:
    finding, designs = run.findings[finding_id], run.designs_of(family, finding_id)
    planned = measured = 0
    refused: dict[str, int] = defaultdict(int)
    measurements = {design.id: (run.table(family, design), run.units(family, design)) for design in designs}
    for table, _ in measurements.values():
        planned, measured = planned + table.planned, measured + len(table)
        for reason, count in table.refused.items():
            refused[reason] += count
    exhibits = draw(finding.exhibits, measurements, several=len(run.models) > 1)
    counts = {"planned": planned, "measured": measured, "refused": dict(refused)}
    return {"finding": finding_id, "model": family, "exhibits": [one._asdict() for one in exhibits], "counts": counts}


def _versions() -> Versions:
    return Versions(
        vlaudit=version("vlaudit"),
        torch=version("torch"),
        transformers=version("transformers"),
        python=platform.python_version(),
    )
