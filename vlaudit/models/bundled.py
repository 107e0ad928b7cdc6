"""Where the checkpoints lie that ship with vlaudit: in `fixtures/zoo` of a clone, inside the package of a wheel."""

from __future__ import annotations

from pathlib import Path

from vlaudit.errors import CheckpointError

_PACKAGE = Path(__file__).resolve().parent.parent


def bundled_checkpoint(family: str) -> Path:
    """Return the bundled weights of a family; `CheckpointError` where none ship."""
    for fixtures in (_PACKAGE / "fixtures", _PACKAGE.parent / "fixtures"):
        weights = fixtures / "zoo" / "weights" / family / "model.safetensors"
        if weights.is_file():
            return weights
    raise CheckpointError(f"no weights of {family} are bundled; give a file with --checkpoint PATH")
