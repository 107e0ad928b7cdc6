"""The models of a run: all are loaded and checked before anything runs, and one at a time is kept."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from vlaudit.auditing.options import Asked
from vlaudit.errors import CheckpointError, RefusedSample, UsageError
from vlaudit.known_failures import KnownFailure, known_failures_of
from vlaudit.models.base import Architecture, ForwardRequest, ModelAdapter
from vlaudit.models.loading import load
from vlaudit.models.registry import find_family
from vlaudit.reporting.document import Subject
from vlaudit.samples import Sample


class Models:
    """The models that were asked for, by family; one that is not in memory is loaded when it is looked up.

    `check` finds every mistake before any long work. A single model then stays; of several only the one whose audits
    run is held, so that a run needs the memory of the largest, and pays for that by loading each twice.
    """

    def __init__(self, asked: Sequence[Asked], *, keep: bool | None = None) -> None:
        self._asked = {one.family: one for one in asked}
        self._keep = len(asked) == 1 if keep is None else keep
        self._loaded: dict[str, ModelAdapter] = {}
        self._subjects: dict[str, Subject] = {}
        self._architectures: dict[str, Architecture] = {}
        self._known_failures: dict[str, tuple[KnownFailure, ...]] = {}

    def check(self, samples: Sequence[Sample], data: str) -> None:
        """Load every model once; a `VlauditError` says what is wrong with one, or that it can read none of the samples.

        `data` is what the samples are called on the command line.
        """
        for family in self._asked:
            if ":" not in family:  # a file of one's own is run once, when its model is made
                find_family(family)
        for family in self._asked:
            _check_readable(family, self[family], samples, data)
            self.release(family)

    def __getitem__(self, family: str) -> ModelAdapter:
        if family not in self._loaded:
            self._loaded[family] = self._load(self._asked[family])
        return self._loaded[family]

    def __iter__(self) -> Iterator[str]:
        return iter(self._asked)

    def __len__(self) -> int:
        return len(self._asked)

    def release(self, family: str) -> None:
        """Let a model go whose audits are done; it is loaded again should anybody ask."""
        if not self._keep and self._loaded.pop(family, None) is not None:
            gc.collect()  # networks refer to themselves; without this the next one is loaded beside them

    def subject(self, family: str) -> Subject:
        """Return what was loaded, as the report names it."""
        self._load_once(family)
        return self._subjects[family]

    def architecture(self, family: str) -> Architecture:
        """Return the architecture of a model, which need not be in memory."""
        self._load_once(family)
        return self._architectures[family]

    def known_failures(self, family: str) -> tuple[KnownFailure, ...]:
        """Return the known failures that are listed next to the checkpoint of a model."""
        self._load_once(family)
        return self._known_failures[family]

    def _load_once(self, family: str) -> None:
        if family not in self._subjects:
            _ = self[family]
            self.release(family)

    def _load(self, asked: Asked) -> ModelAdapter:
        model = load(
            asked.family,
            checkpoint=asked.checkpoint,
            device=asked.device,
            dtype=asked.dtype,
            tokenizer=asked.tokenizer,
            download=asked.download,
        )
        subject = _subject(model, asked)
        if asked.family not in self._subjects:
            self._architectures[asked.family] = model.capabilities.architecture
            self._known_failures[asked.family] = _known_failures(model, asked)
        known = self._subjects.setdefault(asked.family, subject)
        if subject.fingerprint != known.fingerprint:
            raise CheckpointError(
                f"--model {asked.family}: the weights of {subject.checkpoint} changed while the run went on: they were "
                f"{known.fingerprint[:12]}... and are {subject.fingerprint[:12]}...; run again"
            )
        return model


def _check_readable(family: str, model: ModelAdapter, samples: Sequence[Sample], data: str) -> None:
    """Raise `UsageError` where a model refuses all of the samples, whatever it is asked."""
    reasons = Counter[str]()
    for sample in samples:
        reason = model.refusal(ForwardRequest(sample, frozenset())) or _unreadable(model, sample)
        if reason is None:
            return
        reasons[reason] += 1
    listed = "; ".join(f"{count} because {reason}" for reason, count in reasons.most_common(2))
    raise UsageError(
        f"--data {data}: --model {family} can read none of the first {len(samples)} samples ({listed}); "
        "give data that fit the model (docs/models.md says what each reads)"
    )


def _unreadable(model: ModelAdapter, sample: Sample) -> str | None:
    """Say why the pixels that a model of patches needs are not to be had, or None."""
    if model.capabilities.visual_unit != "patch" or sample.image is None:
        return None
    try:
        sample.image.pixels()
    except RefusedSample as refusal:
        return refusal.reason
    return None


def _known_failures(model: ModelAdapter, asked: Asked) -> tuple[KnownFailure, ...]:
    provenance = getattr(model, "provenance", None)
    path = provenance.path if provenance else asked.checkpoint
    return () if path is None else known_failures_of(path, model.fingerprint)


def _subject(model: ModelAdapter, asked: Asked) -> Subject:
    provenance = getattr(model, "provenance", None)
    path = asked.checkpoint
    return Subject(
        family=asked.family,
        checkpoint=str(path or ("bundled" if provenance else "none")),
        fingerprint=model.fingerprint.removeprefix("sha256:"),
        layout=provenance.layout if provenance else "",
        vocabulary=Path(provenance.vocabulary).name if provenance else "",
        keys=str(provenance.keys) if provenance else "",
        device=str(getattr(model, "device", "cpu")),
        dtype=asked.dtype,
    )
