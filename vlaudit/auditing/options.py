"""The settings of a run as checked values, independent of how they were given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from vlaudit.errors import UsageError

DEFAULT_LIMIT = 300
"""Images per run where no limit is given."""

Expect = Literal["desirable", "published"]


@dataclass(frozen=True)
class ModelOptions:
    """One model to audit.

    `name` is its name in test ids, thresholds and reports; `spec` is what `vlaudit.load` takes (a family or
    `FILE.py:Class`) with `checkpoint`, `device`, `dtype`, `tokenizer` and `download`. An `adapter` that exists already
    is audited unchanged. `control` is the name of a control: a defect that the model gets before it is audited.
    """

    name: str
    spec: str
    checkpoint: Path | None = None
    device: str = "auto"
    dtype: str = "float32"
    tokenizer: str | None = None
    download: bool = False
    adapter: Any = None
    control: str | None = None


@dataclass(frozen=True)
class Options:
    """The settings of a run; `batch_size` None finds a size by trying, `thresholds` None reads the shipped file."""

    models: tuple[ModelOptions, ...]
    data: str = "scenes"
    limit: int = DEFAULT_LIMIT
    batch_size: int | None = None
    seed: int = 0
    thresholds: Path | None = None
    expect: Expect = "desirable"
    gate: bool = False

    @property
    def control(self) -> str | None:
        """Control of the run; None where the models are audited as they are."""
        return next((model.control for model in self.models), None)


def check_number(name: str, number: object, *, least: int) -> int:
    """Return a whole number, also if it is given as text; `UsageError` if it is none or too small."""
    try:
        whole = int(str(number))
    except ValueError:
        whole = least - 1
    if whole < least:
        raise UsageError(f"{name} must be a whole number of at least {least}, got {number!r}")
    return whole


def check_expect(name: str, text: str) -> Expect:
    """Return the meaning of a pass; `UsageError` for another word."""
    if text in get_args(Expect):
        return cast(Expect, text)
    raise UsageError(f"{name} must be desirable or published, got {text!r}")


def check_distinct(name: str, models: list[str]) -> None:
    """Raise `UsageError` where a model is given twice."""
    twice = sorted({model for model in models if models.count(model) > 1})
    if twice:
        raise UsageError(f"{name} {twice[0]} is given twice; name each model once")
