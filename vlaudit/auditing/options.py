"""The settings of a run as checked values, independent of how they were given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DEFAULT_LIMIT = 300
"""Samples per run where no limit is given."""


@dataclass(frozen=True)
class ModelOptions:
    """One model to audit: its family and how to load it."""

    family: str
    checkpoint: Path | None
    device: str
    dtype: str
    tokenizer: str | None
    download: bool


@dataclass(frozen=True)
class Options:
    """The settings of a run."""

    models: tuple[ModelOptions, ...]
    data: str
    limit: int
    batch_size: int | None
    seed: int
    thresholds: Path | None
    expect: str
    gate: bool
    json: Path
    html: Path
