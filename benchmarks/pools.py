"""Pools of measured scenes for `benchmarks.detection`: rows of every design for healthy models and controls, on disk.

A pool is measured in chunks, each a run of its own: a command that is cut short continues with the missing chunks.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import polars as pl

from vlaudit import load
from vlaudit.auditing.sources import find_cases
from vlaudit.controls import CONTROLS
from vlaudit.controls.adapter import with_control
from vlaudit.datasets.scenes import Scenes
from vlaudit.errors import UsageError, VlauditError
from vlaudit.execution.parts import Parts
from vlaudit.execution.plan import Plan, plan_parts
from vlaudit.execution.run import Measured, run
from vlaudit.findings import Design
from vlaudit.models.base import ForwardRequest, ModelAdapter
from vlaudit.models.bundled import bundled_checkpoint
from vlaudit.samples import Sample
from vlaudit.tables import IMAGE, Table
from vlaudit.traces import Reading, Trace

SEED = 2000
"""Seed of the scenes, which no training and no default run has drawn."""
CHUNK = 300
"""Scenes per chunk: as many as the default run has."""
BATCH = 32
SECOND_SEED = "second-seed"


@dataclass(frozen=True)
class Subject:
    """A healthy model (`control` None) or a control, with the weights under it."""

    model: str
    checkpoint: Path
    control: str | None = None

    @property
    def name(self) -> str:
        """Name in the table, and of the folder with its rows."""
        healthy = SECOND_SEED if self.checkpoint.parent.name == SECOND_SEED else "healthy"
        return self.control or healthy


def subjects(model: str, controls: Iterable[str]) -> list[Subject]:
    """Return the bundled weights of a family, its second training seed if there is one, and its controls."""
    bundled = bundled_checkpoint(model)
    second = bundled.parent / SECOND_SEED / bundled.name
    healthy = [Subject(model, path) for path in (bundled, second) if path.is_file()]
    return [*healthy, *(Subject(model, bundled, control) for control in controls)]


def measure(subjects: Sequence[Subject], folder: Path, chunk: int, scenes: int) -> dict[str, str]:
    """Measure one chunk of the pool for every subject that lacks it; return why controls are not available.

    All subjects must have the same weights.
    """
    missing = [one for one in subjects if not (_chunk(folder, one, chunk) / "done.json").is_file()]
    if not missing:
        return {}
    base = _Remembering(load(missing[0].model, checkpoint=missing[0].checkpoint))
    samples = list(Scenes(SEED, limit=CHUNK * chunk + scenes))[CHUNK * chunk :]
    adapters: dict[Subject, ModelAdapter] = {}
    unavailable: dict[str, str] = {}
    for one in missing:
        try:
            adapters[one] = base if one.control is None else _control(one.control, base, samples)
        except UsageError as error:
            unavailable[one.name] = str(error)
    for one, found in _measured(base, adapters, samples).items():
        _write(_chunk(folder, one, chunk), found)
    return unavailable


def _control(name: str, base: _Remembering, samples: Sequence[Sample]) -> ModelAdapter:
    """Return a control; those with a network of their own cannot share passes."""
    shares = not CONTROLS[name].made_by.startswith("networks:")
    return with_control(name, base if shares else base.model, samples)


def read(folder: Path, subject: Subject) -> Pool:
    """Return the rows of all measured chunks of a subject; empty where there is none."""
    return _joined([_read(path.parent) for path in sorted((folder / subject.name).glob("*/done.json"))])


@dataclass(frozen=True)
class Pool:
    """Rows by design id and the images that were measured; `error` is why measuring failed."""

    tables: Mapping[str, Table] = field(default_factory=dict)
    images: tuple[str, ...] = ()
    error: str | None = None

    def at(self, images: Sequence[str]) -> dict[str, Table]:
        """Return the tables of some of the images; counts without rows shrink in proportion."""
        share = len(images) / max(len(self.images), 1)
        chosen = pl.DataFrame({IMAGE: list(images)})
        return {design: _part(table, chosen, share) for design, table in self.tables.items()}


def _part(table: Table, images: pl.DataFrame, share: float) -> Table:
    changes: dict[str, Any] = {
        name: frame.join(images, on=IMAGE, how="semi") for name, frame in _frames(table) if IMAGE in frame.columns
    }
    refused = Counter({reason: round(count * share) for reason, count in table.refused.items()})
    rest = {one.name: getattr(table, one.name) for one in fields(table)}
    planned = len(changes.get("frame", table.frame)) + refused.total()
    return Table(**(rest | changes | {"refused": +refused, "planned": planned}))


def _measured(
    base: _Remembering, adapters: Mapping[Subject, ModelAdapter], samples: Sequence[Sample]
) -> dict[Subject, Pool]:
    """Measure all subjects part by part of the images, so that controls of answers share the passes of their base."""
    designs = list({case.design.id: case.design for case in find_cases()}.values())
    suits = [design for design in designs if design.unsupported(base.capabilities) is None]
    images = tuple(dict.fromkeys(sample.image_id for sample in samples))
    found: dict[Subject, list[Pool]] = {one: [] for one in adapters}
    for plan in plan_parts(suits, Parts(samples, 0), base):
        base.forget()
        for one, adapter in adapters.items():
            found[one].append(_run(plan, adapter, suits))
    return {one: replace(_joined(parts), images=images) for one, parts in found.items()}


def _run(plan: Plan, adapter: ModelAdapter, designs: Sequence[Design]) -> Pool:
    try:
        measured: Measured = run(plan, adapter, batch_size=BATCH)
    except VlauditError as error:
        return Pool(error=str(error))
    return Pool({design.id: measured.tables[design.id] for design in designs if design.id in measured.tables})


def _joined(pools: Sequence[Pool]) -> Pool:
    errors = [pool.error for pool in pools if pool.error is not None]
    names = dict.fromkeys(name for pool in pools for name in pool.tables)
    tables = {name: _one_table([pool.tables[name] for pool in pools if name in pool.tables]) for name in names}
    return Pool(tables, tuple(image for pool in pools for image in pool.images), errors[0] if errors else None)


def _one_table(tables: Sequence[Table]) -> Table:
    refused = Counter[str]()
    for table in tables:
        refused.update(table.refused)
    frames: dict[str, Any] = {
        name: pl.concat([getattr(table, name) for table in tables], how="diagonal_relaxed")
        for name, _ in _frames(tables[0])
    }
    return Table(planned=sum(table.planned for table in tables), refused=refused, **frames)


def _frames(table: Table) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield the data frames of a table by their fields."""
    for one in fields(table):
        if isinstance(value := getattr(table, one.name), pl.DataFrame):
            yield one.name, value


def _chunk(folder: Path, subject: Subject, chunk: int) -> Path:
    return folder / subject.name / f"{chunk:03}"


def _write(folder: Path, pool: Pool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    counts = {}
    for design, table in pool.tables.items():
        counts[design] = {"planned": table.planned, "refused": dict(table.refused)}
        for name, frame in _frames(table):
            frame.write_parquet(folder / f"{design}.{name}.parquet")
    done = {"images": pool.images, "error": pool.error, "tables": counts}
    (folder / "done.json").write_text(json.dumps(done), encoding="utf-8")  # last: a chunk without it is measured again


def _read(folder: Path) -> Pool:
    done = json.loads((folder / "done.json").read_text(encoding="utf-8"))
    tables = {design: _read_table(folder, design, counts) for design, counts in done["tables"].items()}
    return Pool(tables, tuple(done["images"]), done["error"])


def _read_table(folder: Path, design: str, counts: dict[str, Any]) -> Table:
    frames: dict[str, Any] = {name: pl.read_parquet(folder / f"{design}.{name}.parquet") for name in _FRAMES}
    return Table(**counts, **frames)


_FRAMES = tuple(name for name, _ in _frames(Table.of([])))


class _Remembering:
    """A model that remembers its traces until `forget`, so that equal requests of several controls run once."""

    def __init__(self, model: ModelAdapter) -> None:
        self.model = model
        self.name, self.capabilities, self.vocabulary = model.name, model.capabilities, model.vocabulary
        self._traces: dict[tuple[str, frozenset[Reading]], Trace] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    @property
    def fingerprint(self) -> str:
        """Identifier of the weights."""
        return self.model.fingerprint

    def refusal(self, request: ForwardRequest) -> str | None:
        """Return why the model cannot answer, or None."""
        return self.model.refusal(request)

    def forward(self, requests: Sequence[ForwardRequest]) -> list[Trace]:
        """Answer requests, each distinct one once."""
        new = {(one.key, one.readings): one for one in requests if (one.key, one.readings) not in self._traces}
        if new:
            self._traces |= zip(new, self.model.forward(list(new.values())), strict=True)
        return [self._traces[one.key, one.readings] for one in requests]

    def forget(self) -> None:
        """Free the traces."""
        self._traces.clear()
