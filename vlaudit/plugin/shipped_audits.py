"""Find the audits that ship where the package is installed from a clone (`pip install -e`)."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

_NAME = "vlaudit.audits"


def locate_shipped_audits(args: list[str], config: pytest.Config) -> None:
    """Replace `vlaudit.audits` after --pyargs by the folder `audits` of the clone; a wheel contains that package."""
    folder = Path(__file__).parents[2] / "audits"
    if not config.known_args_namespace.pyargs or not folder.is_dir() or find_spec(_NAME) is not None:
        return
    args[:] = [_located(arg, folder) for arg in args]
    config.known_args_namespace.file_or_dir[:] = [
        _located(path, folder) for path in config.known_args_namespace.file_or_dir
    ]


def _located(arg: str, folder: Path) -> str:
    name, separator, test = arg.partition("::")
    if name == _NAME:
        return str(folder)
    module = name.removeprefix(f"{_NAME}.")
    return arg if module == name else f"{folder / module}.py{separator}{test}"
