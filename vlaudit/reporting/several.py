"""The report of several models: one table of all verdicts, then each finding with the models side by side."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from vlaudit.findings import Outcome
from vlaudit.reporting import wording
from vlaudit.reporting.document import FindingRecord, RunDocument
from vlaudit.reporting.exhibits import Drawn, joined
from vlaudit.reporting.figures import figure_pairs, figures
from vlaudit.reporting.side_by_side import compared, short_name
from vlaudit.reporting.templating import fill


class Side(NamedTuple):
    """One exhibit of several models: one picture of all, or one per model; `lacks` maps a reason to models without."""

    title: str
    whole: Markup | None
    each: dict[str, Markup]
    lacks: dict[str, list[str]]


def render_several(document: RunDocument, exhibits: Mapping[tuple[str, str], Sequence[Drawn]]) -> Markup:
    """Return the sections of a page about several models; `exhibits` holds results of `draw`, by finding and model."""
    families = [subject.family for subject in document.subject]
    return fill(
        "several.html",
        document=document,
        families=families,
        short=short_name,
        compared=compared(document),
        figure_pairs=figure_pairs,
        figures=figures,
        sides=lambda finding_id: list(_sides(finding_id, families, exhibits)),
        samples=lambda finding_id, family: [
            Markup(one.html)  # noqa: S704 (exhibits escape, by contract)
            for one in exhibits.get((finding_id, family), ())
            if one.samples and not one.lacks
        ],
        refusals=_refusals(document),
        anchor=anchor,
        overall=overall,
        outcomes=wording.OUTCOMES,
    )


def anchor(finding: FindingRecord) -> str:
    """Return the HTML id of a finding on a model."""
    return re.sub(r"[^\w-]+", "-", f"{finding.id}-{finding.model}")


def overall(document: RunDocument, family: str | None = None) -> Outcome:
    """Return the outcome of a whole run, or of one of its models."""
    return (document.summary if family is None else document.summaries[family]).outcome


def _sides(
    finding_id: str, families: Sequence[str], exhibits: Mapping[tuple[str, str], Sequence[Drawn]]
) -> Iterator[Side]:
    """Yield the exhibits of a finding that do not show single samples, each with all models."""
    drawn = {family: exhibits[finding_id, family] for family in families if (finding_id, family) in exhibits}
    for each in zip(*drawn.values(), strict=True):
        if not each[0].samples:
            yield _side(dict(zip(drawn, each, strict=True)), families)


def _side(drawn: Mapping[str, Drawn], families: Sequence[str]) -> Side:
    lacks: dict[str, list[str]] = {}
    for family, one in drawn.items():
        if one.lacks:
            lacks.setdefault(one.lacks, []).append(family)
    shown = {family: one for family, one in drawn.items() if not one.lacks}
    title = next(iter(drawn.values())).title
    plain = {family: one.plain for family, one in shown.items() if one.plain is not None}
    whole = joined(plain, families) if shown and len(plain) == len(shown) else None
    if whole is not None:
        return Side(title, Markup(whole), {}, lacks)  # noqa: S704 (it is escaped inside)
    return Side(title, None, {family: Markup(one.html) for family, one in shown.items()}, lacks)  # noqa: S704 (as above)


def _refusals(document: RunDocument) -> dict[tuple[str, str], dict[str, int]]:
    """Return the number of refused units per model, by finding and reason."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for finding in document.findings:
        for reason, count in finding.counts.refused.items():
            found.setdefault((finding.id, reason), {})[finding.model] = count
    return found
