"""Failures that are expected: one criterion of one checkpoint, each with its reason.

Entries are listed under `[[known_failures]]`, in a thresholds file or in `known_failures.toml` next to the checkpoint.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from vlaudit.toml_files import parse, read_text

FILE_NAME = "known_failures.toml"


class KnownFailure(BaseModel):
    """One criterion that weights are known to fail, for one number of samples and one seed.

    `model` is the family, `sha256` a part of the checkpoint's fingerprint, `why` the reason that the report shows.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    criterion: str
    model: str
    sha256: str = Field(min_length=8)
    limit: int = Field(ge=1)
    seed: int = Field(ge=0)
    why: str = Field(min_length=10)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    known_failures: list[KnownFailure]


def find_known_failure(
    entries: Iterable[KnownFailure], criterion: str, model: str, fingerprint: str, *, limit: int, seed: int
) -> str | None:
    """Return the reason why a criterion of this checkpoint, limit and seed is known to fail; None if it is not."""
    for entry in entries:
        same_run = (entry.criterion, entry.model, entry.limit, entry.seed) == (criterion, model, limit, seed)
        if same_run and entry.sha256 in fingerprint:
            return entry.why
    return None


def read_known_failures(path: Path) -> tuple[KnownFailure, ...]:
    """Read a `known_failures.toml`. Raises `UsageError` with file and line for an invalid entry."""
    source = str(path)
    return tuple(parse(read_text(path, source), _File, source).known_failures)


def known_failures_of(checkpoint: Path, fingerprint: str) -> tuple[KnownFailure, ...]:
    """Return the entries of the `known_failures.toml` next to a weights file, or inside a folder of weights, if any.

    Warns if all entries are of other weights than those of `fingerprint`: the checkpoint was replaced, the file was
    not. Raises `UsageError` for an invalid file.
    """
    path = (checkpoint if checkpoint.is_dir() else checkpoint.parent) / FILE_NAME
    if not path.is_file():
        return ()
    entries = read_known_failures(path)
    if not any(entry.sha256 in fingerprint for entry in entries):
        listed = ", ".join(sorted({entry.sha256 for entry in entries})) or "none"
        warnings.warn(
            f"{path}: no entry applies to {checkpoint.name} ({fingerprint}), all are of other weights ({listed}); "
            "update or delete the file",
            stacklevel=2,
        )
    return entries
