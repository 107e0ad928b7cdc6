"""The JSON document of a run: everything that the report says, in a published schema.

`RunDocument.model_json_schema()` (`python -m vlaudit schema`) is the schema. Numbers are finite; an open side of an
interval, and a value that there is none of, is null.
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
    """The versions that computed the numbers."""

    vlaudit: str
    torch: str
    transformers: str
    python: str


class Subject(_Part):
    """One audited model: its family, its weights and where they ran.

    `checkpoint` is a path or "bundled", `fingerprint` the SHA-256 of the weights, `layout` what kind of file it was,
    `vocabulary` where the words came from, `keys` the key report.
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
    """How many units were chosen and measured, and why the others were refused."""

    planned: Whole = 0
    measured: Whole = 0
    refused: dict[str, Whole] = Field(default_factory=dict)


class DataRecord(_Part):
    """What was shown to the models: `spec` as typed after `--data`, `description` as the data set says it."""

    spec: str
    description: str
    seed: int
    limit: int | None = None
    counts: Counts = Field(default_factory=Counts)


class CriterionRecord(_Part):
    """What was demanded, what was found, what was decided.

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
        """Whether it did not pass, as is known of it."""
        return self.known_failure is not None and self.outcome in ("fail", "inconclusive")

    @property
    def signs(self) -> str:
        """The bound in signs."""
        return wording.bound(self.at_least, self.at_most, self.within)

    @property
    def interval(self) -> str:
        """The interval in brackets; empty where there is no estimate."""
        return "" if self.value is None else wording.interval(self.low, self.high)


class FindingRecord(_Part):
    """A finding as judged on one model; `published` names figures of the source, text to text."""

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
        """The outcome of its criteria that a reader must see first."""
        return wording.worst([criterion.outcome for criterion in self.criteria])


class Summary(_Part):
    """How many criteria came out how, and the verdict in one sentence."""

    outcomes: dict[Outcome, Whole]
    sentence: str


class RunDocument(_Part):
    """One run: what was audited, on what, and every verdict.

    `started` is ISO 8601, `seconds` the run's duration, `command` what was typed. `alpha` is the error of the whole
    suite, shared by the `m` criteria that the thresholds list, whatever was selected. A finding is listed once a model;
    `summaries` says by family what `summary` says of all.
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
            return _summary(criteria, expect=expect, gate=gate, models=len(of))

        by_family = {family: summary(family) for family in families}
        return cls(findings=findings, summary=summary(*families), summaries=by_family, **rest)

    def to_json(self, path: str | Path) -> None:
        """Write the document whole or not at all; `UsageError` where it cannot be written."""
        write_whole(Path(path), self.model_dump_json(indent=2) + "\n")

    @classmethod
    def from_json(cls, path: str | Path) -> RunDocument:
        """Read a document; `DataError` where the file is none of this schema version."""
        try:
            return cls.model_validate_json(Path(path).read_bytes())
        except OSError as error:
            raise DataError(f"the document {path} cannot be read: {error.strerror or error}") from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "the whole file"
            raise DataError(
                f"{path} is no document of schema version {SCHEMA_VERSION}: {where}: {first['msg']}"
            ) from error

    @property
    def several_models(self) -> bool:
        """Whether findings must say whose they are."""
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
    """Return the record of a verdict; the criterion's id may hold the finding's already.

    Without a title it is the id in words.
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


def schema() -> Mapping[str, Any]:
    """Return the JSON schema of the document."""
    return RunDocument.model_json_schema()


def _plain(value: float | str) -> float | str:
    """Return what JSON can hold: a number of Python's where it is finite, else its spelling."""
    if isinstance(value, str):
        return value
    return float(value) if math.isfinite(value) else str(float(value))
