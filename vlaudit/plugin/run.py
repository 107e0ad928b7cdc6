"""What a session of audits holds: models, data, thresholds, what was measured, and what was decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

import pytest

from vlaudit import datasets
from vlaudit.datasets import Dataset
from vlaudit.errors import UsageError
from vlaudit.execution.plan import plan
from vlaudit.execution.progress import on_stderr
from vlaudit.execution.run import Measured, run
from vlaudit.findings import Design, Finding
from vlaudit.models.base import ModelAdapter
from vlaudit.models.loading import load
from vlaudit.plugin.options import Options
from vlaudit.samples import Sample
from vlaudit.thresholds import Thresholds, read_thresholds

RUN: pytest.StashKey[Run] = pytest.StashKey()
"""Where a session keeps its run."""


@dataclass
class Run:
    """One session: everything is loaded and checked when it is made, and measured when the first audit asks."""

    options: Options
    models: Mapping[str, ModelAdapter]
    data: Dataset
    thresholds: Thresholds
    selected: dict[str, dict[str, tuple[Finding, Design]]] = field(default_factory=dict)
    _measured: dict[str, Measured] = field(default_factory=dict)

    @classmethod
    def prepare(cls, options: Options) -> Run:
        """Load models, open the data and read the thresholds; a `VlauditError` says what is wrong."""
        thresholds = read_thresholds(options.thresholds)
        data = datasets.open(options.data)
        models = {
            asked.family: load(
                asked.family,
                checkpoint=asked.checkpoint,
                device=asked.device,
                dtype=asked.dtype,
                tokenizer=asked.tokenizer,
                download=asked.download,
            )
            for asked in options.models
        }
        return cls(options, models, data, thresholds)

    def select(self, items: Sequence[pytest.Item]) -> None:
        """Note the designs of the tests that will run, model by model."""
        for item in items:
            mark = item.get_closest_marker("audit")
            callspec = getattr(item, "callspec", None)
            if mark is None or callspec is None or "model" not in callspec.params:
                continue
            finding, design = mark.args
            self.selected.setdefault(callspec.params["model"], {})[design.id] = (finding, design)

    @cached_property
    def samples(self) -> list[Sample]:
        """The first samples of the data, as many as the limit says; none at all is an error."""
        found = list(islice(iter(self.data), self.options.limit))
        if not found:
            reasons = Counter(refusal.reason for refusal in self.data.refusals).most_common(3)
            why = "; ".join(f"{count} refused: {reason}" for reason, count in reasons) or "it is empty"
            raise UsageError(f"--data {self.options.data}: no sample can be used ({why})")
        return found

    def measured(self, family: str) -> Measured:
        """Return what the selected designs measured of a model; the passes run when this is first asked."""
        if family not in self._measured:
            model = self.models[family]
            designs = [design for _, design in self.selected[family].values()]
            planned = plan(designs, self.samples, model, self.options.seed)
            progress = on_stderr(len(planned.inputs), model.name)
            self._measured[family] = run(planned, model, batch_size=self.options.batch_size, progress=progress)
        return self._measured[family]
