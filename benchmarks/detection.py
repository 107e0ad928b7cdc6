"""Do the audits find broken models? `python -m benchmarks.detection [--model M] [--controls C ...] [--write]`.

One pool of scenes is measured for the healthy weights of a family (two training seeds where they are shipped) and for
every control (`vlaudit.controls`), once: rows are kept under --out, and a command that was cut short continues.
Random subsets of the images are then judged from these rows as by `--gate`, with one look. An audit is as good as the
lowest share of subsets in which a control fails the criteria that it must fail, and the highest in which a healthy
model fails any.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch

from benchmarks.models import positive
from benchmarks.pools import CHUNK, SEED, Pool, Subject, measure, read, subjects
from vlaudit import datasets
from vlaudit.auditing.judging import Decided, judge
from vlaudit.auditing.models import Models
from vlaudit.auditing.options import ModelOptions, Options
from vlaudit.auditing.record import RunRecord, VerdictRecord
from vlaudit.auditing.result import AuditResult
from vlaudit.auditing.run import Run
from vlaudit.auditing.sources import find_cases
from vlaudit.controls import CONTROLS, check_control
from vlaudit.datasets.scenes import Scenes
from vlaudit.errors import MeasuringError
from vlaudit.findings import AuditCase, Design
from vlaudit.seeds import generator
from vlaudit.statistics.columns import ColumnStatistic
from vlaudit.tables import Table
from vlaudit.thresholds import Thresholds, read_thresholds

PAGE = Path(__file__).resolve().parents[1] / "docs" / "detection.md"
DETECTED, FALSE_FAILS, GATE_PASSES = 0.95, 0.05, 0.90
"""Aims: a control's own criteria fail in at least this share of subsets; a healthy model fails in at most this share,
and passes its gate in at least this one."""


class StoredRun(Run):
    """A run whose rows were measured before; judged with one look, or with as many as a gate has."""

    def __init__(self, options: Options, models: Models, thresholds: Thresholds, looks: int) -> None:
        super().__init__(options, models, datasets.open(f"scenes:seed={SEED}"), thresholds)
        self._at_most = looks
        self.stored: list[dict[str, Table]] = []
        self.error: str | None = None

    @property
    def looks(self) -> int:
        """Number of looks."""
        return self._at_most

    def images(self, look: int) -> int:
        """Return the number of images up to a look."""
        return self.options.limit << look

    def table(self, family: str, design: Design, look: int = 0) -> Table:
        """Return the stored rows of a design up to a look; raise `MeasuringError` where there are none."""
        if self.error is not None:
            raise MeasuringError(self.error)
        return self.stored[look].get(design.id) or Table.of([])


@dataclass(frozen=True)
class Judge:
    """Judges random subsets of a pool as the command would, at one number of images."""

    subject: Subject
    cases: Sequence[AuditCase]
    size: int
    looks: int = 1

    def outcomes(self, pool: Pool, models: Models, thresholds: Thresholds, subset: int) -> Outcomes:
        """Return the verdicts on one subset."""
        order = generator(subset, "subset").permutation(len(pool.images))
        run = StoredRun(self._options, models, thresholds, self.looks)
        run.error = pool.error
        run.stored = [pool.at([pool.images[i] for i in order[: self.size << look]]) for look in range(self.looks)]
        run.select((self.subject.model, case) for case in self.cases)
        record = RunRecord(run, "benchmarks.detection")
        for case in self.cases:
            decided = judge(run, self.subject.model, case)
            if isinstance(decided, Decided):
                record.add(VerdictRecord.of(decided, 0.0))
        result = AuditResult(record.document(), {}, {})
        (criteria,) = result.verdicts.values()
        failed = any(one.outcome in ("fail", "error") and not one.known for one in criteria.values())
        return Outcomes({name: one.outcome for name, one in criteria.items()}, failed, result.passed)

    @property
    def _options(self) -> Options:
        return Options((model_options(self.subject),), limit=self.size, seed=SEED, gate=True)


@dataclass(frozen=True)
class Outcomes:
    """Outcome of every criterion, whether any failed that is not a known failure, and whether the gate passed."""

    criteria: dict[str, str]
    failed: bool
    passed: bool


@dataclass(frozen=True)
class Rates:
    """Outcomes of the subsets of one subject at one number of images."""

    subject: Subject
    size: int
    subsets: tuple[Outcomes, ...]

    @property
    def criteria(self) -> list[str]:
        """Every criterion, in the order of the audits."""
        return list(dict.fromkeys(name for one in self.subsets for name in one.criteria))

    @property
    def gate(self) -> float:
        """Share of subsets whose gate passed."""
        return sum(one.passed for one in self.subsets) / len(self.subsets)

    @property
    def any_failed(self) -> float:
        """Share of subsets with a criterion that failed or was an error, known failures left out."""
        return sum(one.failed for one in self.subsets) / len(self.subsets)

    def rate(self, criterion: str, *outcomes: str) -> float:
        """Return the share of subsets in which a criterion has one of these outcomes."""
        found = Counter(one.criteria.get(criterion) for one in self.subsets)
        return sum(found[outcome] for outcome in outcomes) / len(self.subsets)


def model_options(subject: Subject) -> ModelOptions:
    """Return the options that load a subject."""
    return ModelOptions(subject.model, subject.model, subject.checkpoint, "cpu", control=subject.control)


def judged(subject: Subject, folder: Path, sizes: Sequence[int], subsets: int, looks: int) -> list[Rates]:
    """Judge the subsets of one subject at every number of images."""
    torch.set_num_threads(1)
    pool, cases = read(folder, subject), find_cases()
    models = Models([model_options(subject)])
    models.samples = list(Scenes(SEED, limit=8))
    thresholds = read_thresholds(None, known_models=[subject.model], known_data=["scenes"])
    fitting = [size for size in sizes if size << (looks - 1) <= len(pool.images)]
    with patch.object(ColumnStatistic, "power", _no_power, create=True):
        return [
            Rates(
                subject,
                size,
                tuple(Judge(subject, cases, size, looks).outcomes(pool, models, thresholds, i) for i in range(subsets)),
            )
            for size in fitting
        ]


def _no_power(_: object, __: Table, ___: object, sizes: Sequence[int], **____: int) -> np.ndarray:
    """Replace the power of a run, which no verdict reads and which takes 40% of the time."""
    return np.ones(len(sizes))


def measured(job: tuple[list[Subject], int, int], folder: Path) -> dict[str, str]:
    """Measure one chunk, given as subjects, number and scenes."""
    torch.set_num_threads(1)
    return measure(job[0], folder, job[1], job[2])


def run_all(options: argparse.Namespace) -> tuple[list[Rates], dict[str, str]]:
    """Measure what is missing, judge, and return the rates and why controls are not available."""
    folder = options.out / options.model
    chosen = subjects(options.model, options.controls)
    same_weights = [list(group) for _, group in groupby(sorted(chosen, key=_weights), key=_weights)]
    sizes = [min(CHUNK, options.pool - start) for start in range(0, options.pool, CHUNK)]
    jobs = [(group, chunk, scenes) for chunk, scenes in enumerate(sizes) for group in same_weights]
    unavailable: dict[str, str] = {}
    with ProcessPoolExecutor(options.processes, mp_context=get_context("spawn")) as pool:
        for (group, chunk, _), reasons in zip(jobs, pool.map(partial(measured, folder=folder), jobs), strict=True):
            unavailable |= reasons
            print(f"chunk {chunk + 1} of {len(sizes)} measured: {len(group)} subjects", flush=True)
        available = [one for one in chosen if one.name not in unavailable]
        judging = partial(judged, folder=folder, sizes=options.sizes, subsets=options.subsets, looks=options.looks)
        return [rates for of_one in pool.map(judging, available) for rates in of_one], unavailable


def _weights(subject: Subject) -> str:
    return str(subject.checkpoint)


INTRODUCTION = """\
# Detection: {model}

`python -m benchmarks.detection --model {model} --pool {pool} --subsets {subsets}` measures {pool:,} scenes (seed
{seed}) per model once, and judges {subsets} random subsets of their images as `--gate` does, with at most {looks} of
its looks. The subsets overlap. A control is the bundled model with one known defect (`--control NAME`)."""

HEALTHY = f"""\
## Healthy models

Aims: any criterion but the known failures fails or is an error in at most {FALSE_FAILS:.0%} of the subsets, and the
gate passes in at least {GATE_PASSES:.0%} at the largest number of images."""

BROKEN = f"""\
## Controls

Aims: every criterion that a control must fail does so in at least {DETECTED:.0%} of the subsets at the largest number
of images, and no gate ever passes."""

CRITERIA = """\
## Every criterion

Percentages of the subsets in which a criterion failed or was an error, was inconclusive, and passed. Bold: the control
must fail it. A dash: it was never judged, because the control cannot read the stimuli. Criteria that do not suit the
healthy model are left out."""


def page(rates: Sequence[Rates], unavailable: dict[str, str], options: argparse.Namespace) -> str:
    """Return the tables as Markdown."""
    healthy = [one for one in rates if one.subject.control is None]
    controls = [one for one in rates if one.subject.control is not None]
    applicable = [name for name in healthy[0].criteria if healthy[0].rate(name, "not applicable") < 1]
    lacking = "\n".join(f"- {reason}" for reason in unavailable.values())
    parts = [
        INTRODUCTION.format(**vars(options), seed=SEED),
        HEALTHY,
        _table(("weights", "images", "any criterion failed", "gate passed"), _healthy_rows(healthy)),
        BROKEN,
        _table(
            ("control", "defect", "images", "gate passed", "least detected of its own"),
            _control_rows(controls, applicable),
        ),
        *([lacking] if lacking else []),
        CRITERIA,
        *(part for size in sorted({one.size for one in rates}) for part in _matrix(size, rates, applicable)),
    ]
    return "\n\n".join(parts) + "\n"


def _healthy_rows(rates: Sequence[Rates]) -> Iterator[Sequence[str]]:
    for one in rates:
        yield one.subject.name, str(one.size), f"{one.any_failed:.0%}", f"{one.gate:.0%}"


def _control_rows(rates: Sequence[Rates], applicable: Sequence[str]) -> Iterator[Sequence[str]]:
    for one in rates:
        control = CONTROLS[one.subject.name]
        own = {name: one.rate(name, "fail", "error") for name in applicable if control.owns(name)}
        worst = min(own, key=own.__getitem__, default="")
        least = f"{own[worst]:.0%} ({worst})" if own else "none was judged"
        yield one.subject.name, control.defect, str(one.size), f"{one.gate:.0%}", least


def _matrix(size: int, rates: Sequence[Rates], criteria: Sequence[str]) -> tuple[str, str]:
    """Return the heading and the table of one number of images."""
    chosen = [one for one in rates if one.size == size]
    rows = [(f"`{name}`", *(_cell(name, one) for one in chosen)) for name in criteria]
    return f"### {size} images", _table(("criterion", *(one.subject.name for one in chosen)), rows)


def _cell(name: str, rates: Rates) -> str:
    failed, undecided, passed = (rates.rate(name, *each) for each in (("fail", "error"), ("inconclusive",), ("pass",)))
    shares = f"{100 * failed:.0f}/{100 * undecided:.0f}/{100 * passed:.0f}" if failed or undecided or passed else "-"
    control = rates.subject.control
    return f"**{shares}**" if control is not None and CONTROLS[control].owns(name) else shares


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def parsed() -> argparse.Namespace:
    """Return the options of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.detection", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--model", default="albef", help="family with bundled weights (albef)")
    parser.add_argument("--controls", nargs="*", default=list(CONTROLS), metavar="C", help="controls (all)")
    parser.add_argument("--pool", type=positive, default=3000, help="scenes that are measured (3000)")
    parser.add_argument("--subsets", type=positive, default=100, help="subsets that are judged at each size (100)")
    parser.add_argument("--sizes", type=positive, nargs="+", default=[50, 100, 300], help="images (50 100 300)")
    parser.add_argument("--looks", type=positive, default=1, help="looks of the gate: n, 2n, 4n images (1)")
    parser.add_argument("--processes", type=positive, default=1, help="processes, one thread each (1)")
    parser.add_argument("--out", type=Path, default=Path("reports/detection"), help="folder of the measured rows")
    parser.add_argument("--write", action="store_true", help="write docs/detection.md")
    options = parser.parse_args()
    for control in options.controls:
        check_control("--controls", control)
    return options


def main() -> None:
    """Measure, judge, print, and write the page."""
    options = parsed()
    text = page(*run_all(options), options)
    print(text)
    if options.write:
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
