"""The report: our sections for pytest-html's page, and that page made fit to be read.

pytest-html carries the report: `render_sections` goes into its summary by `pytest_html_results_summary`, and `finish`
turns what it wrote into the page, ours first, pytest's own table an appendix.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

from vlaudit.errors import VlauditError
from vlaudit.reporting import wording
from vlaudit.reporting.document import RunDocument
from vlaudit.reporting.exhibits import Drawn
from vlaudit.reporting.figures import beside
from vlaudit.reporting.files import write_whole
from vlaudit.reporting.several import anchor, overall, render_several
from vlaudit.reporting.strips import strip
from vlaudit.reporting.templating import fill, resource

_BEGIN, _END = "<!-- vlaudit begins -->", "<!-- vlaudit ends -->"
"""Text from data cannot hold these: it is escaped."""
_CHANGES = {'<h1 id="title">': "<h2>", "</h1>": "</h2>", ' onclick="location.reload()"': ""}
_TEST_ID = re.compile(r'(<td class="col-testId">)(.*)(</td>)', re.DOTALL)


def report_title(families: Sequence[str]) -> str:
    """Return what the report's window is called."""
    return f"{', '.join(families)} · vlaudit" if families else "vlaudit"


def render_sections(document: RunDocument, exhibits: Mapping[tuple[str, str], Sequence[Drawn]]) -> str:
    """Return banner, table and findings as HTML, to be put into pytest-html's summary.

    Several models stand side by side. `exhibits` holds what `draw` gave, by finding id and model family. The style
    comes with `finish`.
    """
    if document.several_models:
        return f"{_BEGIN}{render_several(document, exhibits)}{_END}"
    sections = fill(
        "sections.html",
        document=document,
        exhibits={key: Markup("\n").join(Markup(one.html) for one in drawn) for key, drawn in exhibits.items()},  # noqa: S704 (exhibits escape, by contract)
        strip=strip,
        compared=beside,
        anchor=anchor,
        overall=overall(document),
        outcomes=wording.OUTCOMES,
    )
    return f"{_BEGIN}{sections}{_END}"


def finish(path: str | Path, to: str | Path | None = None) -> None:
    """Make the page that pytest-html wrote to `path` the report, and move it to `to` (default: where it is) at once.

    Gives it a language, a viewport and our style, puts our sections first and its own table into an appendix, makes
    that reachable by keyboard, and forbids every request: only the scripts that the page holds now may run. Where
    `to` is another file, `path` is removed. Raises `VlauditError` where `path` is not pytest-html's.
    """
    path, target = Path(path), Path(to if to is not None else path)
    page = path.read_text(encoding="utf-8")
    title = _part(page, r"<title[^>]*>(.*?)</title>", "title")
    style = _part(page, r"<style[^>]*>(.*?)</style>", "style")
    body = _part(page, r"<body[^>]*>(.*)</body>", "body")
    ours = _part(body, f"{_BEGIN}(.*){_END}", "section of vlaudit")
    appendix = _appendix(body.replace(f"{_BEGIN}{ours}{_END}", ""))
    keyboard = resource("appendix.js")
    finished = fill(
        "page.html",
        title=Markup(title),  # noqa: S704 (pytest-html escaped it, as all of its page)
        policy=_policy([*re.findall(r"<script>(.*?)</script>", appendix, flags=re.DOTALL), keyboard]),
        style=Markup(resource("style.css")),  # noqa: S704
        theirs=Markup(style),  # noqa: S704
        sections=Markup(ours),  # noqa: S704
        appendix=Markup(appendix),  # noqa: S704
        keyboard=Markup(keyboard),  # noqa: S704
    )
    write_whole(target, finished)
    if path != target:
        path.unlink(missing_ok=True)


def _part(page: str, pattern: str, what: str) -> str:
    found = re.search(pattern, page, flags=re.DOTALL)
    if found is None:
        raise VlauditError(f"pytest-html wrote a page without a {what}; it stays as pytest-html wrote it")
    return found.group(1)


def _appendix(theirs: str) -> str:
    """Return pytest-html's body as a part of our page: a lesser heading, no handler in an attribute, safe ids."""
    for old, new in _CHANGES.items():
        theirs = theirs.replace(old, new)
    return re.sub(r'(?<=data-jsonblob=")[^"]*', lambda found: _safe_ids(found.group()), theirs)


def _safe_ids(blob: str) -> str:
    """Escape the tests' ids, which pytest-html puts into its table as they are: their parameters may come from data."""
    data = json.loads(html.unescape(blob))
    for test in (test for tests in data["tests"].values() for test in tests):
        test["resultsTableRow"] = [_TEST_ID.sub(_escaped, cell) for cell in test["resultsTableRow"]]
    return html.escape(json.dumps(data))


def _escaped(found: re.Match[str]) -> str:
    return found[1] + html.escape(found[2]) + found[3]


def _policy(scripts: Sequence[str]) -> str:
    """Return a content security policy: nothing is fetched, no script runs but these."""
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{one}'" for one in hashes)
    return f"default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; script-src {allowed}"
