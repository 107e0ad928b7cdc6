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
from vlaudit.known_failures import KnownFailure
from vlaudit.reporting import wording
from vlaudit.reporting.files import write_whole

SCHEMA_VERSION: Final = "1"
Whole = Annotated[int, Field(ge=0)]
"""A count."""
Status = Literal["holds", "fails", "error", "undecided", "not audited"]
"""Result of a run about a claim; "not audited" if no criterion of it could be judged."""
_STATUS: Final[dict[Outcome, Status]] = {
    "fail": "fails",
    "error": "error",
    "inconclusive": "undecided",
    "pass": "holds",
    "not applicable": "not audited",
}


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
    `at_least`, `at_most`, `within` states in numbers. `alpha` is the criterion's share of the suite's error,
    `confidence` the level of the interval, `power` the probability that a run of this size decides it, `needed` the
    number of images (`--limit`) that would probably do. `competence` is true if it judges only whether the model can
    read the stimuli. `known_failure` is the reason why a failure is expected, with a value in `known_range`; `as_known`
    states whether this outcome is the expected one. `duration` is in seconds.
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
    confidence: float | None = None
    units: Whole | None = None
    clusters: Whole | None = None
    method: str | None = None
    seed: int | None = None
    needed: int | None = None
    power: float | None = None
    shown: dict[str, float | str] = Field(default_factory=dict)
    competence: bool = False
    known_failure: str | None = None
    known_range: tuple[float, float] | None = None
    as_known: bool | None = None
    duration: float = 0.0

    @property
    def known(self) -> bool:
        """True if it is a known failure that did not pass, as expected."""
        return self.as_known is True and self.outcome in ("fail", "inconclusive")

    @property
    def unread(self) -> bool:
        """True if it judges whether the model can read the stimuli, and the model was not blamed that it cannot."""
        return self.competence and self.outcome == "not applicable" and self.value is not None

    @property
    def about_claim(self) -> Outcome:
        """The outcome as evidence about the claim: that the model can read the stimuli is none."""
        return "not applicable" if self.competence and self.outcome == "pass" else self.outcome

    def fails(self, *, gate: bool) -> bool:
        """Return whether it fails the run."""
        return fails(self.outcome, gate=gate, as_known=self.as_known)

    @property
    def signs(self) -> str:
        """The bound in symbols."""
        return wording.bound(self.at_least, self.at_most, self.within)

    @property
    def interval(self) -> str:
        """The interval in brackets; empty without an estimate."""
        return "" if self.value is None else wording.interval(self.low, self.high)


class FindingRecord(_Part):
    """A finding as judged on one model; `published` maps names to figures of the source, as text.

    `status` states what the run found out about the claim, `reason` why it was not audited.
    """

    id: str
    claim: str
    source: str
    failing: str
    published: dict[str, str] = Field(default_factory=dict)
    model: str
    counts: Counts = Field(default_factory=Counts)
    status: Status
    reason: str = ""
    criteria: tuple[CriterionRecord, ...]

    @property
    def outcome(self) -> Outcome:
        """The most important outcome of its criteria."""
        return wording.worst([criterion.about_claim for criterion in self.criteria])


class Summary(_Part):
    """Number of criteria per outcome, the status of the run, and the verdict in one sentence."""

    outcomes: dict[Outcome, Whole]
    status: Status
    sentence: str

    @property
    def outcome(self) -> Outcome:
        """The outcome that has this status."""
        return next(outcome for outcome, status in _STATUS.items() if status == self.status)


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
            found = _summary([one for one in findings if one.model in of], expect=expect, gate=gate, models=len(of))
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
    def decided(self) -> bool:
        """True if any criterion was judged with a decision; without one, a run never holds."""
        return any_decided([criterion for finding in self.findings for criterion in finding.criteria])

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
    known_failure: KnownFailure | None = None,
    as_known: bool | None = None,
    competence: bool = False,
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
        "power": verdict.power,
        "competence": competence,
        "known_failure": known_failure and known_failure.why,
        "known_range": known_failure and (known_failure.low, known_failure.high),
        "as_known": as_known,
        "duration": duration,
    }
    if estimate is not None:
        fields |= {
            "value": wording.finite(estimate.value),
            "low": wording.finite(estimate.low),
            "high": wording.finite(estimate.high),
            "confidence": 1 - estimate.alpha,
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
    """Return the record of a finding as judged on one model.

    A finding does not hold where a part of it was not audited, because the model cannot read its stimuli.
    """
    status = _STATUS[wording.worst([criterion.about_claim for criterion in criteria])]
    if status == "holds" and any(criterion.unread for criterion in criteria):
        status = "undecided"
    return FindingRecord(
        id=finding.id,
        claim=finding.claim,
        source=finding.source,
        failing=finding.failing,
        published=dict(finding.published),
        model=model,
        counts=counts or Counts(),
        status=status,
        reason=_reason(criteria) if status in ("not audited", "undecided") else "",
        criteria=criteria,
    )


def _reason(criteria: Sequence[CriterionRecord]) -> str:
    """Return why a claim was not audited: the reason of its competence, else the most common one."""
    reasons = [(one.competence, one.reason) for one in criteria if one.outcome == "not applicable"]
    common = Counter([reason for competence, reason in reasons if competence] or [reason for _, reason in reasons])
    return common.most_common(1)[0][0] if common else "only competence was judged, which is no evidence about the claim"


def fails(outcome: Outcome, *, gate: bool, as_known: bool | None = None) -> bool:
    """Return whether an outcome fails a run.

    `as_known` states whether it is the outcome of a known failure; None if the criterion has none.
    """
    if outcome == "not applicable":
        return False
    if as_known is not None:
        return not as_known
    return outcome in ("fail", "error") or (gate and outcome == "inconclusive")


def any_decided(criteria: Sequence[CriterionRecord]) -> bool:
    """Return whether any criterion was judged with a decision; competence decides only by failing."""
    return any(criterion.about_claim in ("pass", "fail") for criterion in criteria)


def _summary(
    findings: Sequence[FindingRecord], *, expect: Literal["desirable", "published"], gate: bool, models: int
) -> Summary:
    criteria = [criterion for finding in findings for criterion in finding.criteria]
    counts = Counter(criterion.outcome for criterion in criteria)
    status = _run_status(criteria, gate=gate)
    unaudited = [finding for finding in findings if finding.status == "not audited"]
    told = Counter(finding.reason for finding in unaudited).most_common(1)
    text = wording.sentence(
        counts,
        status,
        expect=expect,
        gate=gate,
        decided=any_decided(criteria),
        known=sum(criterion.known for criterion in criteria),
        outside=sum(criterion.as_known is False for criterion in criteria),
        models=models,
        unaudited=[finding.id if models == 1 else f"{finding.id} ({finding.model})" for finding in unaudited],
        reason=told[0][0] if told else "",
    )
    ordered: dict[Outcome, int] = {outcome: counts[outcome] for outcome in wording.OUTCOMES if counts[outcome]}
    return Summary(outcomes=ordered, status=status, sentence=text)


def _run_status(criteria: Sequence[CriterionRecord], *, gate: bool) -> Status:
    """Return the status of a run: a known failure does not fail it, an inconclusive criterion only a gate."""
    if any(criterion.fails(gate=gate) for criterion in criteria):
        return "error" if not any(one.fails(gate=gate) and one.outcome != "error" for one in criteria) else "fails"
    if any_decided(criteria):
        open_ = any((one.outcome == "inconclusive" and not one.known) or one.unread for one in criteria)
        return "undecided" if open_ else "holds"
    return "undecided" if any(one.outcome == "inconclusive" for one in criteria) else "not audited"


def _cut_short(summary: Summary, reason: str) -> Summary:
    """Return the summary of an interrupted run, which never holds."""
    judged = wording.listed(summary.outcomes, wording.OUTCOMES) or "no criterion"
    status = "undecided" if summary.status == "holds" else summary.status
    sentence = f"Interrupted ({reason}). Judged until then: {judged}."
    return summary.model_copy(update={"status": status, "sentence": sentence})


def schema() -> Mapping[str, Any]:
    """Return the JSON schema of the document."""
    return RunDocument.model_json_schema()


def _plain(value: float | str) -> float | str:
    """Return a value that JSON can represent: a finite number, else its text."""
    if isinstance(value, str):
        return value
    return float(value) if math.isfinite(value) else str(float(value))
