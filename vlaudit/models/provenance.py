"""Origin of a model's weights, for the head of the report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from vlaudit.models.checkpoint import KeyReport


@dataclass(frozen=True)
class Provenance:
    """Origin of a model's weights and the report of their tensors.

    `path` is None for a model without a file; `sha256` is that of the file, 64 hexadecimal digits.
    """

    family: str
    path: Path | None
    sha256: str
    keys: KeyReport
    layout: str
    vocabulary: str

    @property
    def fingerprint(self) -> str:
        """Identifier of the weights in verdicts and stored runs."""
        return f"sha256:{self.sha256}"


class Loaded:
    """Checkpoint provenance, computed lazily; hashing may still be in progress."""

    def __init__(self, provenance: Callable[[], Provenance]) -> None:
        self._make_provenance = provenance

    @cached_property
    def provenance(self) -> Provenance:
        """Provenance; waits until the file's hash is computed."""
        return self._make_provenance()

    @property
    def fingerprint(self) -> str:
        """Identifier of the weights; waits as `provenance` does."""
        return self.provenance.fingerprint
