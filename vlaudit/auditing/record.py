"""Verdicts, counts and exhibits of a run, collected from one process or several, and the document they make.

Every verdict is serialized once, as its test ends, without the finding: findings are known from the collected cases.
Exhibits, counts and findings of another process (pytest-xdist) arrive once, when it ends.
"""

from __future__ import annotations

import platform
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel, ConfigDict

from vlaudit.auditing.judging import Decided, judges_competence
from vlaudit.auditing.run import Run
from vlaudit.findings import Finding
from vlaudit.reporting.document import (
    Counts,
    CriterionRecord,
    DataRecord,
    FindingRecord,
    RunDocument,
    Versions,
    any_decided,
    criterion_record,
    finding_record,
)
from vlaudit.reporting.exhibits import Drawn, draw

Key = tuple[str, str]
"""Id of a finding and family of a model."""


class VerdictRecord(BaseModel):
    """A verdict on its way from a test to the document."""

    model_config = ConfigDict(frozen=True)

    finding: str
    model: str
    criterion: CriterionRecord

    @classmethod
    def of(cls, decided: Decided, duration: float) -> VerdictRecord:
        """Return the record of a decided case; `duration` of its test in seconds."""
        finding = decided.case.finding.id
        criterion = criterion_record(
            decided.verdict,
            finding,
            explanation=decided.case.explanation,
            known_failure=decided.known_failure,
            as_known=decided.as_known,
            competence=judges_competence(decided.case),
            duration=duration,
        )
        return cls(finding=finding, model=decided.family, criterion=criterion)


class RunRecord:
    """Everything that the report of a run needs, in the process that writes it."""

    def __init__(self, run: Run, command: str) -> None:
        self.run, self.command = run, command
        self.started = datetime.now(UTC)
        self.exhibits: dict[Key, list[Drawn]] = {}
        """Exhibits by finding and model."""
        self._criteria: dict[Key, list[CriterionRecord]] = defaultdict(list)
        self._counts: dict[Key, Counts] = {}
        self._findings: dict[str, Finding] = {}  # of other processes

    def add(self, verdict: VerdictRecord) -> None:
        """Add a verdict."""
        self._criteria[verdict.finding, verdict.model].append(verdict.criterion)

    def add_measurements(self, measurements: Mapping[str, Any]) -> None:
        """Add the result of `measurements_of`, of this process or another."""
        for fields in measurements.get("findings", ()):
            self._findings[fields["id"]] = Finding(**fields)
        for entry in measurements.get("measured", ()):
            key = entry["finding"], entry["model"]
            self.exhibits[key] = [Drawn(**one) for one in entry["exhibits"]]
            self._counts[key] = Counts.model_validate(entry["counts"])

    @property
    def empty(self) -> bool:
        """True if no criterion has a verdict."""
        return not self._criteria

    @property
    def decided(self) -> bool:
        """True if any criterion was judged with a decision; without one, a run never holds."""
        return any_decided([one for criteria in self._criteria.values() for one in criteria])

    def document(self, *, interrupted: str = "") -> RunDocument:
        """Return the run as a document: model by model, findings in the order of their tests.

        `interrupted` is why the run was cut short; an empty text if it was complete.
        """
        options, run = self.run.options, self.run
        families = list(run.models)
        findings = self._finding_records(families)
        return RunDocument.of(
            versions=_versions(),
            started=self.started,
            seconds=round((datetime.now(UTC) - self.started).total_seconds(), 1),
            command=self.command,
            subject=tuple(run.models.subject(family) for family in families),
            data=_data_record(run, findings),
            expect=options.expect,
            gate=options.gate,
            alpha=run.thresholds.alpha,
            m=max((_count(run, family) for family in families), default=0),
            findings=findings,
            complete=not interrupted,
            interrupted=interrupted,
        )

    def _finding_records(self, families: Sequence[str]) -> tuple[FindingRecord, ...]:
        known, options = self._findings | self.run.findings, self.run.options
        keys = sorted((key for key in self._criteria if key[0] in known), key=lambda key: families.index(key[1]))
        return tuple(
            finding_record(
                known[finding].under(options.expect),
                model,
                tuple(self._criteria[finding, model]),
                self._counts.get((finding, model)),
            )
            for finding, model in keys
        )


def _count(run: Run, family: str) -> int:
    """Return the number of criteria that share the error of a model."""
    architecture = run.models.architecture(family)
    return run.thresholds.count(family, run.data_name, run.options.expect, architecture=architecture)


def _data_record(run: Run, findings: Sequence[FindingRecord]) -> DataRecord:
    refused = Counter(refusal.reason for refusal in run.data.refusals)
    for finding in findings:
        refused.update(finding.counts.refused)
    return DataRecord(
        spec=run.options.data,
        description=run.data.describe(),
        seed=run.options.seed,
        limit=run.options.limit,
        counts=Counts(
            planned=sum(finding.counts.planned for finding in findings),
            measured=sum(finding.counts.measured for finding in findings),
            refused=dict(refused),
        ),
    )


def measurements_of(run: Run) -> dict[str, Any]:
    """Return the findings, counts and drawn exhibits of this process as plain values, which can leave a worker."""
    return {
        "findings": [text_fields(finding) for finding in run.findings.values()],
        "measured": [_measured(run, family, finding_id) for family, finding_id in run.measured_findings()],
    }


def text_fields(finding: Finding) -> dict[str, Any]:
    """Return what a report states about a finding, as plain values."""
    return {
        "id": finding.id,
        "claim": finding.claim,
        "source": finding.source,
        "failing": finding.failing,
        "published": dict(finding.published),
    }


def _measured(run: Run, family: str, finding_id: str) -> dict[str, Any]:
    designs = run.designs_of(family, finding_id)
    measurements = {design.id: (run.table(family, design), run.units(family, design)) for design in designs}
    tables = [table for table, _ in measurements.values()]
    refused = Counter[str]()
    for table in tables:
        refused.update(table.refused)
    counts = {
        "planned": sum(table.planned for table in tables),
        "measured": sum(len(table) for table in tables),
        "refused": dict(refused),
    }
    exhibits = draw(run.findings[finding_id].exhibits, measurements, several=len(run.models) > 1)
    return {"finding": finding_id, "model": family, "exhibits": [one._asdict() for one in exhibits], "counts": counts}


def _versions() -> Versions:
    return Versions(
        vlaudit=version("vlaudit"),
        torch=version("torch"),
        transformers=version("transformers"),
        python=platform.python_version(),
    )
