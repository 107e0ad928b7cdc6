"""Runs of audits on models and samples that are held already, without pytest."""

from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from vlaudit.auditing.judging import judge
from vlaudit.auditing.models import Models
from vlaudit.auditing.options import Options
from vlaudit.auditing.run import Run
from vlaudit.thresholds import Thresholds, read_thresholds

# 60 images are too few for a share of 0.05 among 34 criteria; each is judged at 0.05 here, which is what it asks for
ALONE = 0.05


@dataclass
class Given:
    """Samples as a data set, judged by the thresholds of scenes."""

    samples: tuple
    name: str = "scenes"
    refusals: list = field(default_factory=list)

    def __iter__(self):
        return iter(self.samples)

    def describe(self):
        return f"{len(self.samples)} samples"


class Held(Models):
    """One model that is loaded already."""

    def __init__(self, model):
        super().__init__(())
        self._model = model

    def __getitem__(self, family):
        return self._model

    def architecture(self, family):
        return self._model.capabilities.architecture

    def known_failures(self, family):
        return ()


class Alone(Thresholds):
    """The shipped thresholds, every criterion judged as if it were the only one."""

    @classmethod
    def read(cls):
        shipped = read_thresholds()
        return cls(**{one.name: getattr(shipped, one.name) for one in fields(shipped)})

    def criterion(self, *names, **keys):
        return replace(super().criterion(*names, **keys), alpha=ALONE)


def run_of(cases, model, samples):
    """Return a run of these cases on a model, everything measured when the first of them is judged."""
    page = Path("unwritten.html")
    options = Options((), "scenes", len(samples), 64, 0, None, "desirable", False, page.with_suffix(".json"), page)
    run = Run(options, Held(model), Given(tuple(samples)), Alone.read())
    run.select((model.name, case) for case in cases)
    return run


def verdicts(run, cases, family, *, competent=True):
    """Return the verdicts by criterion; without `competent` also of a model that cannot read the stimuli."""
    if not competent:
        cases = [replace(case, design=replace(case.design, competence=None)) for case in cases]
    return {case.name: judge(run, family, case).verdict for case in cases}
