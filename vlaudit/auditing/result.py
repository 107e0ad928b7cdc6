"""The result of `vlaudit.audit`: verdicts, tables, document and report page."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vlaudit.errors import UsageError, nearest
from vlaudit.findings import Design
from vlaudit.reporting.document import CriterionRecord, RunDocument
from vlaudit.reporting.exhibits import Drawn
from vlaudit.reporting.files import write_whole
from vlaudit.reporting.html import render_page
from vlaudit.reporting.terminal import verdict_table
from vlaudit.tables import Table


@dataclass(frozen=True)
class AuditResult:
    """The result of one run, by function or by pytest.

    `document` holds the content of the report, `exhibits` the drawn figures by finding id and model, `tables`
    the measured rows by model and design id. In a notebook it shows its report.
    """

    document: RunDocument
    exhibits: Mapping[tuple[str, str], list[Drawn]] = field(repr=False)
    tables: Mapping[tuple[str, str], Table] = field(repr=False)

    @property
    def verdicts(self) -> dict[str, dict[str, CriterionRecord]]:
        """The verdicts by model and criterion id, each with its outcome, estimate, interval, bound and reason."""
        found: dict[str, dict[str, CriterionRecord]] = {subject.family: {} for subject in self.document.subject}
        for finding in self.document.findings:
            found[finding.model] |= {criterion.id: criterion for criterion in finding.criteria}
        return found

    @property
    def decided(self) -> bool:
        """True if any criterion was judged with a decision; without one, a run never passes."""
        return self.document.decided

    @property
    def passed(self) -> bool:
        """True if something was decided and nothing fails the run, as pytest's exit code 0 states."""
        return self.decided and not any(
            criterion.fails(gate=self.document.gate)
            for finding in self.document.findings
            for criterion in finding.criteria
        )

    def table(self, design: Design | str, model: str | None = None) -> Table:
        """Return the measured rows of a design, one per unit, with a polars data frame as `frame`.

        `model` may be left out if one was audited. Raises `UsageError` for a design or model that was not measured.
        """
        wanted = design if isinstance(design, str) else design.id
        models = [subject.family for subject in self.document.subject]
        if model is None and len(models) > 1:
            raise UsageError(f"table: {len(models)} models were audited ({', '.join(models)}); name one with model=")
        key = model or models[0], wanted
        if key not in self.tables:
            measured = [f"{name} of {of}" for of, name in self.tables]
            raise UsageError(f"table: {wanted} of {key[0]} was not measured{nearest(' of '.join(key[::-1]), measured)}")
        return self.tables[key]

    def to_json(self, path: str | Path) -> None:
        """Write the document, whole or not at all; `UsageError` where it cannot be written."""
        self.document.to_json(path)

    def to_html(self, path: str | Path) -> None:
        """Write the report page, whole or not at all; `UsageError` where it cannot be written."""
        write_whole(Path(path), render_page(self.document, self.exhibits))

    def __str__(self) -> str:
        return "\n".join(verdict_table(self.document))

    def _repr_html_(self) -> str:
        """Return the page in a frame of its own, which keeps its style from the notebook."""
        page = html.escape(render_page(self.document, self.exhibits))
        return f'<iframe title="vlaudit report" srcdoc="{page}" style="width: 100%; height: 40rem; border: 0"></iframe>'
