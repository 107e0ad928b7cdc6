"""The report page: self-contained HTML from our templates, with pytest's tests as its appendix."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from vlaudit.reporting import wording
from vlaudit.reporting.document import RunDocument
from vlaudit.reporting.exhibits import Drawn
from vlaudit.reporting.figures import figure_pairs
from vlaudit.reporting.several import anchor, overall, render_several
from vlaudit.reporting.strips import strip
from vlaudit.reporting.templating import fill, resource


class ResultRow(NamedTuple):
    """One test in the appendix: `cells` are `<td>` elements in the order of the header, `log` is plain text."""

    outcome: str
    cells: tuple[Markup, ...]
    log: str = ""


class ResultTable(NamedTuple):
    """The appendix: `header` are `<th>` elements."""

    header: tuple[Markup, ...]
    rows: tuple[ResultRow, ...]


def report_title(families: Sequence[str]) -> str:
    """Return the title of the report's window."""
    return f"{', '.join(families)} · vlaudit" if families else "vlaudit"


def render_page(
    document: RunDocument, exhibits: Mapping[tuple[str, str], Sequence[Drawn]], tests: ResultTable | None = None
) -> str:
    """Return the whole page; no request leaves it, and only its own script may run.

    `exhibits` maps finding id and model family to the results of `draw`.
    """
    script = resource("page.js")
    page = fill(
        "page.html",
        title=report_title([subject.family for subject in document.subject]),
        policy=_policy(script),
        style=Markup(resource("style.css")),  # noqa: S704 (ours)
        script=Markup(script),  # noqa: S704 (ours)
        sections=render_sections(document, exhibits),
        tests=tests,
    )
    return str(page)  # plain: markup would escape what is added to it


def render_sections(document: RunDocument, exhibits: Mapping[tuple[str, str], Sequence[Drawn]]) -> Markup:
    """Return banner, verdicts and findings as HTML without style; several models are compared side by side."""
    if document.several_models:
        return render_several(document, exhibits)
    return fill(
        "sections.html",
        document=document,
        exhibits={key: Markup("\n").join(Markup(one.html) for one in drawn) for key, drawn in exhibits.items()},  # noqa: S704 (exhibits escape, by contract)
        strip=strip,
        figure_pairs=figure_pairs,
        anchor=anchor,
        overall=overall(document),
        outcomes=wording.OUTCOMES,
    )


def _policy(script: str) -> str:
    """Return a content security policy: nothing is fetched, and no script runs but this one."""
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'"
