"""Vocabulary of an audit: finding, design, case, criterion, verdict.

*Pass = the checkpoint has the stated desirable property.* `vlaudit.deciding` makes the verdicts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol, get_args, runtime_checkable

from vlaudit.errors import UsageError, nearest
from vlaudit.measures.base import Measure, Requirement, Unit
from vlaudit.models.base import Architecture, Capabilities
from vlaudit.perturbations.base import Perturbation
from vlaudit.selection import Selection
from vlaudit.statistics.base import Estimate, Statistic
from vlaudit.tables import IMAGE, UNIT, Table

Outcome = Literal["pass", "fail", "inconclusive", "not applicable", "error"]


@runtime_checkable
class Exhibit(Protocol):
    """Protocol of figures and tables in the report: settings are fields, `render` takes the data of the design."""

    title: str

    @property
    def design(self) -> Design:
        """Design with the table to show."""
        ...

    @property
    def columns(self) -> frozenset[str]:
        """Names of the columns that are read."""
        ...

    @property
    def pictured(self) -> frozenset[str]:
        """Names of the conditions with pictures to show."""
        ...

    def render(self, table: Table, units: Mapping[str, Unit]) -> str:
        """Return a fragment of HTML with escaped text and embedded images; `units` maps ids to units."""
        ...


NOT_REPRODUCED = (
    "The published weakness does not reproduce: this checkpoint behaves differently from the one that the source "
    "examined. That is no fault of the checkpoint."
)
"""Meaning of a failure under `--expect published`."""


@dataclass(frozen=True)
class Finding:
    """A published finding, as a claim about a checkpoint.

    `claim` is the desirable property in one sentence, `source` the paper and section. `failing` states the meaning of
    a failure for users of the checkpoint. `published` maps names to published figures, which the report shows next to
    the measured ones, as text. `exhibits` are figures and tables; `shown` are designs that no criterion reads.
    """

    id: str
    claim: str
    source: str
    failing: str
    published: Mapping[str, str] = field(default_factory=dict)
    exhibits: tuple[Exhibit, ...] = ()
    shown: tuple[Design, ...] = ()

    def under(self, expect: Literal["desirable", "published"]) -> Finding:
        """Return the finding with the meaning of a failure under an expectation."""
        return self if expect == "desirable" else replace(self, failing=NOT_REPRODUCED)


@dataclass(frozen=True)
class Design:
    """Design of a measurement: units, conditions and measure.

    `units` selects the units from the samples. `conditions` maps the name of each condition to the perturbations of a
    unit's sample. `measure` reduces the traces and states its readings. Equal inputs of all designs run once.
    `competence` estimates, from 0 to 1, whether the model can read the stimuli at all; `competence_requires` is the
    requirement on the model for this estimate. `not_for` maps unsuitable architectures to the reason.
    A unit with an impossible condition is refused and counted; with `optional` it is left out and not counted, for
    questions that only few captions allow.
    """

    id: str
    units: Selection
    conditions: Mapping[str, tuple[Perturbation, ...]]
    measure: Measure
    competence: Statistic | None = None
    competence_requires: Requirement | None = None
    not_for: Mapping[str, str] = field(default_factory=dict)
    optional: bool = False

    @property
    def columns(self) -> frozenset[str]:
        """Names of the columns of its table."""
        return self.units.columns | self.measure.columns(self.conditions) | {UNIT, IMAGE}

    @property
    def part(self) -> str:
        """Part of the finding that it measures: its id after the last dot, "words" of "text_dominance.words"."""
        return self.id.rpartition(".")[2]

    def check(self) -> None:
        """Raise `UsageError` if a condition is not a tuple of perturbations, or a name does not exist."""
        where = f"design {self.id}"
        for name, perturbations in self.conditions.items():
            if not isinstance(perturbations, tuple) or not all(map(_is_perturbation, perturbations)):
                raise UsageError(
                    f"{where}: the condition {name!r} must be a tuple of perturbations, such as () or (Mirror(),), "
                    f"got {perturbations!r}"
                )
        _check_names(where, "its measure names the condition", self.measure.named, self.conditions)
        _check_names(where, "not_for names the architecture", self.not_for, get_args(Architecture))
        if self.competence is not None:
            _check_names(where, f"{self.competence!r} reads the column", self.competence.columns, self.columns)

    def unsupported(self, capabilities: Capabilities) -> str | None:
        """Return the reason why models with these capabilities cannot be measured, or None."""
        if reason := self.not_for.get(capabilities.architecture):
            return reason
        lacks = (capabilities.lacks(reading) for reading in sorted(self.measure.needs, key=repr))
        unmet = (_unmet(requirement, capabilities) for requirement in sorted(self.measure.requires))
        return next((reason for reason in (*lacks, *unmet) if reason), None)


def _unmet(requirement: Requirement, capabilities: Capabilities) -> str | None:
    if requirement == "joint softmax" and not capabilities.joint_softmax:
        return "its text and image keys do not share one softmax, so the attention masses on them cannot be compared"
    if requirement == "comparable matches" and capabilities.match != "log-odds":
        return "its match scores can be compared between captions of one image only"
    return None


@dataclass(frozen=True)
class AuditCase:
    """One test of an audit, declared by its mark `@pytest.mark.audit(FINDING, DESIGN, STATISTIC, ...)`.

    `name` is the criterion's name within the finding: the name of the test function without `test_`, followed by its
    parameters in brackets. `explanation` is the test's docstring. `statistic` is the judged estimator. `not_for` maps
    architectures to the reason why this criterion is shown, not judged. `only` names the expectation under which alone
    it is judged: a published observation may be no desirable property, nor its opposite.
    """

    finding: Finding
    design: Design
    statistic: Statistic
    name: str
    explanation: str = ""
    not_for: Mapping[str, str] = field(default_factory=dict)
    only: Literal["desirable", "published"] | None = None

    @property
    def id(self) -> str:
        """Id of the criterion in thresholds and reports: FINDING.NAME."""
        return f"{self.finding.id}.{self.name}"

    def unsupported(self, capabilities: Capabilities) -> str | None:
        """Return the reason why models with these capabilities are not judged by this criterion, or None."""
        return self.design.unsupported(capabilities) or self.not_for.get(capabilities.architecture)

    def competence(self, capabilities: Capabilities) -> Statistic | None:
        """Return the statistic of whether models with these capabilities can read the stimuli; None without one."""
        requires = self.design.competence_requires
        return None if requires and _unmet(requires, capabilities) else self.design.competence

    def check(self) -> None:
        """Raise `UsageError` if the audit uses a column, condition or architecture that does not exist."""
        _check_names(self.id, f"{self.statistic!r} reads the column", self.statistic.columns, self.design.columns)
        _check_names(self.id, "not_for names the architecture", self.not_for, get_args(Architecture))
        if not isinstance(self.finding.exhibits, tuple) or not isinstance(self.finding.shown, tuple):
            raise UsageError(f"{self.finding.id}: exhibits and shown must be tuples, such as (Bars(...),)")
        for design in (self.design, *self.finding.shown):
            design.check()
        for exhibit in self.finding.exhibits:
            where, design = f"{self.finding.id}, exhibit {exhibit.title!r}", exhibit.design
            _check_names(where, "it reads the column", exhibit.columns, design.columns)
            _check_names(where, "it shows the condition", exhibit.pictured, design.conditions)


def _is_perturbation(one: object) -> bool:
    """Return whether it is a perturbation, not its class: `Mirror()`, not `Mirror`."""
    return isinstance(one, Perturbation) and not isinstance(one, type)


def _check_names(where: str, use: str, names: Iterable[str], known: Iterable[str]) -> None:
    for name in sorted(set(names) - set(known)):
        raise UsageError(f"{where}: {use} {name!r}, which does not exist{nearest(name, sorted(known))}")


def case_name(function: str, parameters: Mapping[str, object]) -> str:
    """Return the name of a criterion from its test function and the parameters of one case.

    >>> case_name("test_links", {"kind": "people", "direction": "text_image"}), case_name("test_flips", {})
    ('links[people-text_image]', 'flips')
    """
    values = "-".join(str(value) for value in parameters.values())
    return function.removeprefix("test_") + (f"[{values}]" if values else "")


@dataclass(frozen=True)
class Criterion:
    """Bound on an estimate: exactly one of `at_least`, `at_most`, `within`; `why` gives the reason for its value.

    `alpha` is the criterion's share of the suite's error rate: the probability that it fails although the true value
    meets the bound.
    """

    id: str
    why: str
    alpha: float
    at_least: float | None = None
    at_most: float | None = None
    within: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        given = [name for name in ("at_least", "at_most", "within") if getattr(self, name) is not None]
        if len(given) != 1:
            raise UsageError(
                f"criterion {self.id}: exactly one of at_least, at_most, within must be given, got {given or 'none'}"
            )
        low, high = self.bounds
        if not low < high:
            raise UsageError(f"criterion {self.id}: within = [a, b] must have a < b, got {[low, high]}")
        if not 0 < self.alpha < 1:
            raise UsageError(f"criterion {self.id}: alpha must be strictly between 0 and 1, got {self.alpha}")

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest value that pass; infinite without a bound."""
        if self.within is not None:
            return self.within
        if self.at_least is not None:
            return self.at_least, math.inf
        return -math.inf, self.at_most if self.at_most is not None else math.inf

    def __str__(self) -> str:
        if self.within is not None:
            return f"within [{self.within[0]:g}, {self.within[1]:g}]"
        return f"at least {self.at_least:g}" if self.at_least is not None else f"at most {self.at_most:g}"


@dataclass(frozen=True)
class Verdict:
    """Decision on one criterion, with its reason.

    `estimate` carries the interval that decided; None if there is none or if an end is infinite. `power` is the
    probability, from 0 to 1, that a run of the same size decides the criterion if the estimate is the true value.
    `needed` is the number of images (`--limit`) with which the probability is `POWER`.
    """

    criterion: Criterion
    outcome: Outcome
    reason: str
    estimate: Estimate | None = None
    needed: int | None = None
    power: float | None = None


def not_applicable(criterion: Criterion, reason: str) -> Verdict:
    """Return the verdict on a criterion that cannot be judged on this model or these data."""
    return Verdict(criterion, "not applicable", reason)
