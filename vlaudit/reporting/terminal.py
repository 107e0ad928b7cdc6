"""The verdicts as lines of a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from vlaudit.reporting import wording
from vlaudit.reporting.document import CriterionRecord, FindingRecord, RunDocument
from vlaudit.reporting.side_by_side import failures, matrix

_WORDS = {"fail": "FAIL", "error": "ERROR", "inconclusive": "inconclusive", "not applicable": "n/a", "pass": "pass"}
_HEADING = ("", "estimate", "bound", "images", "verdict")
NOT_REPRODUCED = "the published weakness does not reproduce on this checkpoint"
_NARROWEST = 72
_GAP = "  "

Row = tuple[str, ...]
"""The cells of a line; a heading has one."""


def verdict_table(document: RunDocument, width: int = 80, report: str | None = None) -> list[str]:
    """Return the verdicts as lines of at most `width` (72 or more) characters.

    Criteria are listed under their finding with estimate, interval, bound, number of images and verdict. Reasons for
    those that did not pass follow, then the verdict in one sentence; `report` is the path in the last line. Of several
    models, verdicts are shown side by side, and estimates for failures only.
    """
    width = max(width, _NARROWEST)
    lines = _several(document, width) if document.several_models else _one(document, width)
    lines += ["", *textwrap.wrap(document.summary.sentence, width)]
    return [*lines, f"report: {report}"] if report else lines


def _one(document: RunDocument, width: int) -> list[str]:
    rows: list[Row] = [_HEADING]
    for finding in document.findings:
        rows += _rows(finding)
    lines = _aligned(rows, width)
    for finding in document.findings:
        lines += _explained_finding(finding, width, published=document.expect == "published")
    return lines


def _several(document: RunDocument, width: int) -> list[str]:
    lines = matrix(document, width)
    if failed := failures(document, width):
        lines += ["", *failed]
    lines.append("")
    for family, summary in document.summaries.items():
        lines += textwrap.wrap(f"{family}: {summary.sentence}", width, subsequent_indent="    ")
    return lines


def _rows(finding: FindingRecord) -> Iterator[Row]:
    yield (finding.id + (": not audited" if finding.status == "not audited" else ""),)
    for criterion in finding.criteria:
        name = "  " + criterion.id.removeprefix(f"{finding.id}.")
        estimate = "" if criterion.value is None else f"{wording.number(criterion.value)} {criterion.interval}"
        images = "" if criterion.clusters is None else str(criterion.clusters)
        known = " (known)" if criterion.known else ""
        yield name, estimate, criterion.signs, images, _WORDS[criterion.outcome] + known


def _aligned(rows: Sequence[Row], width: int) -> list[str]:
    """Align the cells in columns; a long name is on a line of its own."""
    columns = [row[1:] for row in rows if len(row) > 1]
    widths = [max(len(row[i]) for row in columns) for i in range(len(_HEADING) - 1)]
    room = width - sum(widths) - len(_GAP) * len(widths)
    names = [len(row[0]) for row in rows if len(row) > 1 and len(row[0]) <= room]
    lines = []
    for name, *cells in rows:
        if not cells or len(name) > room:
            lines += [name[i : i + width] for i in range(0, len(name), width)]
            name = ""  # noqa: PLW2901 (its line is written)
        if cells:
            estimate, bound, images, verdict = cells
            padded = [
                name.ljust(max(names, default=0)),
                estimate.ljust(widths[0]),
                bound.ljust(widths[1]),
                images.rjust(widths[2]),
                verdict,
            ]
            lines.append(_GAP.join(padded).rstrip())
    return lines


_COMPETENCE = (
    "The model recognizes the unchanged images.",
    "It does not, so that nothing else about this finding can be concluded.",
)
"""Claim of a criterion of competence, and what its failure means."""


def _explained_finding(finding: FindingRecord, width: int, *, published: bool) -> list[str]:
    """Return the reasons for the criteria that did not pass, or the one reason for a finding that was not audited."""
    if finding.status == "not audited":
        return textwrap.wrap(f"not audited {finding.id}: {finding.reason}", width, subsequent_indent="    ")
    means = NOT_REPRODUCED if published else finding.failing
    claim = "" if published else finding.claim
    return [
        line
        for criterion in finding.criteria
        for line in _explained(*(_COMPETENCE if criterion.competence else (claim, means)), criterion, width)
    ]


def _explained(claim: str, means: str, criterion: CriterionRecord, width: int) -> list[str]:
    """Return the reason why a criterion did not pass, with claim and bound for a failure."""
    if criterion.outcome == "pass":
        return []
    heading = f"{_WORDS[criterion.outcome]} {criterion.id}"
    if criterion.outcome != "fail" or criterion.value is None:
        return textwrap.wrap(f"{heading}: {criterion.reason}", width, initial_indent="", subsequent_indent="    ")
    confidence = f"{100 * (criterion.confidence or 0):.4g}%"
    facts = {
        "claim": claim,
        "estimate": f"{wording.number(criterion.value)} {criterion.interval} at {confidence}, "
        + wording.plural(criterion.clusters or 0, "image"),
        "threshold": f"{criterion.bound}: {criterion.why}",
        "means": means,
        "known": criterion.known_failure or "",
    }
    lines = ["", heading]
    for name, text in facts.items():
        if text:
            lines += textwrap.wrap(text, width, initial_indent=f"  {name:<11}", subsequent_indent=" " * 13)
    return lines
