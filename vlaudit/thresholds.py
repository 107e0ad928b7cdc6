"""The bounds of every criterion, read from TOML files that are validated before anything runs.

One table per model, data set and finding: `[desirable.albef.scenes.text_dominance]`. The model key is a family, an
architecture ("two-stream") or "any", the data key a data set or "any". The more specific table wins, entry by entry:
family before architecture before "any", then data set before "any". An entry is a criterion,
`vision_effect = { at_least = 0.2, why = "..." }`, with exactly one of `at_least`, `at_most`, `within = [a, b]`, and
`cases = N` if N parametrizations of the test apply.

Each of the suite's `FINDINGS` findings owns an equal part of the error `alpha`, and its criteria own equal parts of
that. A user's file extends the shipped one (`extends = "default"`): each of its entries replaces all shipped entries of
the same name. Criteria that the shipped file lacks share a budget of their own in the same way: first equally among
their findings, then among the criteria of each.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from vlaudit import datasets
from vlaudit.errors import UsageError, nearest
from vlaudit.findings import Criterion
from vlaudit.known_failures import KnownFailure
from vlaudit.models.base import Architecture
from vlaudit.models.registry import known_families
from vlaudit.statistics.shares import share
from vlaudit.toml_files import line_of, parse, read_text

ANY = "any"
FINDINGS = 9
"""Number of findings that share the suite's error, including those whose audits are yet to be written."""
SIMILAR = 0.8
"""Similarity, 0 to 1, from which an unknown name counts as a misspelt one."""
Expect = Literal["desirable", "published"]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    why: str = Field(min_length=10)
    at_least: float | int | None = None
    at_most: float | int | None = None
    within: tuple[float | int, float | int] | None = Field(default=None, strict=False)
    cases: int = Field(default=1, ge=1)

    def criterion(self, full_name: str, alpha: float) -> Criterion:
        within = None if self.within is None else (float(self.within[0]), float(self.within[1]))
        return Criterion(full_name, self.why, alpha, self.at_least, self.at_most, within)


Key = tuple[str, str, str, str, str]
Entries = dict[tuple[str, str], _Entry]
"""Entries by finding and criterion."""
Tables = dict[str, dict[str, dict[str, dict[str, _Entry]]]]
"""Entries by model key, data key, finding and criterion."""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    extends: Literal["default", "none"] = "default"
    alpha: float = Field(default=0.05, gt=0, lt=1)
    desirable: Tables = {}
    published: Tables = {}
    known_failures: list[KnownFailure] = []

    def select(self, family: str, architecture: str, data: str, expect: str) -> Entries:
        """Return the entries that apply, the most specific one per criterion."""
        tables = self.desirable if expect == "desirable" else self.published
        found: Entries = {}
        for model_key in (ANY, architecture, family):
            for data_key in (ANY, data):
                for finding, entries in tables.get(model_key, {}).get(data_key, {}).items():
                    found |= {(finding, criterion): entry for criterion, entry in entries.items()}
        return found

    def entries(self) -> Iterator[tuple[Key, _Entry]]:
        """Yield every entry with its key: expectation, model key, data key, finding, criterion."""
        tables: dict[str, Tables] = {"desirable": self.desirable, "published": self.published}
        for expect, by_model in tables.items():
            for model_key, by_data in by_model.items():
                for data_key, by_finding in by_data.items():
                    for finding, entries in by_finding.items():
                        for criterion, entry in entries.items():
                            yield (expect, model_key, data_key, finding, criterion), entry


@dataclass(frozen=True)
class _Source:
    """A thresholds file: its name in messages, its text and its validated content."""

    name: str
    text: str
    file: _File

    def error(self, key: tuple[str, ...], message: str) -> UsageError:
        return UsageError(f"--thresholds {self.name}, line {line_of(self.text, key)}: {message}")

    def report_unknown(
        self, key: tuple[str, ...], message: str, known: Collection[str], *, complete: bool = False
    ) -> str:
        """Raise an error for a misspelt name, or any unknown one if `known` is complete; else return a note."""
        if complete or get_close_matches(key[-1], known, cutoff=SIMILAR):
            raise self.error(key, message + nearest(key[-1], sorted(known)))
        return f"{self.error(key, message)}; the entry has no effect in this run"


@dataclass(frozen=True)
class Thresholds:
    """The bounds of a run. `alpha` is the error of the whole suite, shared as the module describes.

    A user's own criteria share the `alpha` of their file instead, so they change no shipped criterion's share.
    """

    source: str
    alpha: float
    _shipped: _Source | None
    _own: _Source | None

    def criterion(
        self, family: str, data: str, finding: str, criterion: str, expect: str, *, architecture: str
    ) -> Criterion:
        """Return a criterion with its share of the error, which does not depend on which tests are selected.

        `criterion` may include a parametrization, `links_above_random[people]`; an entry with that exact name replaces
        the one for all cases. Raises `UsageError` if no file has an entry.
        """
        found = self.find_criterion(family, data, finding, criterion, expect, architecture=architecture)
        if found is None:
            raise UsageError(
                f"thresholds {self.source}: no entry for {finding}.{criterion} ({family}, {architecture}, on {data}, "
                f"{expect}); add one under [{expect}.{family}.{data}.{finding}]"
            )
        return found

    def find_criterion(
        self, family: str, data: str, finding: str, criterion: str, expect: str, *, architecture: str
    ) -> Criterion | None:
        """Return the same as `criterion`, or None if no file has an entry."""
        shipped, own = self._select(family, architecture, data, expect)
        names = _entry_names(finding, criterion)
        entry = next((entries[name] for entries in (own, shipped) for name in names if name in entries), None)
        if entry is None:
            return None
        if names[0] in shipped or names[1] in shipped:
            alpha = share(self.alpha / FINDINGS, _cases(shipped, finding))
        else:
            own = _without(own, shipped)
            budget = self._own.file.alpha if self._own else self.alpha
            alpha = share(share(budget, len({name for name, _ in own})), _cases(own, finding))
        return entry.criterion(f"{finding}.{criterion}", alpha)

    def count(self, family: str, data: str, expect: str, *, architecture: str) -> int:
        """Return m, the number of criteria that share `alpha`; every case of a parametrized test counts."""
        shipped, own = self._select(family, architecture, data, expect)
        return sum(entry.cases for entry in (shipped if self._shipped else own).values())

    def replaces(self, family: str, data: str, finding: str, criterion: str, expect: str, *, architecture: str) -> bool:
        """Return whether the user's file replaces the bound of a shipped criterion."""
        if self._own is None:
            return False
        names = set(_entry_names(finding, criterion))
        selected = (file.select(family, architecture, data, expect) for file in (self._own.file, _shipped().file))
        return all(names & entries.keys() for entries in selected)

    @property
    def known_failures(self) -> tuple[KnownFailure, ...]:
        """Return the known failures that the files list, the user's first."""
        return tuple(entry for source in self._sources() for entry in source.file.known_failures)

    def check_names(self, known: Mapping[str, AbstractSet[str]]) -> list[str]:
        """Raise `UsageError`, with line and nearest name, for a user's entry of a misspelt finding or criterion.

        `known` maps the findings of the collected audits to their criteria, parametrizations included; those of the
        shipped file are always known. A name that resembles no known one only gives a note, because its audit may not
        be collected; a shipped finding has all its criteria, so there it is an error.
        """
        if self._own is None:
            return []
        notes: dict[str, None] = {}  # one per finding, in the order of the file
        criteria = _all_criteria(self._shipped, known)
        for key, _ in self._own.file.entries():
            *_, finding, criterion = key
            if finding not in criteria:
                notes[self._own.report_unknown(key[:-1], f"no collected audit has a finding {finding!r}", criteria)] = (
                    None
                )
            elif not _matches(criterion, names := criteria[finding]):
                message = f"finding {finding} has no criterion {criterion!r}"
                complete = finding in _all_criteria(self._shipped, {})
                notes[self._own.report_unknown(key, message, names, complete=complete)] = None
        return [*notes, *self._unknown_failures(criteria)]

    def _unknown_failures(self, criteria: Mapping[str, AbstractSet[str]]) -> Iterator[str]:
        """Yield notes on known failures of unknown criteria; raise `UsageError` for misspelt ones."""
        names = [f"{finding}.{criterion}" for finding, known in criteria.items() for criterion in known]
        for entry in self._own.file.known_failures if self._own else ():
            finding, _, criterion = entry.criterion.partition(".")
            if not _matches(criterion, criteria.get(finding, frozenset())):
                message = f"--thresholds {self.source}: known_failures: no criterion is called {entry.criterion!r}"
                if get_close_matches(entry.criterion, names, cutoff=SIMILAR):
                    raise UsageError(f"{message}{nearest(entry.criterion, sorted(names))}")
                yield f"{message}; the entry has no effect in this run"

    def check_cases(
        self, family: str, data: str, expect: str, cases: Mapping[str, Mapping[str, bool]], *, architecture: str
    ) -> None:
        """Raise `UsageError`, with line, for an entry whose `cases` differ from the collected parametrizations.

        `cases` maps each finding to all its collected criteria, selected or not, and these to whether they apply to the
        family. An entry must declare at least the cases that apply, because its criteria would otherwise have too large
        a share of the error, and at most those that exist.
        """
        shipped, own = self._select(family, architecture, data, expect)
        for finding, applies in cases.items():
            names = {name: _entry_names(finding, name) for name in applies}
            for (_, criterion), entry in _of_finding(shipped | own, finding):
                read_by = [
                    name
                    for name, (exact, all_cases) in names.items()
                    if (finding, criterion) == (exact if exact in shipped | own else all_cases)
                ]
                least = sum(applies[name] for name in read_by)
                if read_by and not least <= entry.cases <= len(read_by):
                    raise self._error_at(
                        (expect, finding, criterion),
                        f"{finding}.{criterion} declares cases = {entry.cases}, its test has {len(read_by)}; write "
                        + (f"cases = {least}" if least == len(read_by) else f"the number that apply, at least {least}"),
                        entry,
                    )

    def _error_at(self, name: tuple[str, str, str], message: str, entry: _Entry) -> UsageError:
        """Return an error with the file and line of an entry, given its expectation, finding and criterion."""
        for source in self._sources():
            for key, one in source.file.entries():
                if one is entry and (key[0], *key[3:]) == name:
                    return source.error(key, message)
        return UsageError(f"--thresholds {self.source}: {message}")

    def _sources(self) -> list[_Source]:
        return [source for source in (self._own, self._shipped) if source is not None]

    def _select(self, family: str, architecture: str, data: str, expect: str) -> tuple[Entries, Entries]:
        """Return the applicable entries of the shipped file and of the user's."""
        shipped, own = (
            {} if source is None else source.file.select(family, architecture, data, expect)
            for source in (self._shipped, self._own)
        )
        return shipped, own


def read_thresholds(
    path: Path | None = None, *, known_models: Collection[str] = (), known_data: Collection[str] = ()
) -> Thresholds:
    """Read a thresholds file, and the shipped one that it extends; only the shipped one if `path` is None.

    `known_models` and `known_data` are names that keys may use in addition to the registered families and data sets,
    as those of a user's own classes. Raises `UsageError` with file and line: an unreadable file, invalid TOML, an
    unknown key, model or data set, a wrong type, not exactly one bound.
    """
    shipped = _shipped()
    if path is None:
        return Thresholds(shipped.name, shipped.file.alpha, shipped, None)
    own = _read(str(path), read_text(path, f"--thresholds {path}"))
    models = {ANY, *known_families(), *get_args(Architecture), *known_models}
    _check_keys(own, models, {ANY, *datasets.names(), *known_data})
    if own.file.extends == "none":
        return Thresholds(own.name, own.file.alpha, None, own)
    return Thresholds(own.name, shipped.file.alpha, shipped, own)


def shipped_text() -> str:
    """Return the text of the shipped thresholds file."""
    return resources.files("vlaudit").joinpath("thresholds.toml").read_text(encoding="utf-8")


@cache
def _shipped() -> _Source:
    return _read("thresholds.toml (shipped)", shipped_text())


def _read(name: str, text: str) -> _Source:
    source = _Source(name, text, parse(text, _File, f"--thresholds {name}"))
    for key, entry in source.file.entries():
        try:
            entry.criterion(key[-1], alpha=0.5)  # an entry with no bound or two is found before anything runs
        except UsageError as error:
            raise source.error(key, str(error)) from None
    return source


def _check_keys(source: _Source, models: AbstractSet[str], data: AbstractSet[str]) -> None:
    """Raise `UsageError` for a key that is no family, architecture or data set."""
    for (expect, model_key, data_key, *_), _ in source.file.entries():
        if model_key not in models and not _is_own_class(model_key):
            hint = nearest(model_key, sorted(models))
            raise source.error((expect, model_key), f"no family or architecture is called {model_key!r}{hint}")
        if data_key not in data:
            hint = nearest(data_key, sorted(data))
            raise source.error((expect, model_key, data_key), f"no data set is called {data_key!r}{hint}")


def _is_own_class(name: str) -> bool:
    """Return whether `name` is FILE.py:Class of an existing file or module:Class of an installed package."""
    place, _, class_name = name.rpartition(":")
    if not place or not class_name:
        return False
    return Path(place).is_file() if place.endswith(".py") else find_spec(place.partition(".")[0]) is not None


def _all_criteria(shipped: _Source | None, known: Mapping[str, AbstractSet[str]]) -> dict[str, set[str]]:
    """Return criteria by finding: the shipped ones without parametrizations, and the known ones."""
    criteria = {finding: set(names) for finding, names in known.items()}
    for (*_, finding, criterion), _ in shipped.file.entries() if shipped else ():
        criteria.setdefault(finding, set()).add(criterion.partition("[")[0])
    return criteria


def _matches(criterion: str, names: AbstractSet[str]) -> bool:
    """Return whether an entry names a known criterion, all its cases, or a case of one whose cases are not known."""
    all_cases = criterion.partition("[")[0]
    cases = {name for name in names if name.startswith(f"{all_cases}[")}
    if criterion == all_cases:
        return criterion in names or bool(cases)
    return criterion in cases or (not cases and all_cases in names)


def _entry_names(finding: str, criterion: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return the keys of the entry of exactly this case and of the entry of all cases."""
    return (finding, criterion), (finding, criterion.partition("[")[0])


def _without(own: Entries, shipped: Entries) -> Entries:
    """Return the user's entries that replace no shipped one."""
    return {key: entry for key, entry in own.items() if not shipped.keys() & set(_entry_names(*key))}


def _of_finding(entries: Entries, finding: str) -> list[tuple[tuple[str, str], _Entry]]:
    return [(key, entry) for key, entry in entries.items() if key[0] == finding]


def _cases(entries: Entries, finding: str) -> int:
    return sum(entry.cases for _, entry in _of_finding(entries, finding))
