"""Paths of the checkpoints that ship with vlaudit: in `fixtures/zoo` of a clone, or inside an installed package."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from vlaudit.errors import CheckpointError

_PACKAGE = Path(__file__).resolve().parent.parent
_FIXTURES = (_PACKAGE / "fixtures", _PACKAGE.parent / "fixtures")


def bundled_checkpoint(family: str) -> Path:
    """Return the bundled weights of a family; `CheckpointError` where there are none."""
    weights = _weights(family)
    if weights is None:
        raise CheckpointError(f"no weights of {family} are bundled; give a file with --checkpoint PATH")
    return weights


def is_bundled(weights: Path) -> bool:
    """Return whether a weights file is the bundled one of a family, or that of its second training seed."""
    folders = (fixtures / "zoo" / "weights" for fixtures in _FIXTURES)
    return any(weights.resolve().is_relative_to(folder) for folder in folders)


def bundled_families(families: Iterable[str]) -> list[str]:
    """Return the families that have bundled weights, in the order given."""
    return [family for family in families if _weights(family) is not None]


def _weights(family: str) -> Path | None:
    for fixtures in _FIXTURES:
        weights = fixtures / "zoo" / "weights" / family / "model.safetensors"
        if weights.is_file():
            return weights
    return None
