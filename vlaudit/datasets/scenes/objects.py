"""Sprites of things that can be held, anchored at the gripping hand, for a hand on the right of the image."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from vlaudit.datasets.scenes.pen import INK, Color, Pen, Sprite, contrast, paint

WOOD: Color = (206, 160, 104)
CREAM: Color = (250, 238, 214)


def _ball(pen: Pen, fill: Color) -> None:
    pen.ellipse(7.5, -1, 8.6, 8.6, fill)
    pen.line([(0, -3), (15, -3)], contrast(fill), 1.2)
    pen.arc(7.5, 7, 8, 7, 205, 335, contrast(fill), 1.2)


def _kite(pen: Pen, fill: Color) -> None:
    pen.line([(0, 0), (4, -6), (9, -8)], INK, 0.9)
    pen.poly([(10, -32), (19, -20), (10, -5), (1, -20)], fill)
    pen.line([(10, -32), (10, -5)], contrast(fill), 1)
    pen.line([(1, -20), (19, -20)], contrast(fill), 1)


def _balloon(pen: Pen, fill: Color) -> None:
    pen.line([(0, 1), (3, -6), (7, -11)], INK, 0.9)
    pen.poly([(7, -13), (4.8, -9.6), (9.2, -9.6)], fill)
    pen.ellipse(7, -22, 8.2, 9.8, fill)
    pen.ellipse(4, -26, 1.6, 2.4, (255, 255, 255), None)


def _flag(pen: Pen, fill: Color) -> None:
    pen.line([(0, 8), (0, -27)], (90, 80, 70), 1.8)
    pen.poly([(1, -27), (20, -24), (16, -19), (20, -13), (1, -12)], fill)


def _bag(pen: Pen, fill: Color) -> None:
    pen.arc(5, 3, 5.4, 6, 180, 360, INK, 2)
    pen.poly([(-4, 3), (14, 3), (16, 17), (-6, 17)], fill)
    pen.rect(2.6, 6, 7.4, 10, contrast(fill), None)


def _book(pen: Pen, fill: Color) -> None:
    pen.poly([(-3, -9), (8, -6), (19, -9), (19, 5), (8, 8), (-3, 5)], fill)
    for side in (-1, 1):
        pen.poly([(8, -5), (8 + side * 9, -7.4), (8 + side * 9, 2.6), (8, 5.2)], CREAM, INK, 0.7)
        for step in range(3):
            pen.line([(8 + side * 2, -2.4 + step * 2.4), (8 + side * 7, -3.8 + step * 2.4)], (120, 120, 125), 0.6)


def _cup(pen: Pen, fill: Color) -> None:
    pen.arc(14, -3, 5.2, 4.6, 0, 360, INK, 3.4)
    pen.arc(14, -3, 4.7, 4.1, 0, 360, fill, 2)
    pen.poly([(-1, -10), (13, -10), (11, 6), (1, 6)], fill)
    pen.ellipse(6, -10, 7, 2, (110, 66, 40))


def _umbrella(pen: Pen, fill: Color) -> None:
    pen.line([(0, 7), (-7, -34)], (90, 80, 70), 1.8)
    pen.pie(-8, -30, 18, 12, 180, 360, fill)
    for x in (-14, -2):
        pen.line([(-8, -42), (x, -30.5)], contrast(fill), 0.8)


def _box(pen: Pen, fill: Color) -> None:
    pen.rect(-1, -8, 17, 8, fill)
    pen.rect(5.8, -8, 10.2, 8, CREAM, INK)
    pen.poly([(8, -8), (3, -13), (2, -8.6)], CREAM)
    pen.poly([(8, -8), (13, -13), (14, -8.6)], CREAM)


def _cake(pen: Pen, fill: Color) -> None:
    pen.rect(7.2, -16, 8.8, -8, (250, 250, 250), INK)
    pen.ellipse(8, -17, 1.4, 2.2, (255, 170, 40), None)
    pen.rect(2.4, -9, 13.6, -1, fill, round_by=1)
    pen.rect(-1.6, -1.4, 17.6, 7, fill, round_by=1)
    pen.line([(-0.6, 0), (16.6, 0)], CREAM, 2)
    pen.line([(3.4, -7.6), (12.6, -7.6)], CREAM, 2)


def _pizza(pen: Pen, fill: Color) -> None:
    pen.poly([(-2, -8), (18, -8), (8, 11)], fill)
    for x, y in ((4, -3), (11.4, -3.4), (8, 3)):
        pen.ellipse(x, y, 1.6, 1.6, contrast(fill), None)
    pen.rect(-3, -11.4, 19, -6.6, (184, 116, 58), round_by=2.2)


def _candy(pen: Pen, fill: Color) -> None:
    for side in (-1, 1):
        pen.poly([(8 + side * 4, 0), (8 + side * 12, -6.4), (8 + side * 10.4, 0), (8 + side * 12, 6.4)], fill)
    pen.ellipse(8, 0, 6.4, 6.4, fill)
    pen.arc(8, 0, 3.2, 3.2, 20, 290, contrast(fill), 1.3)


def _guitar(pen: Pen, fill: Color) -> None:
    pen.line([(8, 0), (8, -25)], INK, 4)
    pen.line([(8, 0), (8, -25)], WOOD, 2.4)
    pen.rect(4.8, -31, 11.2, -24, WOOD, round_by=1)
    pen.ellipse(8, -4.6, 6.4, 6, fill)
    pen.ellipse(8, 5.4, 9, 8, fill)
    pen.ellipse(8, -4.6, 5.4, 5, fill, None)
    pen.ellipse(8, 1.6, 2.8, 2.8, contrast(fill), None)
    pen.line([(5, 9), (11, 9)], contrast(fill), 1.2)


def _drum(pen: Pen, fill: Color) -> None:
    pen.rect(-2, -4, 20, 10, fill)
    pen.ellipse(9, 10, 11, 3, fill)
    pen.rect(-1, 4, 19, 10, fill, None)
    for x in range(0, 20, 5):
        pen.line([(x - 1.0, -2), (x + 1.6, 10)], contrast(fill), 0.8)
    pen.ellipse(9, -4, 11, 3.6, CREAM)
    pen.line([(3, -5), (12, -15)], WOOD, 1.8)
    pen.line([(13, -5), (20, -14)], WOOD, 1.8)


def _trumpet(pen: Pen, fill: Color) -> None:
    pen.line([(-3, -1), (16, -1)], INK, 4.6)
    pen.line([(-3, -1), (16, -1)], fill, 3)
    pen.ellipse(6, 2, 6.4, 4.6, None, INK, 3.2)
    pen.ellipse(6, 2, 5.8, 4.0, None, fill, 1.8)
    pen.poly([(13, -3), (22, -9), (22, 7), (13, 1)], fill)
    for x in (3, 6.4, 9.8):
        pen.line([(x, -2), (x, -6.6)], INK, 1.6)


def _violin(pen: Pen, fill: Color) -> None:
    pen.line([(10, -3), (22, -14)], INK, 3.4)
    pen.ellipse(2.4, 5, 6.6, 6.2, fill)
    pen.ellipse(9.6, -2, 5.2, 5, fill)
    pen.ellipse(2.4, 5, 5.6, 5.2, fill, None)
    pen.line([(0, 7), (12, -4)], contrast(fill), 1.1)
    pen.line([(0, -12), (20, 10)], WOOD, 1.9)
    pen.line([(-1, -11), (19, 11)], INK, 0.7)


def _harp(pen: Pen, fill: Color) -> None:
    for step in range(5):
        x = 3 + step * 3.2
        pen.line([(x, -22 + step * 1.4), (x, 9 - step * 3.6)], (90, 90, 95), 0.7)
    pen.limb([(0, 10), (18, -12)], fill, 3.6)
    pen.limb([(0, 10), (0, -22)], fill, 3.4)
    pen.limb([(0, -23), (6, -19), (12, -19), (18, -13)], fill, 3.4)


DRAWN: dict[str, Callable[[Pen, Color], None]] = {
    "ball": _ball,
    "kite": _kite,
    "balloon": _balloon,
    "flag": _flag,
    "bag": _bag,
    "book": _book,
    "cup": _cup,
    "umbrella": _umbrella,
    "box": _box,
    "cake": _cake,
    "pizza": _pizza,
    "candy": _candy,
    "guitar": _guitar,
    "drum": _drum,
    "trumpet": _trumpet,
    "violin": _violin,
    "harp": _harp,
}


@cache
def held(kind: str, color: str, look: int, hand: str) -> Sprite:
    """Draw a held thing, anchored at the hand."""
    pen = Pen(-30, -46, 30, 24)
    DRAWN[kind](pen, paint(color, look))
    sprite = pen.sprite()
    return sprite if hand == "left" else sprite.flipped()


@cache
def standing(kind: str, color: str, look: int, facing: str, scale: float = 1.0) -> Sprite:
    """Draw a free-standing thing, anchored at its bottom centre."""
    pen = Pen(-30, -46, 30, 24)
    DRAWN[kind](pen, paint(color, look))
    image = pen.sprite(scale).image
    sprite = Sprite(image, -(image.width // 2), -image.height)
    return sprite if facing == "right" else sprite.flipped()
