"""What was loaded, in full: the first thing that a report says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from vlaudit.models.checkpoint import KeyReport


@dataclass(frozen=True)
class Provenance:
    """Where a model's weights came from and what became of the file.

    `path` is None for a model without a file; `sha256` is the file's, 64 hexadecimal digits.
    """

    family: str
    path: Path | None
    sha256: str
    keys: KeyReport
    layout: str
    vocabulary: str

    @property
    def fingerprint(self) -> str:
        """The name of the weights that verdicts and stored runs go by."""
        return f"sha256:{self.sha256}"


class Loaded:
    """What every adapter with a weights file says of it: made when it is asked for, the hash may still be running."""

    def __init__(self, provenance: Callable[[], Provenance]) -> None:
        self._make_provenance = provenance

    @cached_property
    def provenance(self) -> Provenance:
        """What was loaded; waits until the file's hash is computed."""
        return self._make_provenance()

    @property
    def fingerprint(self) -> str:
        """The name of the weights; waits as `provenance` does."""
        return self.provenance.fingerprint
