"""Checks that change one place of the input and look where an answer changes: they find positions in a wrong order.

An answer in a wrong order has the right shape and sums to one, so the checks of `contract` accept it. Stage 0 of the
hidden states are embeddings: a position there depends on what it reads more than on anything else, and in most models
on nothing else. Embeddings that add a summary of other inputs by design (VL-BERT adds the mean image feature to every
word) are accepted: a check fails only where *another* position moves more than the changed one, or where the order of
stages is contradicted. Middle stages that are swapped with each other are not found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from unittest import SkipTest

import torch
from jaxtyping import Float
from torch import Tensor

from vlaudit.models.checks.subject import Change, Subject
from vlaudit.samples import words_of
from vlaudit.traces import Attention, Feature, Hidden, HiddenPieces, Match, Modality, Words


def image_is_read(subject: Subject) -> Iterator[str]:
    """Require that another image changes every answer that depends on it, and no text states where nothing fuses."""
    subject.need_image()
    fuses = subject.adapter.capabilities.architecture not in ("dual-encoder", "text-only")
    dependent = (Match(), Words, HiddenPieces, Feature("image"), Hidden("image"), *([Hidden("text")] if fuses else []))
    readings = [r for r in subject.readings if r in dependent or type(r) in dependent]
    change = subject.image_replaced(readings, subject.samples[0])
    for reading in readings:
        if torch.equal(change.before[reading], change.after[reading]):
            yield f"{reading!r} is the same for another image"
    apart = [] if fuses else [reading for reading in subject.readings if reading == Hidden("text")]
    for reading in apart:
        if bool(subject.image_replaced([reading]).moved(reading).any()):
            yield f"{reading!r} changes with the image, in an architecture that does not fuse"


def word_positions(subject: Subject) -> Iterator[str]:
    """Require that changing one word moves its own position most, among the text states of stage 0."""
    yield from _own_moves_most(subject.word_changes([_with_embeddings(subject, "text")]), "text")


def image_positions(subject: Subject) -> Iterator[str]:
    """Require that changing one box of the image moves its own position most, among the image states of stage 0."""
    yield from _own_moves_most(subject.image_changes([_with_embeddings(subject, "image")]), "image")


def _with_embeddings(subject: Subject, modality: Modality) -> Hidden:
    """Return the reading of all stages; `SkipTest` where stage 0 is not declared."""
    reading = Hidden(modality)
    if reading not in subject.readings or subject.adapter.capabilities.stages(reading)[0] != 0:
        raise SkipTest(f"the adapter declares no {modality} states of stage 0")
    return reading


def _own_moves_most(changes: Sequence[Change], modality: Modality) -> Iterator[str]:
    for change in changes:
        distance = change.distance(Hidden(modality))[0]
        own = float(distance[list(change.positions)].max())
        others = change.others(modality)
        rival = max(others, key=lambda i: float(distance[i]))
        if own <= float(distance[rival]):
            yield (
                f"changing what {modality} position {change.positions[0]} reads moves it by {own:.3g}, "
                f"and position {rival} by {float(distance[rival]):.3g}"
            )


def stage_order(subject: Subject) -> Iterator[str]:
    """Require stages from the embeddings to the last layer: later ones mix positions and modalities, stage 0 does not.

    Text states of stage 0 must not depend on the image, except where stage 0 is shown by its words to be embeddings
    (a word moves no other position there, but all of them in the last stage).
    """
    text = _stages_mix(subject.word_changes([_with_embeddings(subject, "text")]), "text")
    if text == (True, False):
        yield "a word moves every position of text stage 0, and not of the last stage: stages are reversed"
    elif subject.adapter.capabilities.visual_unit is not None:
        change = subject.image_replaced([Hidden("text")])
        distance = change.distance(Hidden("text")).amax(-1)
        if bool(change.moved(Hidden("text"))[0].any()) and text != (False, True):
            yield "text stage 0 depends on the image, so it is no embedding of words"
        elif bool(distance.any()) and not bool(distance[-1]):  # exactly: deep layers may reduce it to rounding
            yield "text states depend on the image, but those of the last stage do not"
    embedded = subject.adapter.capabilities.hidden.get("image", ())[:1] == (0,)
    if embedded and _stages_mix(subject.image_changes([Hidden("image")]), "image") == (True, False):
        yield "a box moves every position of image stage 0, and not of the last stage: stages are reversed"


def _stages_mix(changes: Sequence[Change], modality: Modality) -> tuple[bool, bool]:
    """Return whether stage 0, and whether the last stage, moves at every other position when one is changed."""
    reading = Hidden(modality)
    mixed = torch.stack([change.moved(reading)[:, change.others(modality)].all(-1) for change in changes]).all(0)
    return bool(mixed[0]), bool(mixed[-1])


def attention_positions(subject: Subject) -> Iterator[str]:
    """Require of the first layer that keys whose embeddings did not change keep the ratios of their attention.

    Attention of two keys by one query has a ratio that depends on these three embeddings alone. Keys in a wrong order
    break this, and so do layers in a wrong order. Skipped for attention whose first layer does not read stage 0.
    """
    readings = [r for r in subject.declared(Attention) if isinstance(r, Attention) and _reads_embeddings(subject, r)]
    if not readings:
        raise SkipTest("no attention is declared that reads declared states of stage 0")
    for reading in readings:
        asked = [reading, *{Hidden(reading.queries), Hidden(reading.keys)}]
        changes = subject.word_changes if reading.keys == "text" else subject.image_changes
        gap = max((_ratio_gap(change, reading) for change in changes(asked)), default=0.0)
        if gap > subject.tolerance:
            yield f"{reading!r}: unchanged keys change their ratio in the first layer, by {gap:.2g} (log)"


def _reads_embeddings(subject: Subject, reading: Attention) -> bool:
    capabilities = subject.adapter.capabilities
    if capabilities.architecture == "cross-attention" and reading.queries != reading.keys:
        return False  # every such layer reads the last states of the image
    first = capabilities.layers(reading)[0]
    both = (capabilities.hidden.get(modality, ()) for modality in (reading.queries, reading.keys))
    return all(stages[:2] == (0, first + 1) for stages in both)


def _ratio_gap(change: Change, reading: Attention) -> float:
    """Return by how much the first layer changes the log-ratios of unchanged keys, for unchanged queries."""
    queries, keys = (~change.moved(Hidden(modality))[0] for modality in (reading.queries, reading.keys))
    if int(keys.sum()) < 2 or not bool(queries.any()):
        return 0.0
    ratios = (_log(change.after[reading]) - _log(change.before[reading]))[0][:, queries][:, :, keys]
    return float((ratios - ratios.mean(-1, keepdim=True)).abs().max())


def _log(probabilities: Tensor) -> Float[Tensor, "layers heads queries keys"]:
    return probabilities.double().clamp(min=1e-20).log()  # an unlikely key may underflow; a floor keeps ratios finite


def words_at_the_mask(subject: Subject) -> Iterator[str]:
    """Require that `Words` and `HiddenPieces` give each of two hidden words the same log-probability."""
    subject.declared(Words)
    subject.declared(HiddenPieces)
    if subject.adapter.capabilities.word_probability != "vocabulary":
        raise SkipTest("its Words are over candidates, so they differ from HiddenPieces")
    sample = subject.plain[1]
    spans = [words_of(sample.caption)[i] for i in (1, 4)]
    words = Words(tuple(sample.text(span) for span in spans))
    hidden = sample.hiding(*spans)
    (trace,) = subject.ask([hidden], [words, HiddenPieces()])
    if gap := subject.gap(words, trace[words].diagonal(), trace[HiddenPieces()]):
        yield f"{gap}, read by name and as HiddenPieces"
