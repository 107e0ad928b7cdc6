"""The JSON document of a run: the content of the report in a published schema.

`RunDocument.model_json_schema()` (`python -m vlaudit schema`) is the schema. Numbers are finite; an open side of an
interval and a missing value are null.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vlaudit.errors import DataError
from vlaudit.findings import Finding, Outcome, Verdict
from vlaudit.reporting import wording
from vlaudit.reporting.files import write_whole

SCHEMA_VERSION: Final = "1"
Whole = Annotated[int, Field(ge=0)]
"""A count."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Versions(_Part):
    """Versions of the software that computed the numbers."""

    vlaudit: str
    torch: str
    transformers: str
    python: str


class Subject(_Part):
    """One audited model: its name, weights, device and precision.

    `checkpoint` is a path or "bundled", `fingerprint` the SHA-256 of the weights, `layout` the kind of file,
    `vocabulary` the source of the vocabulary, `keys` the key report.
    """

    family: str
    checkpoint: str
    fingerprint: str
    layout: str = ""
    vocabulary: str = ""
    keys: str = ""
    device: str
    dtype: str


class Counts(_Part):
    """Number of units planned, measured and refused; refusals by reason."""

    planned: Whole = 0
    measured: Whole = 0
    refused: dict[str, Whole] = Field(default_factory=dict)


class DataRecord(_Part):
    """The data: `spec` as typed after `--data`, `description` by the data set."""

    spec: str
    description: str
    seed: int
    limit: int | None = None
    counts: Counts = Field(default_factory=Counts)


class CriterionRecord(_Part):
    """One criterion on one model: bound, estimate and verdict.

    `id` is FINDING.CRITERION, `explanation` the docstring of its test. `bound` states in words what exactly one of
    `at_least`, `at_most`, `within` states in numbers.
    `alpha` is the criterion's share of the suite's error, `needed` the number of images that would probably decide it.
    `known_failure` is the reason why a failure was expected. `duration` is in seconds.
    """

    id: str
    title: str
    explanation: str = ""
    bound: str
    at_least: float | None = None
    at_most: float | None = None
    within: tuple[float, float] | None = None
    why: str
    alpha: float
    outcome: Outcome
    reason: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    units: Whole | None = None
    clusters: Whole | None = None
    method: str | None = None
    seed: int | None = None
    needed: int | None = None
    shown: dict[str, float | str] = Field(default_factory=dict)
    known_failure: str | None = None
    duration: float = 0.0

    @property
    def known(self) -> bool:
        """True if it is a known failure that did not pass, as expected."""
        return self.known_failure is not None and self.outcome in ("fail", "inconclusive")

    @property
    def signs(self) -> str:
        """The bound in symbols."""
        return wording.bound(self.at_least, self.at_most, self.within)

    @property
    def interval(self) -> str:
        """The interval in brackets; empty without an estimate."""
        return "" if self.value is None else wording.interval(self.low, self.high)


class FindingRecord(_Part):
    """A finding as judged on one model; `published` maps names to figures of the source, as text."""

    id: str
    claim: str
    source: str
    failing: str
    published: dict[str, str] = Field(default_factory=dict)
    model: str
    counts: Counts = Field(default_factory=Counts)
    criteria: tuple[CriterionRecord, ...]

    @property
    def outcome(self) -> Outcome:
        """The most important outcome of its criteria."""
        return wording.worst([criterion.outcome for criterion in self.criteria])


class Summary(_Part):
    """Number of criteria per outcome, and the verdict in one sentence."""

    outcomes: dict[Outcome, Whole]
    sentence: str


class RunDocument(_Part):
    """One run: models, data and every verdict.

    `started` is ISO 8601, `seconds` the run's duration, `command` the command line. `alpha` is the error of the whole
    suite, shared by the `m` criteria that the thresholds list, regardless of the selection. A finding is listed once
    per model; `summary` covers all models, `summaries` each. `complete` is false for a run that was cut short;
    `interrupted` then states why, and only criteria judged until then are listed.
    """

    schema_version: Literal["1"] = SCHEMA_VERSION
    versions: Versions
    started: datetime
    seconds: float
    command: str
    subject: tuple[Subject, ...]
    data: DataRecord
    expect: Literal["desirable", "published"] = "desirable"
    gate: bool = False
    complete: bool = True
    interrupted: str = ""
    alpha: float
    m: Whole
    findings: tuple[FindingRecord, ...]
    summary: Summary
    summaries: dict[str, Summary] = {}

    @classmethod
    def of(cls, *, findings: tuple[FindingRecord, ...], **rest: Any) -> RunDocument:
        """Build a document and its summary; `rest` are the other fields by name."""
        families = [subject.family for subject in rest["subject"]]
        expect, gate = rest.get("expect", "desirable"), rest.get("gate", False)

        def summary(*of: str) -> Summary:
            criteria = [criterion for finding in findings if finding.model in of for criterion in finding.criteria]
            found = _summary(criteria, expect=expect, gate=gate, models=len(of))
            return _cut_short(found, rest["interrupted"]) if rest.get("interrupted") else found

        by_family = {family: summary(family) for family in families}
        return cls(findings=findings, summary=summary(*families), summaries=by_family, **rest)

    def to_json(self, path: str | Path) -> None:
        """Write the document atomically; `UsageError` where it cannot be written."""
        write_whole(Path(path), self.to_text())

    def to_text(self) -> str:
        """Return the text of the document's file."""
        return self.model_dump_json(indent=2) + "\n"

    @classmethod
    def from_json(cls, path: str | Path) -> RunDocument:
        """Read a document; `DataError` where the file does not follow this schema version."""
        try:
            return cls.model_validate_json(Path(path).read_bytes())
        except OSError as error:
            raise DataError(f"the document {path} cannot be read: {error.strerror or error}") from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "the whole file"
            raise DataError(
                f"{path} does not follow schema version {SCHEMA_VERSION}: {where}: {first['msg']}"
            ) from error

    @property
    def several_models(self) -> bool:
        """True if several models were audited."""
        return len(self.subject) > 1


def criterion_record(
    verdict: Verdict,
    finding_id: str,
    *,
    title: str | None = None,
    explanation: str = "",
    known_failure: str | None = None,
    duration: float = 0.0,
) -> CriterionRecord:
    """Return the record of a verdict; the criterion's id may include the finding's.

    The default title is the id in words.
    """
    criterion, estimate = verdict.criterion, verdict.estimate
    short = criterion.id.removeprefix(f"{finding_id}.")
    fields: dict[str, Any] = {
        "id": f"{finding_id}.{short}",
        "title": title or wording.in_words(short),
        "explanation": explanation,
        "bound": str(criterion),
        "at_least": criterion.at_least,
        "at_most": criterion.at_most,
        "within": criterion.within,
        "why": criterion.why,
        "alpha": criterion.alpha,
        "outcome": verdict.outcome,
        "reason": verdict.reason,
        "needed": verdict.needed,
        "known_failure": known_failure,
        "duration": duration,
    }
    if estimate is not None:
        fields |= {
            "value": wording.finite(estimate.value),
            "low": wording.finite(estimate.low),
            "high": wording.finite(estimate.high),
            "units": estimate.units,
            "clusters": estimate.clusters,
            "method": estimate.method,
            "seed": estimate.seed,
            "shown": {name: _plain(value) for name, value in estimate.shown.items()},
        }
    return CriterionRecord(**fields)


def finding_record(
    finding: Finding, model: str, criteria: tuple[CriterionRecord, ...], counts: Counts | None = None
) -> FindingRecord:
    """Return the record of a finding as judged on one model."""
    return FindingRecord(
        id=finding.id,
        claim=finding.claim,
        source=finding.source,
        failing=finding.failing,
        published=dict(finding.published),
        model=model,
        counts=counts or Counts(),
        criteria=criteria,
    )


def _summary(
    criteria: Sequence[CriterionRecord], *, expect: Literal["desirable", "published"], gate: bool, models: int
) -> Summary:
    counts = Counter(criterion.outcome for criterion in criteria)
    known = sum(criterion.known and (gate or criterion.outcome == "fail") for criterion in criteria)
    text = wording.sentence(counts, expect=expect, gate=gate, known=known, models=models)
    ordered: dict[Outcome, int] = {outcome: counts[outcome] for outcome in wording.OUTCOMES if counts[outcome]}
    return Summary(outcomes=ordered, sentence=text)


def _cut_short(summary: Summary, reason: str) -> Summary:
    """Return the summary of an interrupted run, which never holds."""
    judged = wording.listed(summary.outcomes, wording.OUTCOMES) or "no criterion"
    return summary.model_copy(update={"sentence": f"Interrupted ({reason}). Judged until then: {judged}."})


def schema() -> Mapping[str, Any]:
    """Return the JSON schema of the document."""
    return RunDocument.model_json_schema()


def _plain(value: float | str) -> float | str:
    """Return a value that JSON can represent: a finite number, else its text."""
    if isinstance(value, str):
        return value
    return float(value) if math.isfinite(value) else str(float(value))
