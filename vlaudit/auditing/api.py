"""An audit as one function."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vlaudit.auditing.cases import check_thresholds
from vlaudit.auditing.judging import Decided, criterion_of, judge
from vlaudit.auditing.options import (
    DEFAULT_LIMIT,
    ModelOptions,
    Options,
    check_distinct,
    check_expect,
    check_number,
)
from vlaudit.auditing.record import RunRecord, VerdictRecord, measurements_of
from vlaudit.auditing.result import AuditResult
from vlaudit.auditing.run import Run
from vlaudit.auditing.sources import Source, find_cases
from vlaudit.errors import UsageError
from vlaudit.execution.progress import Stream
from vlaudit.findings import AuditCase
from vlaudit.models.base import ModelAdapter
from vlaudit.models.registry import display_names

Checkpoint = str | Path | None


def audit(
    models: str | ModelAdapter | Sequence[str | ModelAdapter],
    *,
    checkpoint: Checkpoint | Mapping[str, str | Path] = None,
    data: str = "scenes",
    limit: int = DEFAULT_LIMIT,
    seed: int = 0,
    thresholds: str | Path | None = None,
    expect: str = "desirable",
    gate: bool = False,
    findings: Iterable[str] | None = None,
    audits: Sequence[Source] | None = None,
    device: str = "auto",
    dtype: str = "float32",
    batch_size: int | None = None,
    tokenizer: str | None = None,
    download: bool = False,
    progress: Stream | None = None,
) -> AuditResult:
    """Audit one or several models, as `pytest audits/ --model NAME` does; equal inputs give equal documents.

    Parameters
    ----------
    models
        A family ("albef"), `FILE.py:Class`, or a model adapter; or a list of these.
    checkpoint
        Weights file; the bundled one if None. Of several models a mapping from model to file.
    data
        Data set: "scenes", "coco:DIR", ...
    limit
        Number of samples.
    seed
        Seed of every random draw.
    thresholds
        A thresholds file that extends the shipped one.
    expect
        Meaning of a pass: "desirable" (the model has the property) or "published" (the published finding reproduces).
    gate
        Draw more scenes while a criterion is inconclusive; what stays inconclusive fails.
    findings
        Ids of the findings to audit; all if None.
    audits
        Audit modules, files or folders; the shipped ones if None.
    device, dtype, tokenizer, download
        As in `vlaudit.load`; a model adapter is audited unchanged.
    batch_size
        Inputs per pass; found by trying if None.
    progress
        Stream for progress messages, such as `sys.stderr`.

    Raises `UsageError`, `CheckpointError`, `VocabularyError`, `AdapterError` or `DataError` before anything runs: one
    message with what to do.

    """
    shared = {"device": device, "dtype": dtype, "tokenizer": tokenizer, "download": download}
    options = Options(
        models=_model_options(models, checkpoint, shared),
        data=data,
        limit=check_number("limit", limit, least=1),
        batch_size=None if batch_size is None else check_number("batch_size", batch_size, least=1),
        seed=check_number("seed", seed, least=0),
        thresholds=None if thresholds is None else Path(thresholds),
        expect=check_expect("expect", expect),
        gate=gate,
    )
    cases = find_cases(audits, findings)
    run = Run.prepare(options)
    run.stream = progress
    names = ", ".join(map(repr, run.models))
    record = RunRecord(run, f"vlaudit.audit([{names}], data={data!r}, limit={limit}, seed={seed})")
    return _audited(run, record, cases)


def _audited(run: Run, record: RunRecord, cases: Sequence[AuditCase]) -> AuditResult:
    check_thresholds(run, cases)
    run.select((model, case) for model in run.models for case in cases)
    for model in run.models:
        for case in cases:
            criterion_of(run, model, case)  # a missing bound shows before anything is measured
    for model in run.models:
        for case in cases:
            started = time.perf_counter()
            decided = judge(run, model, case)
            if isinstance(decided, Decided):
                record.add(VerdictRecord.of(decided, time.perf_counter() - started))
        run.release(model)
    record.add_measurements(measurements_of(run))
    return AuditResult(record.document(), record.exhibits, run.tables())


def _model_options(
    models: str | ModelAdapter | Sequence[str | ModelAdapter],
    checkpoint: Checkpoint | Mapping[str, str | Path],
    shared: Mapping[str, Any],
) -> tuple[ModelOptions, ...]:
    given = list(models) if isinstance(models, Sequence) and not isinstance(models, str) else [models]
    if not given:
        raise UsageError("models: name at least one, such as 'albef'")
    for model in given:
        if isinstance(model, type):
            raise UsageError(f"models: must be names or model adapters, got the class {model.__name__}; call it first")
    specs = [model for model in given if isinstance(model, str)]
    names = display_names(specs)
    check_distinct("models:", [names[model] if isinstance(model, str) else model.name for model in given])
    paths = _checkpoints(checkpoint, names)
    return tuple(
        ModelOptions(names[model], model, paths.get(model), **shared)
        if isinstance(model, str)
        else ModelOptions(model.name, model.name, adapter=model)
        for model in given
    )


def _checkpoints(checkpoint: Checkpoint | Mapping[str, str | Path], names: Mapping[str, str]) -> dict[str, Path]:
    """Return the checkpoint of each model that has one, by its text."""
    if checkpoint is None:
        return {}
    if not isinstance(checkpoint, Mapping):
        if len(names) != 1:
            raise UsageError(f"checkpoint: {len(names)} models are loaded by name; give a mapping from model to file")
        return {next(iter(names)): Path(checkpoint)}
    for name in checkpoint:
        if name not in names:
            raise UsageError(f"checkpoint: no model {name!r} is audited, only {', '.join(names) or 'none by name'}")
    return {name: Path(path) for name, path in checkpoint.items()}
