"""Failures that are expected: one criterion of one checkpoint, each with a range of values and a reason.

Entries are listed under `[[known_failures]]`, in a thresholds file or in `known_failures.toml` next to the checkpoint.
They hold for any seed and limit.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from vlaudit.toml_files import parse, read_text

FILE_NAME = "known_failures.toml"
NO_REASON = "STATE THE REASON"
"""Placeholder for `why` in a written file; an entry with it is refused."""


_FORMER = ("limit", "seed")  # keys of entries that held for one run


class KnownFailure(BaseModel):
    """One criterion that weights are known to fail or to leave inconclusive, with a value from `low` to `high`.

    `model` is the family, `sha256` the first 16 or more characters of the checkpoint's SHA-256 (of the fingerprint of a
    model without weights), `expect` the meaning of a pass, `data` the name of the data set, `why` the reason that the
    report shows.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    criterion: str
    model: str
    sha256: str = Field(min_length=16)
    expect: Literal["desirable", "published"] = "desirable"
    data: str = "scenes"
    low: float = Field(allow_inf_nan=False)
    high: float = Field(allow_inf_nan=False)
    why: str = Field(min_length=10)

    @model_validator(mode="before")
    @classmethod
    def _has_range(cls, given: Any) -> Any:
        if isinstance(given, dict) and not ({"low", "high"} <= given.keys() and given.keys().isdisjoint(_FORMER)):
            raise ValueError(
                "an entry must have low and high, the range of its value, and no limit or seed: it holds for any; "
                "`python -m fixtures.zoo known-failures MODEL` writes the file of a bundled model"
            )
        return given

    @field_validator("why")
    @classmethod
    def _is_reason(cls, why: str) -> str:
        if why.startswith(NO_REASON):
            raise ValueError(f"replace {NO_REASON!r} by the reason why this model is expected to fail the criterion")
        return why

    @model_validator(mode="after")
    def _is_ordered(self) -> KnownFailure:
        if self.low > self.high:
            raise ValueError(f"low must not be above high, got {self.low:g} and {self.high:g}")
        return self

    def is_of(self, fingerprint: str) -> bool:
        """Return whether the entry is about the weights with this fingerprint; a control ("+NAME") is another model."""
        return "+" not in fingerprint and fingerprint.removeprefix("sha256:").startswith(self.sha256)

    def expects(self, outcome: str, value: float, low: float, high: float) -> bool:
        """Return whether an outcome with this value and interval is the listed one.

        A failed or inconclusive criterion must have an interval that reaches the range, a passed one a value in it: the
        value of a few images may leave the range by chance, and a value near its bound may pass on some seeds.
        """
        if outcome == "pass":
            return self.low <= value <= self.high
        return outcome in ("fail", "inconclusive") and low <= self.high and self.low <= high


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    known_failures: list[KnownFailure]


def find_known_failure(
    entries: Iterable[KnownFailure], criterion: str, model: str, fingerprint: str, *, expect: str, data: str
) -> KnownFailure | None:
    """Return the entry of a criterion of this checkpoint, with this expectation and data; None if there is none."""
    wanted = criterion, model, expect, data
    found = (one for one in entries if (one.criterion, one.model, one.expect, one.data) == wanted)
    return next((one for one in found if one.is_of(fingerprint)), None)


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
    if not any(entry.is_of(fingerprint) for entry in entries):
        listed = ", ".join(sorted({entry.sha256 for entry in entries})) or "none"
        warnings.warn(
            f"{path}: no entry applies to {checkpoint.name} ({fingerprint}), all are of other weights ({listed}); "
            "update or delete the file",
            stacklevel=2,
        )
    return entries
