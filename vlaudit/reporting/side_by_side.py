"""Verdicts of several models side by side: one row per criterion, one column per model."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from vlaudit.findings import Outcome
from vlaudit.reporting import wording
from vlaudit.reporting.document import CriterionRecord, FindingRecord, RunDocument

_SIGNS: dict[Outcome, str] = {
    "pass": "pass",
    "fail": "FAIL",
    "error": "ERROR",
    "inconclusive": "?",
    "not applicable": "n/a",
}
_LEGEND = "pass, FAIL; ?: inconclusive; n/a: not applicable; -: not run"
_LONGEST_NAME = 12
_SIGN = 5  # characters of the longest sign
_LEAST_LABEL = 24  # characters; a longer label has a line of its own


class Compared(NamedTuple):
    """One finding as judged on several models, None for a model that it was not judged on.

    `rows` are its criteria by id, one cell per model; title and bound are the same in all cells.
    """

    findings: tuple[FindingRecord | None, ...]
    rows: dict[str, tuple[CriterionRecord | None, ...]]

    @property
    def any(self) -> FindingRecord:
        """The finding as judged on one of the models: claim, source and figures are the same for all."""
        return next(finding for finding in self.findings if finding is not None)


def compared(document: RunDocument) -> dict[str, Compared]:
    """Return the findings by id, models in the order of the run, criteria in the order of their tests."""
    models = [subject.family for subject in document.subject]
    found: dict[str, dict[str, FindingRecord]] = {}
    for finding in document.findings:
        found.setdefault(finding.id, {})[finding.model] = finding
    return {name: _together(by_model, models) for name, by_model in found.items()}


def _together(by_model: dict[str, FindingRecord], models: Sequence[str]) -> Compared:
    findings = tuple(by_model.get(model) for model in models)
    criteria = [{c.id: c for c in finding.criteria} if finding else {} for finding in findings]
    ids = dict.fromkeys(name for one in criteria for name in one)
    return Compared(findings, {name: tuple(one.get(name) for one in criteria) for name in ids})


def matrix(document: RunDocument, width: int) -> list[str]:
    """Return one row per criterion and one column per model as lines of at most `width` characters.

    Models that do not fit side by side follow in further blocks.
    """
    rows = [row for name, one in compared(document).items() for row in _rows(name, one)]
    names = [short_name(subject.family) for subject in document.subject]
    widths, left = _columns(names, max((len(label) for label, _ in rows), default=0), width)
    lines: list[str] = []
    for block in _blocks(widths, width - left):
        lines += ["", *_block(rows, names, widths, block, left)] if lines else _block(rows, names, widths, block, left)
    known = any(c.known for f in document.findings for c in f.criteria)
    return [*lines, "", *textwrap.wrap(_LEGEND + ("; *: known failure" if known else ""), width)]


def _columns(names: Sequence[str], longest: int, width: int) -> tuple[list[int], int]:
    """Return the widths of the models' columns, gaps included, and of the labels; narrower where that saves a block."""
    wide = [max(len(name), _SIGN) for name in names]
    gap = 2 if longest + sum(wide) + 2 * len(wide) <= width else 1
    widths = [gap + one for one in wide]
    return widths, min(longest, max(width - sum(widths), _LEAST_LABEL))


def short_name(family: str) -> str:
    """Return a name short enough for a column heading; for a class of one's own, the class.

    >>> short_name("albef"), short_name("./mine.py:Adapter"), short_name("a-very-long-family")
    ('albef', 'Adapter', 'a-very-long…')
    """
    name = family.rpartition(":")[2]
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _rows(name: str, one: Compared) -> Iterator[tuple[str, tuple[str, ...] | None]]:
    """Yield labels with the cells of their row, None for a heading; cases of one test follow its name."""
    yield name, None
    stem = ""
    for criterion_id, cells in one.rows.items():
        head, _, case = criterion_id.removeprefix(f"{name}.").partition("[")
        if case and head != stem:
            yield f"  {head}", None
        stem = head
        yield f"    {case.removesuffix(']')}" if case else f"  {head}", tuple(map(_sign, cells))


def _sign(criterion: CriterionRecord | None) -> str:
    if criterion is None:
        return "-"
    return _SIGNS[criterion.outcome] + ("*" if criterion.known else "")


def _blocks(widths: Sequence[int], room: int) -> Iterator[range]:
    """Yield the columns that fit side by side, at least one at a time."""
    start, taken = 0, 0
    for i, width in enumerate(widths):
        if taken and taken + width > room:
            yield range(start, i)
            start, taken = i, 0
        taken += width
    yield range(start, len(widths))


def _block(
    rows: Sequence[tuple[str, tuple[str, ...] | None]],
    names: Sequence[str],
    widths: Sequence[int],
    block: range,
    left: int,
) -> list[str]:
    def line(label: str, cells: Sequence[str]) -> str:
        return (label.ljust(left) + "".join(" " + cells[i].ljust(widths[i] - 1) for i in block)).rstrip()

    lines = [line("", names)]
    for label, cells in rows:
        if cells is None or len(label) > left:
            whole = left + sum(widths[i] for i in block)
            lines += [label[i : i + whole] for i in range(0, len(label), whole)]
        if cells is not None:
            lines.append(line(label if len(label) <= left else "", cells))
    return lines


def failures(document: RunDocument, width: int) -> list[str]:
    """Return the bound of each failed criterion and the estimates of the models that fail it."""
    lines: list[str] = []
    for one in compared(document).values():
        for criterion_id, cells in one.rows.items():
            bad = [(s.family, c) for s, c in zip(document.subject, cells, strict=True) if c and _failed(c)]
            if bad:
                lines += textwrap.wrap(f"FAIL {criterion_id}, demanded {bad[0][1].bound}", width)
                for family, criterion in bad:
                    lines += textwrap.wrap(
                        f"{family}: {_found(criterion)}", width, initial_indent="  ", subsequent_indent="      "
                    )
    return lines


def _failed(criterion: CriterionRecord) -> bool:
    return criterion.outcome in ("fail", "error")


def _found(criterion: CriterionRecord) -> str:
    if criterion.value is None:
        return criterion.reason
    known = f", known: {criterion.known_failure}" if criterion.known_failure is not None else ""
    images = wording.plural(criterion.clusters or 0, "image")
    return f"{wording.number(criterion.value)} {criterion.interval}, {images}{known}"
