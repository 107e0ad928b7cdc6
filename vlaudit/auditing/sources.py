"""Find the cases of audit files: those that ship, or a user's."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType

from vlaudit.auditing.cases import cases_of
from vlaudit.errors import UsageError, nearest
from vlaudit.findings import AuditCase

Source = ModuleType | str | Path
"""An audit module, an audit file, or a folder of files called test_*.py."""


def find_cases(sources: Sequence[Source] | None = None, findings: Iterable[str] | None = None) -> list[AuditCase]:
    """Return the cases of audits in the order of their files and tests; None for the audits that ship.

    `findings` selects by id. Raises `UsageError` for a file that is missing or declares no audit, and for an unknown
    finding.
    """
    cases = [case for source in (shipped() if sources is None else sources) for case in _cases(source)]
    if findings is None:
        return cases
    wanted, known = set(findings), {case.finding.id for case in cases}
    for name in sorted(wanted - known):
        raise UsageError(f"findings: no audit declares {name!r}{nearest(name, sorted(known))}")
    return [case for case in cases if case.finding.id in wanted]


@cache
def shipped() -> tuple[ModuleType, ...]:
    """Return the audit modules that ship: inside the package in a wheel, next to it in a clone."""
    package = Path(__file__).parents[1]
    folder = next(path for path in (package / "audits", package.parent / "audits") if path.is_dir())
    return tuple(map(_load, _files(folder)))


def _cases(source: Source) -> Iterator[AuditCase]:
    modules = [source] if isinstance(source, ModuleType) else [_load(path) for path in _files(Path(source))]
    found = [case for module in modules for case in cases_of(module)]
    if not found:
        raise UsageError(f"audits: {source} declares no audit; mark its tests with pytest.mark.audit")
    yield from found


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UsageError(f"audits: there is no file or folder {path}")
    return sorted(path.glob("test_*.py"))


def _load(path: Path) -> ModuleType:
    name = f"vlaudit_audits.{path.stem}"  # a name that no other package has; dataclasses need it in sys.modules
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"audits: {path} is no Python file")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
