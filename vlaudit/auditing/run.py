"""A run: models, data, thresholds and measurements."""

from __future__ import annotations

import traceback
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path

import polars as pl

from vlaudit import datasets
from vlaudit.auditing.models import Models
from vlaudit.auditing.options import Options
from vlaudit.datasets import Dataset
from vlaudit.datasets.across_images import across_images
from vlaudit.errors import AnswerError, MeasuringError, UsageError, VlauditError
from vlaudit.execution.parts import Parts
from vlaudit.execution.plan import plan_parts
from vlaudit.execution.progress import Progress, Stream
from vlaudit.execution.run import Measured, run
from vlaudit.findings import AuditCase, Design, Finding, Verdict
from vlaudit.known_failures import KnownFailure, find_known_failure
from vlaudit.measures.base import Unit
from vlaudit.samples import Sample
from vlaudit.tables import Table
from vlaudit.thresholds import Thresholds, read_thresholds

LOOKS = 3
"""Looks of a gate at drawn data, at n, 2n and 4n samples, each with a third of the error."""

_TRIED = 30
"""Number of samples that are checked at the start; a model must be able to read at least one."""


class Run:
    """One run: loaded and checked at construction, measured on demand, model by model."""

    def __init__(self, options: Options, models: Models, data: Dataset, thresholds: Thresholds) -> None:
        self.options, self.models, self.data, self.thresholds = options, models, data, thresholds
        self.stream: Stream | None = None  # for progress messages
        self.findings: dict[str, Finding] = {}
        self._designs: dict[str, dict[str, Design]] = defaultdict(dict)
        self._of_finding: dict[str, dict[str, dict[str, None]]] = defaultdict(dict)  # ordered sets of design ids
        self.competences: dict[tuple[str, str, str, int], Verdict] = {}
        """Verdicts on competence by model, design, criterion and look."""
        self._cases: dict[str, list[AuditCase]] = defaultdict(list)
        self._looks: dict[tuple[str, str], list[Measured]] = {}
        self._failures: dict[str, VlauditError] = {}  # by model
        self._done: set[str] = set()
        self._requests: dict[int, Parts] = {}  # shared by several models, by look

    @classmethod
    def prepare(cls, options: Options, *, elsewhere: bool = False, checked: bool = False) -> Run:
        """Read the thresholds, open the data, load and check the models; `VlauditError` where that fails.

        `elsewhere`: other processes run the audits. `checked`: another process checked the models.
        """
        data = _open(options)
        models = Models(options.models, keep=False if elsewhere else None)
        thresholds = read_thresholds(options.thresholds, known_models=list(models), known_data=[data.name])
        run = cls(options, models, data, thresholds)
        samples = models.samples = run.samples(0)  # fails here if the data have no usable sample
        if not checked:
            models.check(samples[:_TRIED], options.data)
        return run

    @property
    def data_name(self) -> str:
        """The data set's name, the key of thresholds."""
        return self.data.name

    @property
    def looks(self) -> int:
        """Maximum number of looks per criterion: more than one only for a gate on drawn data."""
        return LOOKS if self.options.gate and self.options.data == "scenes" else 1

    def select(self, selected: Iterable[tuple[str, AuditCase]]) -> None:
        """Register the cases to audit, each with its model.

        Designs that only exhibits of a finding show are measured with any of its cases. Raises `UsageError` where a
        statistic or an exhibit reads a column that its design lacks, and where two findings, designs or criteria that
        differ have the same id.
        """
        known: dict[tuple[str, str], object] = {}
        for family, case in selected:
            if ("criterion", case.id) not in known:  # the same for every model
                case.check()
            _check_same(known, "finding", case.finding.id, case.finding)
            _check_same(known, "criterion", case.id, case)
            if case.only not in (None, self.options.expect):
                continue
            self._cases[family].append(case)
            self.findings[case.finding.id] = case.finding
            of_finding = self._of_finding[family].setdefault(case.finding.id, {})
            for design in (case.design, *case.finding.shown):
                _check_same(known, "design", design.id, design)
                self._designs[family][design.id] = design
                of_finding[design.id] = None

    def cases_of(self, family: str) -> list[AuditCase]:
        """Return the selected cases of a model."""
        return self._cases[family]

    def samples(self, look: int) -> list[Sample]:
        """Return the samples of one look: the first `limit`, then as many again, then twice as many."""
        limit = self.options.limit
        start, end = (0, limit) if look == 0 else (limit << (look - 1), limit << look)
        return self._samples[start:end]

    def images(self, look: int) -> int:
        """Return the number of images up to a look."""
        return len({sample.image_id for one in range(look + 1) for sample in self.samples(one)})

    @cached_property
    def _samples(self) -> list[Sample]:
        found = list(islice(across_images(self.data), self.options.limit << (self.looks - 1)))
        if not found:
            reasons = Counter(refusal.reason for refusal in self.data.refusals).most_common(3)
            why = "; ".join(f"{count} refused: {reason}" for reason, count in reasons) or "it is empty"
            raise UsageError(f"--data {self.options.data}: no sample can be used ({why})")
        return found

    def measured(self, family: str, design: Design, look: int = 0) -> Measured:
        """Return the measurements of one look; the first look runs all selected designs of the model together.

        Raises `VlauditError` where measuring failed; it is not tried again. Raises `KeyError` for a design that was not
        selected.
        """
        if design.id not in self._designs[family]:
            raise KeyError(f"{design.id} of {family}: the run selected no case of this design")
        looks = self._looks.setdefault((family, design.id), [])
        while len(looks) <= look:
            if family in self._failures:
                raise self._failures[family]
            number = len(looks)
            designs = list(self._designs[family].values()) if number == 0 else [design]
            done = self._try_measuring(family, designs, number)
            for one in designs:
                self._looks.setdefault((family, one.id), []).append(done)
        return looks[look]

    def _try_measuring(self, family: str, designs: Sequence[Design], look: int) -> Measured:
        """Measure, and remember a failure: every criterion of the model then has the outcome error."""
        try:
            return self._measure(family, designs, look)
        except VlauditError as error:
            self._failures[family] = error
            raise
        except (KeyboardInterrupt, SystemExit):
            self._failures[family] = MeasuringError(f"--model {family}: measuring was interrupted")
            raise
        except Exception as error:
            traceback.print_exc()  # for the author of the model, perturbation or measure that raised it
            place = traceback.extract_tb(error.__traceback__)[-1]
            message = f"{type(error).__name__}: {error} ({Path(place.filename).name}, line {place.lineno})"
            self._failures[family] = MeasuringError(f"--model {family}: measuring stopped by {message}")
            raise self._failures[family] from error

    @property
    def failure(self) -> str:
        """Reason why measuring stopped before its end, or an empty text; NaN in an answer is a result, not a stop."""
        stops = (str(error) for error in self._failures.values() if not isinstance(error, AnswerError))
        return next(stops, "")

    def _measure(self, family: str, designs: Sequence[Design], look: int) -> Measured:
        model = self.models[family]
        progress = Progress(stream=self.stream, label=model.name)
        plans = plan_parts(designs, self._parts(look), model)
        return run(plans, model, batch_size=self.options.batch_size, progress=progress)

    def _parts(self, look: int) -> Parts:
        """Return the requests of a look, which are made once for all models of the run."""
        if len(self._designs) == 1:
            return Parts(self.samples(look), self.options.seed)
        if look not in self._requests:
            self._requests[look] = Parts(self.samples(look), self.options.seed, keep=True)
        return self._requests[look]

    def release(self, family: str) -> None:
        """Free what only the audits of this model needed."""
        self.models.release(family)
        self._done.add(family)
        if self._done >= set(self._designs):
            self._requests.clear()

    def table(self, family: str, design: Design, look: int = 0) -> Table:
        """Return the rows of a design, of all looks up to this one."""
        tables = [self.measured(family, design, i).tables[design.id] for i in range(look + 1)]
        refused: Counter[str] = Counter()
        for table in tables:
            refused.update(table.refused)
        frame, unanswered = (
            pl.concat(frames, how="diagonal")
            for frames in ([table.frame for table in tables], [table.unanswered for table in tables])
        )
        return Table(frame, sum(table.planned for table in tables), refused, unanswered)

    def tables(self) -> dict[tuple[str, str], Table]:
        """Return the rows of every design that was measured, of all looks, by model and design id."""
        return {
            (family, name): self.table(family, self._designs[family][name], len(looks) - 1)
            for (family, name), looks in self._looks.items()
            if looks
        }

    def units(self, family: str, design: Design) -> dict[str, Unit]:
        """Return the units of a design by `unit_id`, over all looks so far."""
        looks = self._looks.get((family, design.id), [])
        return {k: v for done in looks for k, v in done.units[design.id].items()}

    def known_failure(self, family: str, finding: str, name: str) -> KnownFailure | None:
        """Return the known failure of a criterion, from the thresholds file or from the file next to the checkpoint.

        The latter is ignored for bounds that the thresholds file replaces: it is about the shipped ones.
        """
        fingerprint, options = self.models[family].fingerprint, self.options
        entries, architecture = list(self.thresholds.known_failures), self.models.architecture(family)
        if not self.thresholds.replaces(
            family, self.data_name, finding, name, options.expect, architecture=architecture
        ):
            entries += self.models.known_failures(family)
        return find_known_failure(
            entries, f"{finding}.{name}", family, fingerprint, expect=options.expect, data=self.data_name
        )

    def measured_findings(self) -> list[tuple[str, str]]:
        """Return (family, finding id) of everything measured in this process, in the order of the tests."""
        with_rows = {family for (family, _), looks in self._looks.items() if looks}
        done = [family for family in self._designs if family in with_rows]
        return [(family, finding) for family in done for finding in self._of_finding[family]]

    def designs_of(self, family: str, finding_id: str) -> list[Design]:
        """Return the designs of a finding that were measured."""
        names = self._of_finding[family][finding_id]
        return [self._designs[family][name] for name in names if self._looks.get((family, name))]

    def passes(self, family: str) -> list[Measured]:
        """Return every pass over the data for a model, in order."""
        done = [measured for (one, _), looks in self._looks.items() if one == family for measured in looks]
        return list({id(measured): measured for measured in done}.values())


def _check_same(known: dict[tuple[str, str], object], kind: str, name: str, one: object) -> None:
    """Raise `UsageError` where another object of this kind has the same id, but is not equal."""
    if known.setdefault((kind, name), one) != one:
        raise UsageError(f"two audits declare a {kind} {name!r} that differ; give one of them another id")


def _open(options: Options) -> Dataset:
    """Open the data; scenes are drawn from the run's seed, as many as the limit or all looks of a gate need.

    A specification such as `scenes:seed=3,n=500` is opened unchanged.
    """
    if options.data == "scenes":
        count = options.limit << (LOOKS - 1 if options.gate else 0)
        return datasets.open(f"scenes:seed={options.seed},n={count}")
    return datasets.open(options.data)
