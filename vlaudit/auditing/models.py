"""The models of a run: each is loaded and checked before anything runs, and one at a time is kept in memory."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from vlaudit.auditing.options import ModelOptions
from vlaudit.controls.adapter import with_control
from vlaudit.errors import AdapterError, CheckpointError, RefusedSample, UsageError
from vlaudit.known_failures import KnownFailure, known_failures_of
from vlaudit.models.base import Architecture, Capabilities, ForwardRequest, ModelAdapter
from vlaudit.models.bundled import is_bundled
from vlaudit.models.loading import load
from vlaudit.models.registry import find_family
from vlaudit.models.smoke_test import smoke_test
from vlaudit.reporting.document import Subject
from vlaudit.samples import Sample


class Models:
    """The models of a run by family, loaded on demand.

    `check` finds every mistake before any long work. A single model stays in memory. Of several, only the one under
    audit does: a run needs the memory of the largest, and each model is loaded twice.
    """

    def __init__(self, options: Sequence[ModelOptions], *, keep: bool | None = None) -> None:
        self._options = {one.name: one for one in options}
        self._keep = len(options) == 1 if keep is None else keep
        self.samples: Sequence[Sample] = ()
        """Some samples of the run, which controls show in place of others."""
        self._loaded: dict[str, ModelAdapter] = {}
        self._subjects: dict[str, Subject] = {}
        self._capabilities: dict[str, Capabilities] = {}
        self._known_failures: dict[str, tuple[KnownFailure, ...]] = {}
        self._bundled: set[str] = set()

    def check(self, samples: Sequence[Sample], data: str) -> None:
        """Load every model once; `VlauditError` if one cannot be loaded or can read none of the samples.

        `data` is the name of the samples on the command line.
        """
        for options in self._options.values():
            if options.adapter is None and ":" not in options.spec:  # a file is run once, when its model is made
                find_family(options.spec)
        for family, options in self._options.items():
            _check_readable(options.spec, self[family], samples, data)
            self.release(family)

    def __getitem__(self, family: str) -> ModelAdapter:
        if family not in self._loaded:
            self._loaded[family] = self._load(self._options[family])
        return self._loaded[family]

    def __iter__(self) -> Iterator[str]:
        return iter(self._options)

    def __len__(self) -> int:
        return len(self._options)

    def release(self, family: str) -> None:
        """Free a model's memory after its audits; it is reloaded on demand."""
        if not self._keep and self._loaded.pop(family, None) is not None:
            gc.collect()  # networks hold reference cycles: without this the next model is loaded next to them

    def subject(self, family: str) -> Subject:
        """Return the description of a loaded model for the report."""
        self._load_once(family)
        return self._subjects[family]

    def is_bundled(self, family: str) -> bool:
        """Return whether the weights of a model are bundled with vlaudit."""
        self._load_once(family)
        return family in self._bundled

    def architecture(self, family: str) -> Architecture:
        """Return the architecture of a model, which need not be in memory."""
        self._load_once(family)
        return self._capabilities[family].architecture

    def capabilities(self, family: str) -> Capabilities:
        """Return the capabilities of a model, which need not be in memory."""
        self._load_once(family)
        return self._capabilities[family]

    def known_failures(self, family: str) -> tuple[KnownFailure, ...]:
        """Return the known failures that are listed next to the checkpoint of a model."""
        self._load_once(family)
        return self._known_failures[family]

    def _load_once(self, family: str) -> None:
        if family not in self._subjects:
            _ = self[family]
            self.release(family)

    def _load(self, options: ModelOptions) -> ModelAdapter:
        model = _model(options)
        if options.control is not None:
            model = with_control(options.control, model, self.samples)
        subject = _subject(model, options)
        if options.name not in self._subjects:
            self._capabilities[options.name] = model.capabilities
            self._known_failures[options.name] = _known_failures(model, options)
            if _is_bundled(model):
                self._bundled.add(options.name)
        known = self._subjects.setdefault(options.name, subject)
        if subject.fingerprint != known.fingerprint:
            raise CheckpointError(
                f"--model {options.spec}: the weights of {subject.checkpoint} changed during the run: they were "
                f"{known.fingerprint[:12]}... and are {subject.fingerprint[:12]}...; run again"
            )
        return model


def _model(options: ModelOptions) -> ModelAdapter:
    if options.adapter is not None:
        if not isinstance(options.adapter, ModelAdapter):
            raise AdapterError(f"models: {options.adapter!r} is no model adapter; see vlaudit.adapter_checks")
        smoke_test(options.adapter)
        return options.adapter
    return load(
        options.spec,
        checkpoint=options.checkpoint,
        device=options.device,
        dtype=options.dtype,
        tokenizer=options.tokenizer,
        download=options.download,
    )


def _check_readable(spec: str, model: ModelAdapter, samples: Sequence[Sample], data: str) -> None:
    """Raise `UsageError` if a model refuses all of the samples."""
    reasons = Counter[str]()
    for sample in samples:
        reason = model.refusal(ForwardRequest(sample, frozenset())) or _unreadable(model, sample)
        if reason is None:
            return
        reasons[reason] += 1
    listed = "; ".join(f"{count} because {reason}" for reason, count in reasons.most_common(2))
    raise UsageError(
        f"--data {data}: --model {spec} can read none of the first {len(samples)} samples ({listed}); "
        "give data that fit the model (docs/models.md states the inputs of each)"
    )


def _unreadable(model: ModelAdapter, sample: Sample) -> str | None:
    """Return why a patch-based model cannot read the sample's pixels, or None."""
    if model.capabilities.visual_unit != "patch" or sample.image is None:
        return None
    try:
        sample.image.pixels()
    except RefusedSample as refusal:
        return refusal.reason
    return None


def _known_failures(model: ModelAdapter, options: ModelOptions) -> tuple[KnownFailure, ...]:
    provenance = getattr(model, "provenance", None)
    path = provenance.path if provenance else options.checkpoint
    return () if path is None or options.control else known_failures_of(path, model.fingerprint)


def _is_bundled(model: ModelAdapter) -> bool:
    provenance = getattr(model, "provenance", None)
    return provenance is not None and provenance.path is not None and is_bundled(provenance.path)


def _subject(model: ModelAdapter, options: ModelOptions) -> Subject:
    provenance = getattr(model, "provenance", None)
    if options.adapter is None:
        checkpoint, dtype = options.checkpoint or ("bundled" if provenance else "none"), options.dtype
    else:
        checkpoint = (provenance and provenance.path) or "none"
        dtype = str(getattr(model, "dtype", "float32")).removeprefix("torch.")
    return Subject(
        family=options.name,
        checkpoint=str(checkpoint) + (f", control {options.control}" if options.control else ""),
        fingerprint=model.fingerprint.removeprefix("sha256:"),
        layout=provenance.layout if provenance else "",
        vocabulary=Path(provenance.vocabulary).name if provenance else "",
        keys=str(provenance.keys) if provenance else "",
        device=str(getattr(model, "device", "cpu")),
        dtype=dtype,
    )
