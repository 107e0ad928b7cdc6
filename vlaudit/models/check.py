"""Check that an adapter keeps what it declares, as scikit-learn's `check_estimator` does for estimators.

Run it in a test of your own: `vlaudit.check_adapter(MyAdapter())`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vlaudit.errors import AdapterError
from vlaudit.models.base import ForwardRequest, ModelAdapter
from vlaudit.models.probe_samples import answerable, plain_words, probe_samples
from vlaudit.samples import Box, Sample
from vlaudit.traces import (
    Attention,
    Feature,
    Hidden,
    HiddenPieces,
    ImageAxis,
    Match,
    Reading,
    RegionClasses,
    Trace,
    Words,
)


@dataclass(frozen=True)
class _Subject:
    """An adapter with the samples and readings it is asked, and its answers to each sample alone."""

    adapter: ModelAdapter
    samples: Sequence[Sample]
    readings: Sequence[Reading]
    alone: Sequence[Trace]
    tolerance: float

    def ask(self, samples: Sequence[Sample]) -> list[Trace]:
        return self.adapter.forward([ForwardRequest(sample, frozenset(self.readings)) for sample in samples])

    def difference(self, one: Trace, other: Trace) -> str | None:
        """Say which reading differs by more than the tolerance, or None."""
        for reading in self.readings:
            a, b = one[reading], other[reading]
            if a.shape != b.shape:
                return f"{reading!r} has shape {tuple(a.shape)} once and {tuple(b.shape)} the other time"
            gap = float((a - b).abs().max()) if a.numel() else 0.0
            if gap > self.tolerance:
                return f"{reading!r} differs by {gap:.2g} (tolerance {self.tolerance:g})"
        return None


def check_adapter(adapter: object, *, tolerance: float = 1e-4) -> None:
    """Ask an adapter about four small samples and hold its answers against what it declares.

    Declared readings are delivered with the stated axes; what is not declared is refused with a reason; a batch of one
    equals a batch of four, and neither order nor padding changes anything (within `tolerance`, absolute); words and
    boxes are fully aligned; attention rows sum to one; log-probabilities are such; a hidden word does not show through.

    Raises `AdapterError` that lists every promise that is not kept.
    """
    if not isinstance(adapter, ModelAdapter):
        raise AdapterError(f"{type(adapter).__name__} is no model adapter: see vlaudit.models.base.ModelAdapter")
    samples = [sample.hiding(sample.slots[0]) for sample in probe_samples(adapter)]
    readings = answerable(adapter)
    broken = list(_undeclared(adapter, readings))
    refused = [(s, adapter.refusal(ForwardRequest(s, frozenset(readings)))) for s in samples]
    broken += [f"plain samples are answered: {sample.id} is refused, {why}" for sample, why in refused if why]
    if not broken:
        alone = [adapter.forward([ForwardRequest(sample, frozenset(readings))])[0] for sample in samples]
        subject = _Subject(adapter, samples, readings, alone, tolerance)
        broken = [f"{promise}: {what}" for promise, check in _CHECKS.items() for what in check(subject)]
    if broken:
        raise AdapterError(f"{adapter.name} does not keep {len(broken)} promises:\n  " + "\n  ".join(broken))


def _undeclared(adapter: ModelAdapter, readings: Sequence[Reading]) -> Iterator[str]:
    declared = {type(reading) for reading in readings}
    for kind in sorted(adapter.capabilities.readings - declared, key=str):
        yield f"what is declared can be asked for: {kind.__name__} is declared, but not for any modality or layer"
    sample = probe_samples(adapter)[0]
    for reading in (
        Match(),
        Words(("red",)),
        HiddenPieces(),
        RegionClasses(),
        Feature("text"),
        Hidden("image"),
    ):
        if type(reading) not in declared and not adapter.refusal(ForwardRequest(sample, frozenset({reading}))):
            yield f"what is not declared is refused with a reason: {reading!r} was not"


def _axes(subject: _Subject) -> Iterator[str]:
    for sample, trace in zip(subject.samples, subject.alone, strict=True):
        lengths = {"text": len(trace.text), "image": len(trace.image or ())}
        for reading in subject.readings:
            wanted, got = _shape(subject.adapter, reading, sample, lengths), tuple(trace[reading].shape)
            if len(wanted) != len(got) or any(w not in (-1, g) for w, g in zip(wanted, got, strict=True)):
                yield f"{reading!r} needs {wanted} (-1 is any), got {got} ({sample.id})"
            if not bool(trace[reading].isfinite().all()) and not isinstance(reading, Words | RegionClasses):
                yield f"{reading!r} is not finite ({sample.id})"


def _shape(adapter: ModelAdapter, reading: Reading, sample: Sample, lengths: dict[str, int]) -> tuple[int, ...]:
    """Return the shape that a reading must have, -1 where any length will do."""
    capabilities = adapter.capabilities
    match reading:
        case Words(words):
            rows = max(adapter.vocabulary.values(), default=-1) + 1
            return (len(sample.hidden_phrases), rows if words is None else len(words))
        case HiddenPieces():
            return (-1,)
        case Match():
            return ()
        case Feature():
            return (-1,)
        case RegionClasses():
            return (-1, -1)
        case Hidden(modality):
            return (len(capabilities.stages(reading)), lengths[modality], -1)
        case Attention(queries, keys):
            heads = capabilities.attention[queries, keys].heads
            return (len(capabilities.layers(reading)), heads, lengths[queries], lengths[keys])
    return ()


def _batches(subject: _Subject) -> Iterator[str]:
    together = subject.ask(subject.samples)
    for sample, one, four in zip(subject.samples, subject.alone, together, strict=True):
        if difference := subject.difference(one, four):
            yield f"{difference} ({sample.id})"


def _order(subject: _Subject) -> Iterator[str]:
    backwards = subject.ask(list(reversed(subject.samples)))
    for sample, trace, one in zip(subject.samples, reversed(backwards), subject.alone, strict=True):
        if trace.key != one.key:
            yield f"the trace of {sample.id} came at another place"
        elif difference := subject.difference(one, trace):
            yield f"{difference} ({sample.id})"


def _repetition(subject: _Subject) -> Iterator[str]:
    first = subject.samples[0]
    for trace in subject.ask([first, first]):
        if difference := subject.difference(subject.alone[0], trace):
            yield difference


def _words(subject: _Subject) -> Iterator[str]:
    for sample, trace in zip(subject.samples, subject.alone, strict=True):
        spans = [span for span in trace.text.spans if span is not None]
        if any(not 0 <= s.start < s.end <= len(sample.caption) for s in spans):
            yield f"a position reads characters outside the caption ({sample.id})"
        unread = [i for i, c in enumerate(sample.caption) if c.isalnum() and not trace.text.positions(i, i + 1)]
        if unread:
            yield f"no position reads character {unread[0]} of {sample.caption!r} ({sample.id})"
        if len(trace.text.hidden) != len(sample.hidden_phrases) or not all(trace.text.hidden):
            yield f"hidden phrases have no positions ({sample.id})"


def _boxes(subject: _Subject) -> Iterator[str]:
    for sample, trace in zip(subject.samples, subject.alone, strict=True):
        if subject.adapter.capabilities.visual_unit is None or sample.image is None:
            continue
        if trace.image is None:
            yield f"the trace has no image positions ({sample.id})"
        else:
            yield from _box_faults(sample, trace.image, Box(0, 0, sample.image.width, sample.image.height))


def _box_faults(sample: Sample, axis: ImageAxis, whole: Box) -> Iterator[str]:
    if axis.unit == "patch":
        covered = sum(cell.intersection(whole).area for cell in axis.boxes if cell is not None)
        if abs(covered - whole.area) > 1e-6 * whole.area:
            yield f"the patches cover {covered:.1f} of {whole.area:.1f} square pixels ({sample.id})"
        return
    for region in sample.regions:
        if not axis.weights(region.box).any():
            yield f"no position stands for region {region.id} ({sample.id})"


def _attention_sums(subject: _Subject) -> Iterator[str]:
    pairs = [r for r in subject.readings if isinstance(r, Attention)]
    for sample, trace in zip(subject.samples, subject.alone, strict=True):
        for queries in sorted({reading.queries for reading in pairs}):
            slices = [r for r in pairs if r.queries == queries]
            for rows in _whole_rows(subject.adapter, trace, slices):
                if bool((rows < 0).any()) or float((rows.sum(-1) - 1).abs().max()) > subject.tolerance:
                    yield f"rows of {queries} queries do not ({sample.id})"


def _whole_rows(adapter: ModelAdapter, trace: Trace, slices: Sequence[Attention]) -> list[Tensor]:
    """Return the rows that stand under one softmax: all slices of a query together, or each alone."""
    if adapter.capabilities.joint_softmax:
        return [torch.cat([trace[reading] for reading in slices], dim=-1)]
    return [trace[reading] for reading in slices]


def _probabilities(subject: _Subject) -> Iterator[str]:
    readings = [r for r in subject.readings if isinstance(r, Words | HiddenPieces | RegionClasses)]
    for sample, trace in zip(subject.samples, subject.alone, strict=True):
        for reading in readings:
            if bool((trace[reading] > subject.tolerance).any()):
                yield f"{reading!r} has a log-probability above 0 ({sample.id})"
            if isinstance(reading, RegionClasses) or reading == Words():
                total = trace[reading].double().exp().sum(-1)
                if float((total - 1).abs().max()) > 1e-3:
                    yield f"{reading!r} sums to {float(total.flatten()[0]):.4f}, not 1 ({sample.id})"


def _hidden_words(subject: _Subject) -> Iterator[str]:
    """Change the hidden word and nothing else: a model that does not read it answers the same."""
    sample = subject.samples[0]
    start, end = sample.hidden_phrases[0]
    others = [w for w in plain_words(subject.adapter.vocabulary) if w != sample.caption[start:end]]
    same_length = [word for word in others if len(word) == end - start]
    readings = [r for r in subject.readings if not isinstance(r, HiddenPieces)]
    for word in same_length[:1]:
        changed = replace(sample, caption=sample.caption[:start] + word + sample.caption[end:])
        trace = subject.ask([changed])[0]
        if difference := replace(subject, readings=readings).difference(subject.alone[0], trace):
            yield f"{difference} when the hidden word changes from {sample.caption[start:end]!r} to {word!r}"


_CHECKS: dict[str, Callable[[_Subject], Iterator[str]]] = {
    "declared readings have the stated axes": _axes,
    "a batch of one equals a batch of four": _batches,
    "order changes nothing": _order,
    "asking again changes nothing": _repetition,
    "words are fully aligned": _words,
    "boxes are fully aligned": _boxes,
    "attention rows sum to one": _attention_sums,
    "log-probabilities are at most 0 and sum to one": _probabilities,
    "a hidden word is not read": _hidden_words,
}
