"""Checks of what an adapter declares: shapes, refusals, batches, alignment, and distributions that sum to one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from unittest import SkipTest

import torch
from torch import Tensor

from vlaudit.models.base import ForwardRequest, ModelAdapter
from vlaudit.models.checks.subject import Subject, with_word
from vlaudit.models.probe_samples import plain_words
from vlaudit.samples import Box, Sample, Span, words_of
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


def is_an_adapter(subject: Subject) -> Iterator[str]:
    """Require every member of `ModelAdapter`."""
    if not isinstance(subject.made, ModelAdapter):
        yield f"{type(subject.made).__name__} is no model adapter: see vlaudit.models.base.ModelAdapter"


def declares_what_it_answers(subject: Subject) -> Iterator[str]:
    """Require that each declared reading can be requested, and that any other is refused with a reason."""
    declared = {type(reading) for reading in subject.readings}
    for kind in sorted(subject.adapter.capabilities.readings - declared, key=str):
        yield f"{kind.__name__} is declared, but not for any modality or layer"
    examples = (Match(), Words(("red",)), HiddenPieces(), RegionClasses(), Feature("text"), Hidden("image"))
    for reading in examples:
        request = ForwardRequest(subject.plain[0], frozenset({reading}))
        if type(reading) not in declared and not subject.adapter.refusal(request):
            yield f"{reading!r} is not declared, but not refused either"


def plain_samples_are_answered(subject: Subject) -> Iterator[str]:
    """Require that short captions of plain words on small images are not refused."""
    for sample in subject.samples:
        if why := subject.adapter.refusal(ForwardRequest(sample, frozenset(subject.readings))):
            yield f"{sample.id} is refused, {why}"


def shapes(subject: Subject) -> Iterator[str]:
    """Require of every reading the axes that its class states, finite values, and no gradient."""
    for sample, trace in zip(subject.samples, subject.alone, strict=True):
        lengths = {"text": len(trace.text), "image": len(trace.image or ())}
        for reading in subject.readings:
            wanted, got = _shape(subject.adapter, reading, sample, lengths), tuple(trace[reading].shape)
            if len(wanted) != len(got) or any(w not in (-1, g) for w, g in zip(wanted, got, strict=True)):
                yield f"{reading!r} needs {wanted} (-1 is any), got {got} ({sample.id})"
            if not bool(trace[reading].isfinite().all()) and not isinstance(reading, Words | RegionClasses):
                yield f"{reading!r} is not finite ({sample.id})"
            if trace[reading].requires_grad:
                yield f"{reading!r} carries a gradient, which keeps the whole pass in memory ({sample.id})"


def _shape(adapter: ModelAdapter, reading: Reading, sample: Sample, lengths: dict[str, int]) -> tuple[int, ...]:
    """Return the shape that a reading must have, -1 where any length is right."""
    capabilities = adapter.capabilities
    match reading:
        case Words(words):
            rows = max(adapter.vocabulary.values(), default=-1) + 1
            return (len(sample.hidden_phrases), rows if words is None else len(words))
        case HiddenPieces() | Feature():
            return (-1,)
        case RegionClasses():
            return (-1, -1)
        case Hidden(modality):
            return (len(capabilities.stages(reading)), lengths[modality], -1)
        case Attention(queries, keys):
            heads = capabilities.attention[queries, keys].heads
            return (len(capabilities.layers(reading)), heads, lengths[queries], lengths[keys])
    return ()


def repeated_requests(subject: Subject) -> Iterator[str]:
    """Require the same answer to the same request: repeated, twice in one batch, or under another sample id."""
    first = subject.samples[0]
    for trace in subject.ask([first, replace(first, id="other", image_id="other")]):
        if trace.key != subject.alone[0].key:
            yield "the key of a trace depends on the id of its sample"
        if difference := subject.difference(subject.alone[0], trace):
            yield difference


def batches(subject: Subject) -> Iterator[str]:
    """Require that batches of one, four and twelve are equal: neither padding nor neighbours change an answer."""
    many = [*subject.samples, *subject.plain, *subject.samples]
    for together in (subject.ask(subject.samples), subject.ask(many)[-len(subject.samples) :]):
        for sample, one, other in zip(subject.samples, subject.alone, together, strict=True):
            if one.key != other.key:
                yield f"the trace of {sample.id} came at another place"
            elif difference := subject.difference(one, other):
                yield f"{difference} ({sample.id})"


def unread_answers(subject: Subject) -> Iterator[str]:
    """Require answers that depend neither on the answer or choices of a slot, nor on which slot is tested."""
    changed = [_asked(sample) for sample in subject.samples]
    for sample, one, other in zip(subject.samples, subject.alone, subject.ask(changed), strict=True):
        if difference := subject.difference(one, other):
            yield f"{difference} when a slot is tested and has an answer ({sample.id})"


def _asked(sample: Sample) -> Sample:
    """Return the sample with its slots tested; the samples of the other checks have slots without answers."""
    slots = (replace(s, answer=sample.text(s), choices=(sample.text(s), "other"), asked=True) for s in sample.slots)
    return replace(sample, slots=tuple(slots))


def order(subject: Subject) -> Iterator[str]:
    """Require traces in the order of requests, whichever it is."""
    backwards = subject.ask(list(reversed(subject.samples)))
    for sample, trace, one in zip(subject.samples, reversed(backwards), subject.alone, strict=True):
        if trace.key != one.key:
            yield f"the trace of {sample.id} came at another place"
        elif difference := subject.difference(one, trace):
            yield f"{difference} ({sample.id})"


def selections(subject: Subject) -> Iterator[str]:
    """Require that a reading, or one of its stages or layers, is the same requested alone or with all others."""
    sample, whole = subject.samples[0], subject.alone[0]
    for reading in subject.readings:
        for one, part in ((reading, whole[reading]), *_parts(subject, reading, whole)):
            (trace,) = subject.ask([sample], [one])
            if gap := subject.gap(one, part, trace[one]):
                yield f"{gap}, once among all readings and once alone"


def _parts(subject: Subject, reading: Reading, whole: Trace) -> Iterator[tuple[Reading, Tensor]]:
    """Yield the readings of the first and the last stage or layer, with their parts of the whole answer."""
    capabilities = subject.adapter.capabilities
    if isinstance(reading, Hidden):
        for i in (0, -1):
            yield replace(reading, stages=(capabilities.stages(reading)[i],)), whole[reading][i][None]
    if isinstance(reading, Attention):
        for i in (0, -1):
            yield replace(reading, layers=(capabilities.layers(reading)[i],)), whole[reading][i][None]


def word_alignment(subject: Subject) -> Iterator[str]:
    """Require a position for every letter of a caption, and for hidden phrases those of their letters."""
    for sample, trace in zip(subject.samples, subject.alone, strict=True):
        spans = [span for span in trace.text.spans if span is not None]
        if any(not 0 <= s.start < s.end <= len(sample.caption) for s in spans):
            yield f"a position reads characters outside the caption ({sample.id})"
        if unread := _unread(sample.caption, trace):
            yield f"no position reads character {unread[0]} of {sample.caption!r} ({sample.id})"
        if trace.text.hidden != tuple(trace.text.positions(*span) for span in sample.hidden_phrases):
            yield f"hidden phrases have the positions {trace.text.hidden}, not those of their characters ({sample.id})"


def _unread(caption: str, trace: Trace) -> list[int]:
    return [i for i, c in enumerate(caption) if c.isalnum() and not trace.text.positions(i, i + 1)]


def long_captions(subject: Subject) -> Iterator[str]:
    """Require that a caption which is too long is refused, never cut."""
    words = plain_words(subject.adapter.vocabulary)
    caption = " ".join((words * _LONG)[:_LONG])
    sample = replace(subject.plain[0], caption=caption, phrases=(), slots=())
    if not subject.adapter.refusal(ForwardRequest(sample, frozenset())):
        (trace,) = subject.ask([sample], [])
        if unread := _unread(caption, trace):
            yield f"a caption of {_LONG} words is not refused, but no position reads character {unread[0]}"


_LONG = 600  # words; more than the positions of the BERT family


def box_alignment(subject: Subject) -> Iterator[str]:
    """Require patches that cover the whole image, or a position for every region."""
    subject.need_image()
    for sample, trace in zip(subject.samples, subject.alone, strict=True):
        if trace.image is None:
            yield f"the trace has no image positions ({sample.id})"
        elif sample.image is not None:
            yield from _box_faults(sample, trace.image, Box(0, 0, sample.image.width, sample.image.height))


def _box_faults(sample: Sample, axis: ImageAxis, whole: Box) -> Iterator[str]:
    if axis.unit == "patch":
        covered = sum(cell.intersection(whole).area for cell in axis.boxes if cell is not None)
        if abs(covered - whole.area) > 1e-6 * whole.area:
            yield f"the patches cover {covered:.1f} of {whole.area:.1f} square pixels ({sample.id})"
        return
    for region in sample.regions:
        if not axis.weights(region.box).any():
            yield f"no position has the box of region {region.id} ({sample.id})"


def hidden_words(subject: Subject) -> Iterator[str]:
    """Require that a hidden phrase is not read: another word there changes no answer but its own log-probability."""
    sample = subject.plain[0]
    first, second, third = words_of(sample.caption)[1:4]
    hidden: tuple[tuple[Span, ...], ...] = ((second,), (Span(first.start, second.end),), (second, third))
    for spans in hidden:
        # Words reads one piece, and a hidden word of another number of pieces may take another number of masks
        excluded = (HiddenPieces, Words) if spans[0].start < second.start else (HiddenPieces,)
        readings = [r for r in subject.readings if not isinstance(r, excluded)]
        for word in _other_words(subject, sample, second):
            pair = sample.hiding(*spans), with_word(sample.hiding(*spans), second, word)
            if any(subject.adapter.refusal(ForwardRequest(one, frozenset(readings))) for one in pair):
                continue
            one, other = (subject.ask([each], readings)[0] for each in pair)
            if len(one.text) == len(other.text) and (difference := subject.difference(one, other, readings)):
                yield f"{difference} when the hidden {sample.text(second)!r} changes to {word!r}"


def _other_words(subject: Subject, sample: Sample, span: Span) -> list[str]:
    """Return a probe word as long as the one at `span`, and one of another length; `SkipTest` without the first."""
    words = [word for word in plain_words(subject.adapter.vocabulary) if word not in sample.caption]
    as_long = [word for word in words if len(word) == span.end - span.start]
    if not as_long:
        raise SkipTest(f"no probe word is as long as {sample.text(span)!r}")
    return [as_long[0], *[word for word in words if len(word) != len(as_long[0])][:1]]


def log_probabilities(subject: Subject) -> Iterator[str]:
    """Require log-probabilities of at most 0, whose probabilities sum to one over all words, candidates or classes."""
    readings = subject.declared(Words, HiddenPieces, RegionClasses)
    over_all = subject.adapter.capabilities.word_probability == "vocabulary"
    whole = Words() if over_all else next((r for r in readings if isinstance(r, Words)), None)
    for sample, trace in zip(subject.samples, subject.alone, strict=True):
        for reading in readings:
            if bool((trace[reading] > subject.tolerance).any()):
                yield f"{reading!r} has a log-probability above 0 ({sample.id})"
            if isinstance(reading, RegionClasses) or reading == whole:
                total = trace[reading].double().exp().sum(-1)
                if float((total - 1).abs().max()) > 1e-3:
                    yield f"{reading!r} sums to {float(total.flatten()[0]):.4f}, not 1 ({sample.id})"


def candidates(subject: Subject) -> Iterator[str]:
    """Require columns of `Words` in the order of its words, equal to those of the full vocabulary where it is read."""
    readings, sample = subject.declared(Words), subject.samples[0]
    for reading in readings:
        if isinstance(reading, Words) and reading.words is not None:
            backwards = Words(reading.words[::-1])
            (trace,) = subject.ask([sample], [backwards])
            if gap := subject.gap(reading, subject.alone[0][reading], trace[backwards].flip(-1)):
                yield f"{gap}, asked in order and backwards"
            if Words() in readings:
                ids = [subject.adapter.vocabulary[word] for word in reading.words]
                if gap := subject.gap(reading, subject.alone[0][reading], subject.alone[0][Words()][:, ids]):
                    yield f"{gap}, asked by name and read in the full vocabulary"


def attention_rows(subject: Subject) -> Iterator[str]:
    """Require attention that sums to one: over both modalities where they share a softmax, over each otherwise."""
    pairs = [r for r in subject.declared(Attention) if isinstance(r, Attention)]
    for sample, trace in zip(subject.samples, subject.alone, strict=True):
        for queries in sorted({reading.queries for reading in pairs}):
            slices = [r for r in pairs if r.queries == queries]
            for rows in _whole_rows(subject.adapter, trace, slices):
                if bool((rows < 0).any()) or float((rows.sum(-1) - 1).abs().max()) > subject.tolerance:
                    yield f"rows of {queries} queries do not ({sample.id})"


def _whole_rows(adapter: ModelAdapter, trace: Trace, slices: Sequence[Attention]) -> list[Tensor]:
    """Return the rows under one softmax: all slices of a query together, or each alone."""
    if adapter.capabilities.joint_softmax:
        return [torch.cat([trace[reading] for reading in slices], dim=-1)]
    return [trace[reading] for reading in slices]


def features(subject: Subject) -> Iterator[str]:
    """Require features of unit length, each independent of the other modality."""
    readings = [r for r in subject.declared(Feature) if isinstance(r, Feature)]
    for reading in readings:
        length = float(subject.alone[0][reading].norm())
        if abs(length - 1) > 1e-3:
            yield f"{reading!r} has length {length:.4f}, not 1"
    if Feature("text") in readings and subject.adapter.capabilities.visual_unit:
        change = subject.image_replaced([Feature("text")])
        if gap := subject.gap(Feature("text"), change.before[Feature("text")], change.after[Feature("text")]):
            yield f"{gap} when the image changes"
    if Feature("image") in readings:
        for change in subject.word_changes([Feature("image")])[:1]:
            if gap := subject.gap(Feature("image"), change.before[Feature("image")], change.after[Feature("image")]):
                yield f"{gap} when the caption changes"
