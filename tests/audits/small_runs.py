"""Runs of audits on models and samples in memory, without pytest."""

from dataclasses import dataclass, field, fields, replace

from vlaudit.auditing.judging import judge
from vlaudit.auditing.models import Models
from vlaudit.auditing.options import ModelOptions, Options
from vlaudit.auditing.run import Run
from vlaudit.thresholds import Thresholds, read_thresholds

# 60 images are too few for a share of 0.05 among 34 criteria; each is judged alone at 0.05 here
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
    options = Options((ModelOptions(model.name, model.name, adapter=model),), limit=len(samples), batch_size=64)
    run = Run(options, Models(options.models), Given(tuple(samples)), Alone.read())
    run.select((model.name, case) for case in cases)
    return run


def verdicts(run, cases, family, *, competent=True):
    """Return the verdicts by criterion; without `competent` also of a model that cannot read the stimuli."""
    if not competent:
        cases = [replace(case, design=replace(case.design, competence=None)) for case in cases]
    return {case.name: judge(run, family, case).verdict for case in cases}
