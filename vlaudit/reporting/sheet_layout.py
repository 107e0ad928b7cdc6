"""Layout of a sheet: cells of pictures and text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from vlaudit.samples import Box, Sample

Color = tuple[int, int, int]
INK: Color = (34, 34, 40)
PALE: Color = (110, 110, 118)
CHANGED: Color = (200, 24, 40)
PHRASES: tuple[Color, ...] = ((0, 92, 200), (196, 84, 0), (0, 124, 84), (150, 40, 160), (126, 96, 0), (0, 130, 150))
"""Distinguishable colours, readable on white."""

SCALE = 3
"""Pixels of the sheet per pixel of an image."""

_PICTURE, _MARGIN, _GAP = 288, 24, 22
_WIDE = 420  # width of a text cell
_LINE, _TITLE, _LABEL = 19, 26, 17


class Run(NamedTuple):
    """A word with its colour."""

    text: str
    color: Color = INK


@dataclass(frozen=True)
class Paragraph:
    """Text below an optional title."""

    runs: tuple[Run, ...]
    title: str = ""


class Frame(NamedTuple):
    """A frame around a box, in pixels of the image, with a label on its upper edge."""

    box: Box
    color: Color
    label: str


@dataclass(frozen=True)
class Cell:
    """A picture with a title above and text below; text only if there is no picture."""

    title: str
    sample: Sample | None
    paragraphs: tuple[Paragraph, ...] = ()
    frames: tuple[Frame, ...] = ()


def lay_out(rows: Sequence[Sequence[Cell]]) -> Pillow.Image:
    """Return the sheet: one line of cells per row."""
    heights = [max(_height(cell) for cell in row) for row in rows]
    width = max(sum(_width(cell) + _GAP for cell in row) for row in rows) - _GAP
    sheet = Pillow.new("RGB", (width + 2 * _MARGIN, sum(heights) + 2 * _MARGIN + _GAP * len(rows)), (255, 255, 255))
    top = _MARGIN
    for row, height in zip(rows, heights, strict=True):
        left = _MARGIN
        for cell in row:
            _paint(sheet, cell, left, top)
            left += _width(cell) + _GAP
        top += height + _GAP
    return sheet


def _width(cell: Cell) -> int:
    return _PICTURE if cell.sample else _WIDE


def _height(cell: Cell) -> int:
    picture = _PICTURE + 8 if cell.sample else 0
    return _TITLE + picture + sum(_paragraph_height(paragraph, _width(cell)) for paragraph in cell.paragraphs)


def _paragraph_height(paragraph: Paragraph, width: int) -> int:
    return _LINE * (len(_lines(paragraph.runs, width)) + bool(paragraph.title)) + (12 if paragraph.title else 0)


def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _lines(runs: Sequence[Run], width: int) -> list[list[tuple[float, Run]]]:
    """Return the words per line, each with its distance from the left edge."""
    font = _font(15)
    lines: list[list[tuple[float, Run]]] = []
    cursor = width + 1.0
    for run in runs:
        length = font.getlength(run.text)
        if cursor + length > width:
            lines.append([])
            cursor = 0.0
        lines[-1].append((cursor, run))
        cursor += length + font.getlength(" ")
    return lines


def _paint(sheet: Pillow.Image, cell: Cell, left: int, top: int) -> None:
    draw = ImageDraw.Draw(sheet)
    draw.text((left, top), cell.title, INK, _font(17))
    top += _TITLE
    if cell.sample and cell.sample.image:
        picture = Pillow.fromarray(cell.sample.image.pixels())
        sheet.paste(picture.resize((_PICTURE, _PICTURE), Pillow.Resampling.NEAREST), (left, top))
        _paint_frames(draw, cell.frames, left, top)
        top += _PICTURE + 8
    for paragraph in cell.paragraphs:
        _paint_paragraph(draw, paragraph, left, top, _width(cell))
        top += _paragraph_height(paragraph, _width(cell))


def _paint_paragraph(draw: ImageDraw.ImageDraw, paragraph: Paragraph, left: int, top: int, width: int) -> None:
    if paragraph.title:
        draw.text((left, top), paragraph.title, PALE, _font(14))
        top += _LINE
    for number, line in enumerate(_lines(paragraph.runs, width)):
        for right, run in line:
            draw.text((left + right, top + number * _LINE), run.text, run.color, _font(15))


def _paint_frames(draw: ImageDraw.ImageDraw, frames: Sequence[Frame], left: int, top: int) -> None:
    for frame in frames:
        x, y = left + frame.box.left * SCALE, top + frame.box.top * SCALE
        right, bottom = left + frame.box.right * SCALE - 1, top + frame.box.bottom * SCALE - 1
        draw.rectangle([x, y, right, bottom], outline=frame.color, width=2)
        if frame.label:
            _paint_label(draw, frame, x, max(y - _LABEL, top))


def _paint_label(draw: ImageDraw.ImageDraw, frame: Frame, x: float, y: float) -> None:
    """Write the label of a frame above its upper edge, where it covers nothing of the framed region."""
    length = _font(13).getlength(frame.label)
    draw.rectangle([x, y, x + length + 7, y + _LABEL], fill=frame.color)
    draw.text((x + 4, y + 1), frame.label, (255, 255, 255), _font(13))
