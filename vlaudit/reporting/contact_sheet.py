"""A contact sheet: samples next to their perturbed versions, for visual inspection."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path

from PIL import Image as Pillow

from vlaudit.errors import RefusedSample, UsageError
from vlaudit.perturbations import (
    CopyHint,
    Cover,
    CoverElsewhere,
    Foil,
    Grayscale,
    Hint,
    LuminanceNoise,
    Mirror,
    Move,
    Perturbation,
    Recolor,
    SwapClauses,
    SwapSides,
    apply,
)
from vlaudit.perturbations.mismatch import with_caption_of
from vlaudit.reporting.sheet_layout import CHANGED, INK, PALE, PHRASES, Cell, Frame, Paragraph, Run, lay_out
from vlaudit.samples import SIDES, Phrase, Region, Sample, Slot, words_of

TESTED_KINDS = ("object", "instrument", "vehicle")
"""Slot kinds that a row can test: objects with a colour."""

BLANK = "____"


@dataclass(frozen=True)
class _Row:
    """One sample, its tested slot, and the region that answers it."""

    sample: Sample
    slot: Slot
    target: Region
    seed: int

    @property
    def word(self) -> str:
        return self.sample.text(self.slot)

    def changed(self, *perturbations: Perturbation) -> Sample:
        return apply(perturbations, self.sample, self.seed)


def draw_sheet(samples: Iterable[Sample], rows: int, seed: int = 0) -> Pillow.Image:
    """Draw one row for each of the first `rows` samples to which every perturbation of the sheet applies.

    A row shows the image with a frame around the regions of each phrase, the caption in the frames' colours, one
    perturbation of the image per cell, and last the captions of text perturbations. `seed` seeds the perturbations.
    Raises `UsageError` where `rows` is below 1 or no sample is suitable.
    """
    if rows < 1:
        raise UsageError(f"rows must be 1 or more, got {rows}")
    found = list(islice(_rows(samples, seed), rows))
    if not found:
        raise UsageError("none of the samples can be perturbed in every way that the sheet shows")
    return lay_out(found)


def save(sheet: Pillow.Image, path: Path) -> None:
    """Write the sheet as PNG, atomically, and create its folder; `UsageError` where that fails."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(unfinished, format="PNG", optimize=True)
        unfinished.replace(path)
    except OSError as error:
        raise UsageError(f"the sheet cannot be written to {path}: {error.strerror}") from error
    finally:
        with suppress(OSError):  # moved, or never written
            unfinished.unlink()


def _rows(samples: Iterable[Sample], seed: int) -> Iterator[list[Cell]]:
    for sample, partner in pairwise(samples):
        try:
            row = _about(sample, seed)
            yield [_original(row), *_of_image(row), _another_caption(row, partner), _of_words(row)]
        except RefusedSample:
            continue


def _about(sample: Sample, seed: int) -> _Row:
    for slot in sample.slots:
        if slot.kind in TESTED_KINDS and slot.region_ids:
            return _Row(sample, slot, sample.region(slot.region_ids[0]), seed)
    raise RefusedSample(sample.id, "its caption names no object that can be tested and recoloured")


def _original(row: _Row) -> Cell:
    """Return the image with the regions of each phrase framed, and the caption with each phrase in that colour."""
    sample, runs, frames = row.sample, [], []
    colors = {phrase.id: PHRASES[n % len(PHRASES)] for n, phrase in enumerate(sample.phrases)}
    for span in words_of(sample.caption):
        own = [p for p in sample.phrases if p.start <= span.start and span.end <= p.end]
        runs.append(Run(sample.text(span), colors[own[0].id] if own else PALE))
    for phrase in sample.phrases:
        frames += [Frame(region.box, colors[phrase.id], region.label) for region in _named(sample, phrase)]
    return Cell("original", sample, (Paragraph(tuple(runs)),), tuple(frames))


def _named(sample: Sample, phrase: Phrase) -> list[Region]:
    regions = [sample.region(region_id) for region_id in phrase.region_ids]
    return [region for region in regions if region.label != sample.region("scenery").label]


def _of_image(row: _Row) -> Iterator[Cell]:
    blanked = Paragraph(_with_blank(row))
    yield Cell(f"the {row.word} covered", row.changed(Cover((row.target.id,))), (blanked,))
    yield Cell("an equal area covered elsewhere", row.changed(CoverElsewhere((row.target.id,))), (blanked,))
    yield Cell("without colours", row.changed(Grayscale()))
    yield Cell("equal damage that keeps colours", row.changed(LuminanceNoise()))
    yield _recolored(row)
    yield _mirrored(row)
    yield _moved(row)


def _recolored(row: _Row) -> Cell:
    changed = row.changed(Recolor((row.target.id,)))
    before, after = row.target.attributes[0], changed.region(row.target.id).attributes[0]
    words = (
        Run("the"),
        Run(row.word),
        Run("is"),
        Run(after, CHANGED),
        Run("and"),
        Run("no"),
        Run("longer"),
        Run(before),
    )
    return Cell("recoloured", changed, (Paragraph(words),), (_frame(changed, row.target.id),))


def _mirrored(row: _Row) -> Cell:
    row.changed(SwapSides())  # refuses a caption without a side: mirroring does not make it false
    words = [Run(text, CHANGED if text in SIDES else INK) for text in row.sample.caption.split()]
    return Cell("mirrored, the sides now false", row.changed(Mirror()), (Paragraph(tuple(words)),))


def _moved(row: _Row) -> Cell:
    """Return the sample with one object moved, the first of the caption that can be."""
    for name in dict.fromkeys(name for phrase in row.sample.phrases for name in phrase.region_ids):
        try:
            changed = row.changed(Move((name,)))
        except RefusedSample:
            continue
        label = changed.region(name).label
        return Cell(f"the {label} moved", changed, (_plain(row.sample.caption),), (_frame(changed, name),))
    raise RefusedSample(row.sample.id, "nothing of its caption can be moved")


def _frame(sample: Sample, region_id: str) -> Frame:
    return Frame(sample.region(region_id).box, CHANGED, "")


def _another_caption(row: _Row, partner: Sample) -> Cell:
    changed = with_caption_of(row.sample, partner)
    return Cell(
        "another image's caption", changed, (Paragraph(tuple(Run(word, CHANGED) for word in changed.caption.split())),)
    )


def _of_words(row: _Row) -> Cell:
    """Return the captions of text perturbations, changed words in another colour."""
    hidden = row.sample.hiding(row.slot)
    length = len(row.sample.caption)
    hints = (apply((hint,), hidden, row.seed).caption[length:].split() for hint in (Hint(), CopyHint()))
    hint, copy = (Paragraph((*_with_blank(row), *(Run(word, CHANGED) for word in words))) for words in hints)
    foil = row.changed(Foil(row.slot.kind))
    return Cell(
        "the same image, other words",
        None,
        (
            _titled("a hint", hint),
            _titled("a hint that names it", copy),
            _titled("sides exchanged", _compared(row.sample, row.changed(SwapSides()))),
            _titled("one word false", _compared(row.sample, foil)),
            _titled("clauses exchanged", _plain(row.changed(SwapClauses()).caption)),
        ),
    )


def _titled(title: str, paragraph: Paragraph) -> Paragraph:
    return Paragraph(paragraph.runs, title)


def _plain(text: str) -> Paragraph:
    return Paragraph(tuple(Run(word) for word in text.split()))


def _compared(before: Sample, after: Sample) -> Paragraph:
    """Return the words of a caption, changed ones in another colour; both captions have equally many words."""
    pairs = zip(before.caption.split(), after.caption.split(), strict=True)
    return Paragraph(tuple(Run(new, INK if new == old else CHANGED) for old, new in pairs))


def _with_blank(row: _Row) -> tuple[Run, ...]:
    text = f"{row.sample.caption[: row.slot.start]}{BLANK}{row.sample.caption[row.slot.end :]}"
    return tuple(Run(word, CHANGED if word == BLANK else INK) for word in text.split())
