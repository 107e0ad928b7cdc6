"""Names of the report files: runs that differ in weights, expectation, control or selection do not share one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vlaudit.auditing.options import ModelOptions, Options
from vlaudit.errors import UsageError
from vlaudit.reporting.files import check_writable

_LONGEST = 60
"""Characters of a checkpoint's stem in a report's name."""


@dataclass(frozen=True)
class ReportPaths:
    """Paths of the reports: `html` and `json` as given, or None for `folder` and a name that starts with `stem`."""

    html: Path | None
    json: Path | None
    folder: Path
    stem: str

    def check(self) -> None:
        """Raise `UsageError` where the reports could not be written."""
        html, json = self._paths(self.stem)
        if html == json:
            raise UsageError(f"--audit-html and --audit-json name the same file, {html}; the report needs two")
        for path in (html, json):
            check_writable(path)

    def of_run(self, options: Options, fingerprints: Sequence[str], *, selection: bool) -> tuple[Path, Path]:
        """Return the paths of the HTML report and the JSON document of a run on models with these fingerprints."""
        weights = (_of_weights(*pair) for pair in zip(options.models, fingerprints, strict=True))
        return self._paths("".join((self.stem, *weights, *_suffixes(options, selection=selection))))

    def _paths(self, name: str) -> tuple[Path, Path]:
        html = self.html or self.folder / f"{name}.html"
        return html, self.json or html.with_suffix(".json")


def _of_weights(model: ModelOptions, fingerprint: str) -> str:
    """Return the part of a name for weights that are not the bundled ones: stem and SHA-256, shortened."""
    if model.checkpoint is None:
        return ""
    sha = fingerprint
    if not re.match("[0-9a-f]{8}", sha):  # an adapter of one's own may state any text
        sha = hashlib.sha256(sha.encode()).hexdigest()
    return f"-{_safe(model.checkpoint.name if model.checkpoint.is_dir() else model.checkpoint.stem)}-{sha[:8]}"


def _safe(stem: str) -> str:
    return re.sub(r"[^\w.-]+", "-", stem)[:_LONGEST].strip("-.") or "checkpoint"


def _suffixes(options: Options, *, selection: bool) -> Iterator[str]:
    if control := options.control:
        yield f".control-{_safe(control)}"
    if options.expect != "desirable":
        yield f".{options.expect}"
    if selection:
        yield ".selection"
