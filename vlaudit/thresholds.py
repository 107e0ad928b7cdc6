"""What is demanded, from `thresholds.toml`, checked as a whole before anything runs.

One table a family, data set and finding, `[desirable.albef.scenes.text_dominance]`; "any" stands for every family or
every data set, and the more particular table wins, entry by entry. An entry is a criterion:
`vision_effect = { at_least = 0.2, why = "..." }`, with exactly one of `at_least`, `at_most`, `within = [a, b]`, and
`cases = N` where a test is parametrized N times. `competence` is no criterion: below it the others do not apply.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vlaudit.errors import UsageError
from vlaudit.findings import Criterion

ANY = "any"
COMPETENCE = "competence"
Expect = Literal["desirable", "published"]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    why: str = Field(min_length=10)
    at_least: float | int | None = None
    at_most: float | int | None = None
    within: tuple[float | int, float | int] | None = Field(default=None, strict=False)
    cases: int = Field(default=1, ge=1)


class _KnownFailure(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    criterion: str
    model: str
    sha256: str = Field(min_length=8)
    limit: int = Field(ge=1)
    seed: int = Field(ge=0)
    why: str = Field(min_length=10)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    alpha: float = Field(gt=0, lt=1)
    refused_at_most: float = Field(gt=0, le=1)
    desirable: dict[str, dict[str, dict[str, dict[str, _Entry]]]]
    published: dict[str, dict[str, dict[str, dict[str, _Entry]]]] = {}
    known_failures: list[_KnownFailure] = []


@dataclass(frozen=True)
class Thresholds:
    """The demands of one file. `alpha` is the suite's error, which its criteria share in equal parts."""

    source: str
    alpha: float
    refused_at_most: float
    _file: _File

    def criterion(self, family: str, data: str, finding: str, criterion: str, expect: str) -> Criterion:
        """Return a criterion with its share of the error: alpha / m, whatever is selected.

        `criterion` may carry a parametrization, `links_above_random[people]`; the entry of that name wins over the
        plain one. Raises `UsageError` where the file says nothing about it.
        """
        entries = self._entries(family, data, expect)
        plain = criterion.partition("[")[0]
        entry = entries.get((finding, criterion)) or entries.get((finding, plain))
        full = f"{finding}.{criterion}"
        if entry is None:
            raise UsageError(
                f"thresholds {self.source}: nothing is said about {full} for {family} on {data} ({expect}); "
                f"add it under [{expect}.{family}.{data}.{finding}]"
            )
        within = None if entry.within is None else (float(entry.within[0]), float(entry.within[1]))
        return Criterion(full, entry.why, self.alpha / _cases(entries), entry.at_least, entry.at_most, within)

    def competence(self, family: str, data: str, finding: str, expect: str = "desirable") -> float | None:
        """Return the least value on the plain condition that lets a finding's criteria apply, if one is set."""
        entry = self._entries(family, data, expect).get((finding, COMPETENCE))
        return None if entry is None or entry.at_least is None else float(entry.at_least)

    def count(self, family: str, data: str, expect: str) -> int:
        """Return m: how many criteria, parametrizations counted, share the error."""
        return _cases(self._entries(family, data, expect))

    def known_failure(self, criterion: str, family: str, fingerprint: str, limit: int, seed: int) -> str | None:
        """Return why this criterion of this very checkpoint, limit and seed is known to fail; None where it is not."""
        for known in self._file.known_failures:
            same_run = (known.criterion, known.model, known.limit, known.seed) == (criterion, family, limit, seed)
            if same_run and known.sha256 in fingerprint:
                return known.why
        return None

    def _entries(self, family: str, data: str, expect: str) -> dict[tuple[str, str], _Entry]:
        tables = self._file.desirable if expect == "desirable" else self._file.published
        found: dict[tuple[str, str], _Entry] = {}
        for one_family, one_data in ((ANY, ANY), (ANY, data), (family, ANY), (family, data)):
            for finding, entries in tables.get(one_family, {}).get(one_data, {}).items():
                found |= {(finding, criterion): entry for criterion, entry in entries.items()}
        return found


def _cases(entries: Mapping[tuple[str, str], _Entry]) -> int:
    return sum(entry.cases for (_, criterion), entry in entries.items() if criterion != COMPETENCE) or 1


def read_thresholds(path: Path | None = None) -> Thresholds:
    """Read a thresholds file, the one that ships where `path` is None.

    Raises `UsageError` with file and line: no file, no TOML, an unknown key, a wrong type, not exactly one bound.
    """
    source = str(path) if path else "thresholds.toml (as shipped)"
    text = _text(path)
    try:
        file = _File.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"--thresholds {source}: not TOML: {error}") from None
    except ValidationError as error:
        raise UsageError(_message(source, text, error)) from None
    thresholds = Thresholds(source, file.alpha, file.refused_at_most, file)
    _check_bounds(thresholds, text)
    return thresholds


def shipped_text() -> str:
    """Return the thresholds file that ships, as it is written."""
    return resources.files("vlaudit").joinpath("thresholds.toml").read_text(encoding="utf-8")


def _text(path: Path | None) -> str:
    if path is None:
        return shipped_text()
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--thresholds {path}: it could not be read: {error}") from None


def _message(source: str, text: str, error: ValidationError) -> str:
    lines = []
    for one in error.errors()[:3]:
        where = ".".join(map(str, one["loc"]))
        lines.append(
            f"--thresholds {source}, line {_line(text, one['loc'])}: {where}: {one['msg']}, got {one['input']!r}"
        )
    return "\n".join(lines)


def _line(text: str, where: tuple[Any, ...]) -> int:
    """Return the line of the deepest part of a dotted place that can be found, counted from 1."""
    names = [str(part) for part in where]
    lines = text.splitlines()
    for depth in range(len(names), 0, -1):
        table, key = ".".join(names[: depth - 1]), names[depth - 1]
        inside = not table
        for number, line in enumerate(lines, start=1):
            if header := re.fullmatch(r"\s*\[+([^]]+)]+\s*(#.*)?", line):
                inside = header.group(1).strip() == table
                if header.group(1).strip() == ".".join(names[:depth]):
                    return number
            elif inside and re.match(rf'\s*"?{re.escape(key)}"?\s*=', line):
                return number
    return 1


def _check_bounds(thresholds: Thresholds, text: str) -> None:
    """Make every criterion once, so that two bounds or none show before anything runs."""
    for where, entry in _all(thresholds._file):  # noqa: SLF001 (the same module)
        within = None if entry.within is None else (float(entry.within[0]), float(entry.within[1]))
        try:
            Criterion(where[-1], entry.why, 0.5, entry.at_least, entry.at_most, within)
        except UsageError as error:
            raise UsageError(f"--thresholds {thresholds.source}, line {_line(text, where)}: {error}") from None


def _all(file: _File) -> Iterator[tuple[tuple[str, ...], _Entry]]:
    for expect in ("desirable", "published"):
        for family, by_data in getattr(file, expect).items():
            for data, by_finding in by_data.items():
                for finding, entries in by_finding.items():
                    for criterion, entry in entries.items():
                        yield (expect, family, data, finding, criterion), entry
